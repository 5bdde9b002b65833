"""Stage 0 whole: corpora -> recorded data directories, or an error and nothing half-written."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser.base.errors import SerError
from ser.base.record import require
from ser.config.labels import CountsConfig, LabelsConfig
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.corpus import utterance as emotion
from ser.corpus.fold_files import read_fold, require_folds
from ser.corpus.prepare import prepare_corpus, prepare_folds, prepare_iemocap
from ser.kaldi.data_dir import REQUIRED, read_data_dir

EMOTION = ("utt2emo", "utt2emo_raw", "utt2session", "utt2orig")

LABELS = LabelsConfig(
    classes={"ang": ["ang"], "hap": ["hap", "exc"], "neu": ["neu"], "sad": ["sad"]},
    exclude=["fru", "sur", "fea", "dis", "oth", "xxx"],
)
FIVE_FOLDS = ProtocolConfig(
    fold_unit="session", num_folds=5, validation="next_fold", selection="last"
)


@pytest.fixture
def tree(generated: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    shutil.copytree(generated / "IEMOCAP_full_release", tmp_path / "IEMOCAP")
    return tmp_path / "IEMOCAP"


@pytest.fixture
def counts(generated: Path) -> CountsConfig:
    return load_config(generated / "counts.yaml", CountsConfig)


def some_wavs(tree: Path, num: int) -> list[Path]:
    """Audio of turns with a class, the same in every run."""
    corpus = emotion_turns(tree)
    return sorted(corpus)[:: len(corpus) // num][:num]


def emotion_turns(tree: Path) -> list[Path]:
    cues = (tree.parent / "cue.tsv").read_text().splitlines()
    utts = {line.split("\t")[0] for line in cues}
    return [p for p in tree.rglob("*.wav") if p.stem in utts]


def test_iemocap(generated: Path, tmp_path: Path, counts: CountsConfig, log: Any) -> None:
    out = tmp_path / "data" / "ser"
    root = generated / "IEMOCAP_full_release"
    prepare_iemocap(root, out, LABELS, counts, False, {"cue": generated / "cue.tsv"})
    data = read_data_dir(out)
    assert {*REQUIRED, *EMOTION, "utt2scene", "utt2type", "utt2votes", "utt2vad", "utt2cue"} <= set(
        data.tables
    )
    assert len(data.utts) == 80
    assert all(Path(wav).is_file() for wav in data["wav.scp"].values())
    assert set(data["utt2cue"].values()) == {"prosody", "words"}
    assert set(data["utt2emo"].values()) == {"ang", "hap", "neu", "sad"}
    assert set(data["utt2emo_raw"].values()) == {"ang", "hap", "exc", "neu", "sad"}
    assert all(utt == f"{data['utt2spk'][utt]}-{data['utt2orig'][utt]}" for utt in data.utts)
    excluded = [line.split("\t") for line in (out / "excluded.tsv").read_text().splitlines()]
    labels = sum("is in 'exclude'" in reason for _, reason in excluded)
    assert labels == counts.labelled_utterances - 80
    assert sum("turn without label" in reason for _, reason in excluded) == 5
    assert not log.find("warning")
    assert [p.name for p in out.parent.glob("[!.]*")] == ["ser"]
    assert require(out, 0)["notes"] == {"differences": []}


def test_a_partial_iemocap_is_refused_or_accepted(
    generated: Path, tree: Path, tmp_path: Path, counts: CountsConfig, log: Any
) -> None:
    shutil.copy(generated / "cue.tsv", tmp_path)
    lost = some_wavs(tree, 7)
    for wav in lost:
        wav.unlink()
    out = tmp_path / "data" / "ser"
    report = out.parent / "iemocap_differences.txt"
    with pytest.raises(SerError) as error:
        prepare_iemocap(tree, out, LABELS, counts, False, {})
    said = str(error.value)
    assert said.startswith(f"{tree}: ")
    assert "(-" in said
    assert f"all are in {report}" in said
    assert said.endswith("with --partial (in egs/iemocap IEMOCAP_PARTIAL=1)")
    assert "\n" not in said
    assert all(f"missing: {wav}\n" in report.read_text() for wav in lost)
    assert not out.exists()

    words = next((tree / "Session3").glob("dialog/transcriptions/Ses*.txt"))
    words.write_text(re.sub(r"\]: .*", "]: [LAUGHTER]", words.read_text()))  # worth no warning
    prepare_iemocap(tree, out, LABELS, counts, True, {})
    assert "" in read_data_dir(out)["text"].values()
    (warning,) = log.find("^warning: ")
    assert "going on with a partial corpus" in warning
    assert all(f"missing: {wav}\n" in report.read_text() for wav in lost)
    assert all(f"\tmissing: {wav}\n" in (out / "excluded.tsv").read_text() for wav in lost)
    assert len(read_data_dir(out).utts) == 73
    assert require(out, 0)["notes"]["differences"] == report.read_text().splitlines()

    shutil.copytree(generated / "IEMOCAP_full_release", tree, dirs_exist_ok=True)
    prepare_iemocap(tree, out, LABELS, counts, False, {})
    assert not report.exists()  # of a corpus that was mended


def test_a_failed_rerun_leaves_the_old_folder(
    generated: Path, tmp_path: Path, counts: CountsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, root = tmp_path / "ser", generated / "IEMOCAP_full_release"
    prepare_iemocap(root, out, LABELS, counts, False, {})
    before = require(out, 0)["identity"]

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(emotion, "write_exclusions", fail)
    with pytest.raises(OSError, match="No space"):
        prepare_iemocap(root, out, LABELS, counts, False, {"cue": generated / "cue.tsv"})
    assert "utt2cue" not in read_data_dir(out).tables
    assert require(out, 0)["identity"] == before
    monkeypatch.undo()
    prepare_iemocap(root, out, LABELS, counts, False, {})
    assert require(out, 0)["identity"] == before  # the same corpus is the same folder
    prepare_iemocap(root, out, LABELS, counts, False, {"cue": generated / "cue.tsv"})
    assert require(out, 0)["identity"] != before


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("cue", "Ses01F_impro01_F000 words\n", r"cue\.tsv:1: expected id<TAB>value"),
        ("cue", "a\tb\n\nc\td\n", r"cue\.tsv:2: expected id<TAB>value"),
        ("cue", "a\tb\n", r"cue\.tsv: none of its 1 ids is in .*; expected the published ids"),
        ("cue", "a\tb\nc\td\na\tc\n", r"cue\.tsv: a stands 2 times; expected once"),
        ("spk", "Ses01F_impro02_F000\tb\n", "utt2spk: an attribute has the name of a table"),
        ("scene", "Ses01F_impro02_F000\tb\n", "scene=.*: the corpus has a table utt2scene of"),
    ],
)
def test_attributes_that_do_not_fit(
    generated: Path, tmp_path: Path, counts: CountsConfig, name: str, text: str, said: str
) -> None:
    (tmp_path / "cue.tsv").write_text(text)
    with pytest.raises(SerError, match=said):
        prepare_iemocap(
            generated / "IEMOCAP_full_release",
            tmp_path / "ser",
            LABELS,
            counts,
            False,
            {name: tmp_path / "cue.tsv"},
        )


def test_folds_of_iemocap(generated: Path, tmp_path: Path, counts: CountsConfig) -> None:
    data, out = tmp_path / "ser", tmp_path / "folds"
    with pytest.raises(SerError, match=rf"{data}: not there or not whole.*--stage 0"):
        prepare_folds(data, out, FIVE_FOLDS)
    prepare_iemocap(generated / "IEMOCAP_full_release", data, LABELS, counts, False, {})
    prepare_folds(data, out, FIVE_FOLDS)
    session = read_data_dir(data)["utt2session"]
    for name in "12345":
        tested = {utt for utt, part in read_fold(out, name).items() if part == "test"}
        assert tested == {utt for utt in session if session[utt] == name}
    require_folds(out, FIVE_FOLDS, Path("paper.yaml"))
    with pytest.raises(SerError, match="num_folds was 5 and is 4"):
        require_folds(out, FIVE_FOLDS.model_copy(update={"num_folds": 4}), Path("paper.yaml"))


def test_ravdess(tmp_path: Path, log: Any) -> None:
    for actor, sound in (("01", 1), ("02", 2)):
        for emo, repetition in (("04", "01"), ("05", "01"), ("05", "02"), ("02", "01")):
            path = tmp_path / f"Actor_{actor}" / f"03-01-{emo}-01-01-{repetition}-{actor}.wav"
            path.parent.mkdir(exist_ok=True)
            # both repetitions of the first actor's anger are one file
            same = repetition if actor == "02" else "0"
            content = 100 * sound + 10 * int(emo) + int(same)
            soundfile.write(path, np.full(1600, content, np.int16), 48000)
    labels = LabelsConfig(classes={"ang": ["angry"], "sad": ["sad"]}, exclude=["calm"])
    out = tmp_path / "data" / "ser"
    prepare_corpus("ravdess", tmp_path, out, labels)
    data = read_data_dir(out)
    assert len(data.utts) == 6
    assert set(data["utt2spk"].values()) == {"01", "02"}
    assert (
        len(log.find("01-03-01-05-01-01-01-01 and 01-03-01-05-01-01-02-01 are the same audio")) == 1
    )
    assert len(log.find("the same audio")) == 1
    assert log.find("left out 2: label calm")
    assert require(out, 0)["config"] == {"labels": labels.record()}
