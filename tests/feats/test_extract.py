"""Stage 1: the same bytes however it was run, and nothing half-done counts as done."""

import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tiny import FBANK

from ser.audio.reading import read_audio
from ser.base.errors import SerError
from ser.base.record import Record
from ser.data.utterances import read_feature_dir
from ser.feats import extract
from ser.feats.extract import extract_features
from ser.feats.fbank import Fbank
from ser.kaldi.ark import ArkWriter
from ser.kaldi.data_dir import digest_data_dir, write_data_dir
from ser.kaldi.table import read_table, write_table

NUM_UTTS = 7
OUTPUTS = ("feats.ark", "feats.scp", "utt2num_frames", "run.json")


def record_data(path: Path, version: int) -> None:
    """What stage 0 leaves beside the tables."""
    Record(path, 0, {"version": version}, {"tables": digest_data_dir(path)}).finish()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with audio, as stage 0 leaves it; one utterance is shorter than a frame."""
    random = np.random.default_rng(0)
    tables: dict[str, dict[str, str]] = {n: {} for n in ("wav.scp", "text", "utt2spk", "utt2dur")}
    (tmp_path / "wav").mkdir()
    for i in range(NUM_UTTS):
        num_samples = 300 if i == 2 else 4000 + 1000 * i
        utt, wav = f"spk-u{i}", tmp_path / "wav" / f"u{i}.wav"
        soundfile.write(wav, random.uniform(-0.3, 0.3, num_samples), 16000, subtype="PCM_16")
        row = (str(wav), "HELLO", "spk", f"{num_samples / 16000:.4f}")
        for name, value in zip(tables, row, strict=True):
            tables[name][utt] = value
    path = tmp_path / "data" / "asr_train"
    path.mkdir(parents=True)
    write_data_dir(path, {**tables, "spk2utt": {}})
    record_data(path, version=1)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "dump" / "asr_train"


def written(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in OUTPUTS[:3]}


def stop_at(monkeypatch: pytest.MonkeyPatch, utt: str) -> None:
    """As if the process were killed when it comes to an utterance."""
    original = extract._extract

    def extract_or_stop(item: tuple[str, str], *rest: Any) -> extract.Encoded:
        if item[0] == utt:
            raise KeyboardInterrupt
        return original(item, *rest)

    monkeypatch.setattr(extract, "_extract", extract_or_stop)


def test_holds_the_features_of_the_audio(data: Path, out: Path) -> None:
    extract_features(data, out, FBANK, 1)
    features = read_feature_dir(out)
    assert features.data.utts == [f"spk-u{i}" for i in range(NUM_UTTS)]
    for utt, wav in features.data["wav.scp"].items():
        samples = read_audio(Path(wav), utt, 16000)
        expected = Fbank(FBANK)(samples)
        assert np.array_equal(features.feats[utt], expected)
        assert features.num_frames[utt] == len(expected)
    assert features.num_frames["spk-u2"] == 1
    notes = json.loads((out / "run.json").read_text())["notes"]
    assert notes["num_utts"] == NUM_UTTS


def test_two_processes_write_the_same_bytes(data: Path, out: Path) -> None:
    extract_features(data, out, FBANK, 1)
    alone = written(out)
    (out / "run.json").unlink()
    extract_features(data, out, FBANK, 2)
    assert written(out) == alone


@pytest.mark.parametrize("utt", ["spk-u0", "spk-u1", "spk-u4", f"spk-u{NUM_UTTS - 1}"])
def test_killed_and_rerun_writes_the_same_bytes(
    data: Path, out: Path, utt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_features(data, out, FBANK, 1)
    expected = written(out)
    (out / "run.json").unlink()
    for name in OUTPUTS[:3]:
        (out / name).unlink()

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_at(patch, utt)
        extract_features(data, out, FBANK, 1)
    assert not any((out / name).exists() for name in OUTPUTS)
    with (out / ".feats.ark.partial").open("ab") as stream:
        stream.write(b"a record that was cut")

    asked: list[str] = []
    original = extract._extract
    monkeypatch.setattr(extract, "_extract", lambda i, *r: asked.append(i[0]) or original(i, *r))
    extract_features(data, out, FBANK, 1)
    assert written(out) == expected
    done = int(utt.removeprefix("spk-u"))
    assert len(asked) <= NUM_UTTS - max(0, done - 1), "what was done is kept but for the last"
    assert not list(out.glob(".*"))


@pytest.mark.long
@pytest.mark.parametrize("num_written", [0, 3, 6])
def test_two_processes_go_on_to_the_same_bytes(
    data: Path, out: Path, num_written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_features(data, out, FBANK, 1)
    expected = written(out)
    for name in OUTPUTS:
        (out / name).unlink()
    original = ArkWriter.append

    def append_or_stop(writer: ArkWriter, *encoded: Any) -> None:
        if len(writer.num_frames) == num_written:
            raise KeyboardInterrupt
        original(writer, *encoded)

    monkeypatch.setattr(extract, "CHUNK_UTTS", 2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ArkWriter, "append", append_or_stop)
        extract_features(data, out, FBANK, 2)
    assert (out / ".feats.ark.partial").exists()
    extract_features(data, out, FBANK, 2)
    assert written(out) == expected


def test_workers_pass_over_ctrl_c_and_one_that_is_killed_is_an_error(data: Path, out: Path) -> None:
    """Ctrl-C goes to all processes; a worker that it ended could leave a lock behind."""
    wav = data.parents[1] / "wav" / "u3.wav"
    wav.unlink()
    os.mkfifo(wav)  # without a writer it keeps a worker busy
    alive: list[bool] = []

    def interrupt_and_kill() -> None:
        while len(children := multiprocessing.active_children()) < 2:
            time.sleep(0.01)
        for child in children:
            time.sleep(0.2)  # they have begun
            os.kill(child.pid, signal.SIGINT)
        time.sleep(0.2)
        alive.extend(child.is_alive() for child in children)
        os.kill(children[0].pid, signal.SIGKILL)

    thread = threading.Thread(target=interrupt_and_kill)
    thread.start()
    with pytest.raises(SerError, match="--nj: a process of feature extraction was killed"):
        extract_features(data, out, FBANK, 2)
    thread.join()
    assert alive == [True, True]
    assert not (out / "run.json").exists()


def test_finished_run_is_left_alone(data: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extract_features(data, out, FBANK, 1)
    before = (out / "feats.ark").stat().st_mtime_ns
    stop_at(monkeypatch, "spk-u0")
    extract_features(data, out, FBANK, 1)
    assert (out / "feats.ark").stat().st_mtime_ns == before


def test_tables_of_somebody_else_are_not_replaced(data: Path, out: Path) -> None:
    shutil.copytree(data, out)
    (out / "run.json").unlink()
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(SerError, match=r"asr_train: holds .*wav\.scp.*, which no stage wrote"):
        extract_features(data, out, FBANK, 1)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_another_configuration_does_not_go_on_with_the_old_matrices(
    data: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_at(patch, "spk-u5")
        extract_features(data, out, FBANK, 1)
    other = FBANK.model_copy(update={"num_mel_bins": 40})
    extract_features(data, out, other, 1)
    features = read_feature_dir(out)
    assert {features.feats[utt].shape[1] for utt in features.data.utts} == {40}


def test_another_input_is_noticed(data: Path, out: Path) -> None:
    write_table(data / "utt2mood", dict.fromkeys(read_table(data / "utt2spk"), "calm"))
    record_data(data, version=1)
    extract_features(data, out, FBANK, 1)
    (data / "utt2mood").unlink()
    wav = data.parents[1] / "wav" / "u0.wav"
    soundfile.write(wav, np.zeros(8000), 16000, subtype="PCM_16")
    durations = read_table(data / "utt2dur") | {"spk-u0": "0.5000"}
    write_table(data / "utt2dur", durations)
    record_data(data, version=2)
    extract_features(data, out, FBANK, 1)
    assert read_feature_dir(out).num_frames["spk-u0"] == 48
    assert not (out / "utt2mood").exists()


def test_compressed_storage_is_close_and_smaller(data: Path, out: Path) -> None:
    extract_features(data, out, FBANK, 1)
    features = read_feature_dir(out)
    exact = {utt: features.feats[utt].copy() for utt in features.data.utts}
    size = (out / "feats.ark").stat().st_size
    extract_features(data, out, FBANK.model_copy(update={"storage": "kaldi_compressed"}), 1)
    features = read_feature_dir(out)
    assert (out / "feats.ark").stat().st_size < 0.4 * size
    for utt, matrix in exact.items():
        assert np.abs(features.feats[utt] - matrix).max() < 0.02 * np.ptp(matrix)


def no_file(wav: Path) -> None:
    wav.unlink()


def empty_file(wav: Path) -> None:
    wav.write_bytes(b"")


def no_samples(wav: Path) -> None:
    soundfile.write(wav, np.zeros(0), 16000, subtype="PCM_16")


def not_finite(wav: Path) -> None:
    samples = np.zeros(8000)
    samples[17] = np.nan
    soundfile.write(wav, samples, 16000, subtype="FLOAT")


def too_loud(wav: Path) -> None:
    soundfile.write(wav, 1e30 * np.sin(np.arange(8000)), 16000, subtype="FLOAT")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_file, "no such file"),
        (empty_file, "not readable"),
        (no_samples, "0 samples"),
        (not_finite, "1 of 8000 samples are not finite"),
        (too_loud, r"features are not finite .*largest sample is 1e\+30 of full scale"),
    ],
)
@pytest.mark.parametrize("before", ["nothing", "finished"])
def test_bad_audio_is_named_and_nothing_counts_as_finished(
    data: Path, out: Path, damage: Callable[[Path], None], message: str, before: str
) -> None:
    if before == "finished":
        extract_features(data, out, FBANK, 1)
        record_data(data, version=2)
    wav = data.parents[1] / "wav" / "u3.wav"
    good = wav.read_bytes()
    damage(wav)
    with pytest.raises(SerError, match=message) as caught:
        extract_features(data, out, FBANK, 1)
    assert str(wav) in str(caught.value)
    assert "spk-u3" in str(caught.value)
    assert not (out / "run.json").exists()
    wav.write_bytes(good)
    extract_features(data, out, FBANK, 1)
    assert (out / "run.json").exists()


def test_bad_audio_is_named_by_a_worker_too(data: Path, out: Path) -> None:
    not_finite(data.parents[1] / "wav" / "u3.wav")
    with pytest.raises(SerError, match=r"u3\.wav: 1 of 8000 samples are not finite \(spk-u3\)"):
        extract_features(data, out, FBANK, 2)
    assert not (out / "run.json").exists()
