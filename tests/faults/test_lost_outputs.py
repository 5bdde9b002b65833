"""Nothing lost, nothing taken for what it is not: each stage's outputs, full disks, links."""

import errno
import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny import FBANK
from tiny_audio import packing
from tiny_recipe import BPE, EXP, FEATS, WORDS, finetune_run, pretrain_run

from ser.base.errors import SerError, describe, run_program
from ser.base.files import write_json, write_text
from ser.base.log import log_to_file, logger
from ser.base.record import Record, read_record, require
from ser.config.schema import BpeConfig
from ser.corpus.recorded import write_recorded
from ser.feats.extract import extract_features
from ser.infer.package import MANIFEST
from ser.kaldi.ark import ArkWriter
from ser.kaldi.data_dir import write_data_dir
from ser.predict.folds import predict_all
from ser.release.pack import pack
from ser.text.bpe import write_bpe
from ser.train.finetune import finetune
from ser.train.pretrain import pretrain
from ser.train.resolve import resolve

SYSTEM = "transformer_tl_mtl"


def stage_2() -> None:
    config = BpeConfig.model_validate(read_record(BPE)["config"])
    write_bpe(Record(BPE, 2, config.model_dump(), {}), WORDS.values(), config, Path("text"))


def stage_5() -> None:
    predict_all([finetune_run(SYSTEM, fold=fold) for fold in "123"])


STAGES: dict[int, tuple[Path, Callable[[], None]]] = {
    2: (BPE, stage_2),
    3: (EXP / "pretrain" / "ctc", lambda: pretrain(pretrain_run())),
    4: (EXP / SYSTEM / "seed1" / "fold1", lambda: finetune(finetune_run(SYSTEM))),
    5: (EXP / "predictions", stage_5),
}


def lose(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def change(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [lose, cut, change])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.usefixtures("trained")
def test_an_output_is_made_anew_by_the_stage_that_the_message_names(
    stage: int, damage: Callable[[Path], None]
) -> None:
    folder, again = STAGES[stage]
    names = read_record(folder)["outputs"]
    assert names
    before = {name: (folder / name).read_bytes() for name in names}
    for name in names:
        damage(folder / name)
    with pytest.raises(SerError, match=rf"expected what stage {stage} wrote; .*--stage {stage} "):
        require(folder, stage)
    if stage < 4:
        with pytest.raises(SerError, match=f"--stage {stage} "):
            resolve(finetune_run(SYSTEM))
    if stage < 5:
        with pytest.raises(SerError, match=f"--stage {stage} "):
            stage_5()
    again()
    assert {name: (folder / name).read_bytes() for name in names} == before
    require(folder, stage)
    stage_5()


@pytest.mark.parametrize("damage", [lose, cut, change])
def test_features_are_extracted_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    tables = {"text": {}, "utt2spk": {}, "wav.scp": {}, "utt2dur": {}}
    for utt in ("a-1", "a-2"):
        wav = tmp_path / f"{utt}.wav"
        soundfile.write(wav, 0.1 * np.random.default_rng(0).normal(size=8000), 16000)
        row = ("SO IT IS", "a", str(wav), "0.5")
        for name, value in zip(tables, row, strict=True):
            tables[name][utt] = value
    data, out = Path("data/ser"), Path("dump/ser")
    write_recorded(data, {}, lambda folder: write_data_dir(folder, tables), with_audio=False)
    extract_features(data, out, FBANK, 1)
    before = {name: (out / name).read_bytes() for name in read_record(out)["outputs"]}
    assert {"feats.ark", "feats.scp", "text"} <= before.keys()
    for name in before:
        damage(out / name)
        with pytest.raises(SerError, match=r"expected what stage 1 wrote; .*--stage 1 "):
            require(out, 1)
        extract_features(data, out, FBANK, 1)
        assert {name: (out / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("name", ["utt2emo", "text", "feats.scp", "utt2session"])
@pytest.mark.usefixtures("trained")
def test_tables_that_were_edited_after_their_stage(name: str) -> None:
    path = FEATS / "ser" / name
    path.write_text(path.read_text().replace("a", "b"))
    for later in (lambda: finetune(finetune_run(SYSTEM)), stage_5):
        with pytest.raises(SerError, match=rf"{name} was changed; expected what stage 1 wrote"):
            later()


@pytest.mark.usefixtures("trained")
def test_predictions_that_were_edited_after_their_stage() -> None:
    path = EXP / "predictions" / SYSTEM / "seed1_fold1.tsv"
    path.write_text(path.read_text().replace("0.2", "0.3", 1))
    with pytest.raises(SerError, match=r"seed1_fold1\.tsv was changed; expected what stage 5"):
        require(EXP / "predictions", 5)


def test_an_archive_through_a_link_holds_the_files(package: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to("real")
    archive = pack(packing(), link)
    assert archive == tmp_path / "link.tar.gz" and link.is_symlink()
    with tarfile.open(archive) as tar:
        assert f"link/{MANIFEST}" in tar.getnames()
        assert all(member.isfile() or member.isdir() for member in tar)
        sizes = {member.name: member.size for member in tar if member.isfile()}
    assert sizes == {f"link/{p.name}": p.stat().st_size for p in (tmp_path / "real").iterdir()}


def full(path: Path) -> None:
    """A file on a disk that is full."""
    path.symlink_to("/dev/full")


def test_a_full_disk_is_named_with_what_to_do(tmp_path: Path) -> None:
    for name, write in (("a.txt", write_text), ("a.json", write_json)):
        full(tmp_path / f".{name}.partial")
        with pytest.raises(SystemExit) as end:
            run_program(lambda name=name, write=write: write(tmp_path / name, "a"))
        said = f"error: {tmp_path / name}: No space left on device; free some room there and rerun"
        assert end.value.code == said
        assert not (tmp_path / name).exists()


def test_a_full_disk_in_the_midst_of_an_archive(tmp_path: Path) -> None:
    with pytest.raises(OSError) as error, ArkWriter(tmp_path, "float32") as writer:
        writer.write("a", np.zeros((2, 3), np.float32))
        device = os.open("/dev/full", os.O_WRONLY)
        os.dup2(device, writer._ark.fileno())
        os.close(device)
        writer.write("b", np.zeros((2, 3), np.float32))
    said = f"{tmp_path / 'feats.ark'}: No space left on device; free some room there and rerun"
    assert describe(error.value) == said
    with ArkWriter(tmp_path, "float32") as writer:
        assert not writer.num_frames, "the last one that is listed is written again"
        writer.write("a", np.zeros((2, 3), np.float32))
        assert list(writer.finish()) == ["a"]


def test_a_log_on_a_full_disk_does_not_hide_why_it_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full(tmp_path / "train.log")
    level = logger.level
    logger.setLevel("INFO")
    reason = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.safetensors")
    with pytest.raises(OSError) as error, log_to_file(tmp_path / "train.log"):
        logger.info("epoch 1")
        logger.info("epoch 2")
        raise reason
    logger.setLevel(level)
    assert error.value is reason
    said = capsys.readouterr().err
    assert said.startswith(f"warning: {tmp_path / 'train.log'}: No space left on device; free some")
    assert said.count("\n") == 1 and "Traceback" not in said
    assert sys.exc_info() == (None, None, None)
