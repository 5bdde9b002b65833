"""Copies at other speeds: Kaldi's meaning of a factor, ids of their own, only where asked for."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from programs import call
from tiny import (
    FBANK,
    encoder_config,
    optimizer_config,
    system_config,
    training_config,
    write_config,
)

from ser.audio.reading import read_audio
from ser.base.record import Record
from ser.config.schema import PretrainConfig
from ser.data.utterances import read_feature_dir
from ser.feats.speed_copies import speed_dir, speed_factors, speed_tables
from ser.kaldi.data_dir import digest_data_dir, write_data_dir

RATE_HZ = 16000


def write_tone(path: Path, frequency_hz: float, seconds: float) -> None:
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * frequency_hz * time), RATE_HZ)


@pytest.mark.parametrize("factor", [0.9, 1.1, 1.5])
def test_faster_is_shorter_and_higher(tmp_path: Path, factor: float) -> None:
    write_tone(tmp_path / "a.wav", 500.0, 2.0)
    samples = read_audio(tmp_path / "a.wav", "a", RATE_HZ, factor)
    assert len(samples) == pytest.approx(2.0 * RATE_HZ / factor, abs=2)
    loudest = np.abs(np.fft.rfft(samples)).argmax() * RATE_HZ / len(samples)
    assert loudest == pytest.approx(500.0 * factor, abs=1.0)


def test_tables_of_a_copy() -> None:
    tables = {
        "wav.scp": {"s1-a": "/a.wav"},
        "utt2spk": {"s1-a": "s1"},
        "spk2utt": {"s1": "s1-a"},
        "spk2gender": {"s1": "f"},
        "utt2dur": {"s1-a": "1.8000"},
        "utt2emo": {"s1-a": "ang"},
        "utt2orig": {"s1-a": "a"},
    }
    assert speed_tables(tables, 0.9) == {
        "wav.scp": {"sp0.9-s1-a": "/a.wav"},
        "utt2spk": {"sp0.9-s1-a": "sp0.9-s1"},
        "spk2gender": {"sp0.9-s1": "f"},
        "utt2dur": {"sp0.9-s1-a": "2.0000"},
        "utt2emo": {"sp0.9-s1-a": "ang"},
        "utt2orig": {"sp0.9-s1-a": "a"},
    }


def test_name_of_a_copy() -> None:
    assert speed_dir(Path("dump/fbank/asr_train"), 0.9) == Path("dump/fbank/asr_train_sp0.9")
    assert speed_dir(Path("dump/fbank/ser"), 1.10) == Path("dump/fbank/ser_sp1.1")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Two systems and two encoders that want other speeds, and one of each that wants none."""
    conf = tmp_path / "conf"
    write_config(conf / "fbank.yaml", FBANK)
    systems = {"a": ("scratch", [1.1]), "b": ("ctc", [1.1, 0.9]), "c": ("plain", [])}
    for name, (init, factors) in systems.items():
        training = training_config(speed_factors=factors)
        system = system_config("transformer", init=init, training=training)
        write_config(conf / "systems" / f"{name}.yaml", system)
    for name, factors in {"ctc": [0.8], "plain": [], "unused": [2.0]}.items():
        encoder = PretrainConfig(
            encoder=encoder_config(),
            ctc=system.ctc,
            optimizer=optimizer_config(),
            training=training_config(speed_factors=factors),
            selection="last",
            allow_missing_subsets=False,
        )
        write_config(conf / "pretrain" / f"{name}.yaml", encoder)
    return conf


@pytest.mark.parametrize(
    ("systems", "ser", "asr_train"),
    [
        ([], [], []),
        (["a"], [1.1], []),
        (["b"], [0.9, 1.1], [0.8]),
        (["a", "b"], [0.9, 1.1], [0.8]),
        (["c"], [], []),
    ],
)
def test_factors_of_systems_and_of_their_encoders(
    conf: Path, systems: list[str], ser: list[float], asr_train: list[float]
) -> None:
    assert speed_factors(conf, systems) == {"ser": ser, "asr_train": asr_train}


def test_stage_1_makes_the_copies_that_systems_want(conf: Path, tmp_path: Path) -> None:
    names = ("asr_train", "asr_valid", "ser")
    write_tone(tmp_path / "a.wav", 500.0, 1.8)
    for name in names:
        path = tmp_path / "data" / name
        path.mkdir(parents=True)
        row = {"wav.scp": str(tmp_path / "a.wav"), "text": "A", "utt2spk": "s", "utt2dur": "1.8000"}
        write_data_dir(path, {table: {"s-a": value} for table, value in row.items()})
        Record(path, 0, {}, {"tables": digest_data_dir(path)}).finish()
    out = tmp_path / "dump"
    folders = [tmp_path / "data" / name for name in names]
    made = call("make_feats", *folders, "--out", out, "--conf", conf, "--systems", "b c")
    assert made.status == 0, made.err
    assert {path.name for path in out.iterdir() if path.is_dir()} == {
        *names,
        "asr_train_sp0.8",
        "ser_sp0.9",
        "ser_sp1.1",
    }
    copy = read_feature_dir(out / "ser_sp0.9")
    assert copy.data.utts == ["sp0.9-s-a"]
    assert copy.data["spk2utt"] == {"sp0.9-s": "sp0.9-s-a"}
    assert copy.num_frames == {"sp0.9-s-a": 198}
    assert len(copy.feats["sp0.9-s-a"]) == 198
    assert read_feature_dir(out / "ser").num_frames == {"s-a": 178}


def test_two_directories_of_one_name_would_be_one_folder(tmp_path: Path) -> None:
    words = (tmp_path / "a" / "ser", tmp_path / "b" / "ser", "--out", tmp_path / "dump")
    write_config(tmp_path / "conf" / "fbank.yaml", FBANK)
    said = call("make_feats", *words, "--conf", tmp_path / "conf")
    assert said.status == 1
    assert "several are called 'ser', and would be one folder of features; expected" in said.err
