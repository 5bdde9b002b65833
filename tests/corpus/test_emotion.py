"""Emotional utterances -> a data directory: every exclusion counted, listed and printed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.corpus.utterance import EmotionUtterance, choose, unique, write_emotion_dir
from ser.kaldi.data_dir import REQUIRED, read_data_dir

EMOTION = ("utt2emo", "utt2emo_raw", "utt2session", "utt2orig")

LABELS = LabelsConfig(classes={"ang": ["angry", "cross"], "sad": ["sad"]}, exclude=["calm", "odd"])


@pytest.fixture
def utterances(tmp_path: Path) -> list[EmotionUtterance]:
    made = []
    for number, label in enumerate(["angry", "cross", "sad", "calm", "calm", "odd"]):
        spk = f"s{number % 2}"
        wav = tmp_path / "wav" / f"{number}.wav"
        wav.parent.mkdir(exist_ok=True)
        soundfile.write(wav, np.full(1600, number, np.int16), 16000)
        made.append(
            EmotionUtterance(
                utt=f"{spk}-{number}",
                utt_orig=f"{number}",
                spk=spk,
                gender="fm"[number % 2],
                session=f"{number % 2 + 1}",
                label=label,
                wav=wav,
                transcript="HELLO" if number else "",
                attributes={"utt2scene": "park"} if number else {},
            )
        )
    return made


def write(
    folder: Path, utterances: list[EmotionUtterance], excluded: Mapping[str, str] | None = None
) -> None:
    write_emotion_dir(folder, *choose(utterances, LABELS, excluded or {}), LABELS)


def test_tables_and_exclusions(
    tmp_path: Path, utterances: list[EmotionUtterance], log: Any
) -> None:
    folder = tmp_path / "ser"
    folder.mkdir()
    write(folder, utterances, {"s9-9": "missing: 9.wav"})
    data = read_data_dir(folder)
    assert set(data.tables) == {*REQUIRED, *EMOTION, "spk2gender", "utt2scene"}
    assert data["utt2emo"] == {"s0-0": "ang", "s0-2": "sad", "s1-1": "ang"}
    assert data["utt2emo_raw"] == {"s0-0": "angry", "s0-2": "sad", "s1-1": "cross"}
    assert data["utt2orig"] == {"s0-0": "0", "s0-2": "2", "s1-1": "1"}
    assert data["utt2session"] == {"s0-0": "1", "s0-2": "1", "s1-1": "2"}
    assert data["utt2scene"] == {"s0-0": "", "s0-2": "park", "s1-1": "park"}
    assert data["utt2dur"] == dict.fromkeys(data.utts, "0.1000")
    assert data["spk2gender"] == {"s0": "f", "s1": "m"}
    assert (folder / "excluded.tsv").read_text() == (
        "utt\treason\n"
        "s0-4\tlabel calm is in 'exclude' of labels.yaml\n"
        "s1-3\tlabel calm is in 'exclude' of labels.yaml\n"
        "s1-5\tlabel odd is in 'exclude' of labels.yaml\n"
        "s9-9\tmissing: 9.wav\n"
    )
    assert len(log.find("^left out 2: label calm .*excluded.tsv")) == 1
    assert len(log.find("^left out 1: label odd .*excluded.tsv")) == 1
    assert len(log.find("^left out 1: missing .*excluded.tsv")) == 1
    assert log.find("^3 utterances of 2 speakers: ang 2, sad 1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label": "joy"}, "the label 'joy' of s0-0: neither in a class nor in 'exclude'"),
        ({"utt": "s1-1"}, "the id s1-1 is also that of "),
        ({"wav": Path("none.wav")}, r"none\.wav: no such file, seen from .* \(s0-0\)"),
        ({"attributes": {"utt2spk": "x"}}, "utt2spk: an attribute has the name of a table"),
        ({"attributes": {"utt2emo": "x"}}, "utt2emo: an attribute has the name of a table"),
        ({"utt": "x-0"}, "the speaker s0 is no prefix of x-0"),
        ({"gender": "m"}, "s0-2: the speaker s0 is f here and m in s0-0"),
    ],
)
def test_faults_are_named_and_nothing_is_written(
    tmp_path: Path, utterances: list[EmotionUtterance], changes: dict[str, Any], said: str
) -> None:
    utterances[0] = replace(utterances[0], **changes)
    folder = tmp_path / "ser"
    folder.mkdir()
    with pytest.raises(SerError, match=said) as error:
        write(folder, utterances)
    assert "\n" not in str(error.value)
    assert not list(folder.iterdir())


def test_sexes_of_speakers(tmp_path: Path, utterances: list[EmotionUtterance], log: Any) -> None:
    """A row without one is that of its speaker; a speaker without any is told."""
    (tmp_path / "a").mkdir()
    utterances[0] = replace(utterances[0], gender="")
    write(tmp_path / "a", utterances)
    assert read_data_dir(tmp_path / "a")["spk2gender"] == {"s0": "f", "s1": "m"}
    assert not log.find("gender")
    (tmp_path / "b").mkdir()
    unknown = [replace(u, gender="") if u.spk == "s1" else u for u in utterances]
    write(tmp_path / "b", unknown)
    assert "spk2gender" not in read_data_dir(tmp_path / "b").tables
    assert log.find(r"warning: no gender of 1 of 2 speakers \(s1 the first\)")


def test_a_class_without_utterances_is_refused(
    tmp_path: Path, utterances: list[EmotionUtterance]
) -> None:
    with pytest.raises(SerError, match=r"none of 2 utterances has the class sad; .* remove the"):
        write(tmp_path, utterances[:2])


def test_unique_keeps_the_order(utterances: list[EmotionUtterance]) -> None:
    assert list(unique(utterances).values()) == utterances
