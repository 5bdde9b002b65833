"""RAVDESS: all of a file's name is read, and no other name is."""

from collections import Counter
from pathlib import Path

import pytest

from ser.base.errors import SerError
from ser.corpus.parsers.ravdess import read_ravdess
from ser.corpus.same_audio import same_audio


def plant(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_fields_of_a_name(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "Actor_12/03-01-05-02-02-01-12.wav",
        "Actor_07/03-01-01-01-01-02-07.flac",
        "Actor_07/._03-01-01-01-01-02-07.flac",
        "Actor_07/notes.txt",
        "README.md",
    )
    man, woman = read_ravdess(tmp_path).utterances
    assert (man.utt, man.utt_orig) == ("07-03-01-01-01-01-02-07", "03-01-01-01-01-02-07")
    assert (man.spk, man.gender, man.session, man.label) == ("07", "m", "7", "neutral")
    assert man.transcript == "KIDS ARE TALKING BY THE DOOR"
    assert (woman.spk, woman.gender, woman.session, woman.label) == ("12", "f", "12", "angry")
    assert woman.transcript == "DOGS ARE SITTING BY THE DOOR"
    assert woman.attributes == {
        "utt2scene": "statement02",
        "utt2type": "scripted",
        "utt2intensity": "strong",
    }
    assert woman.wav == tmp_path / "Actor_12/03-01-05-02-02-01-12.wav"


@pytest.mark.parametrize(
    "name",
    [
        "Actor_07/03-01-09-01-01-01-07.wav",  # no such emotion
        "Actor_07/03-01-01-03-01-01-07.wav",  # intensity
        "Actor_07/03-01-01-01-03-01-07.wav",  # statement
        "Actor_07/03-01-01-01-01-01-08.wav",  # another's folder
        "Actor_07/03-01-01-02-01-01-07.wav",  # nobody is neutral with force
        "Actor_07/03-01-01-01-01-09-07.wav",  # repetition
        "Actor_99/03-01-01-01-01-01-99.wav",  # nobody
        "Actor_00/03-01-01-01-01-01-00.wav",
        "Actor_07/03-01-01-01-01-07.wav",
        "Actor_07/03-01-01-01-01-0 1-07.wav",
        "Actor_ab/03-01-01-01-01-01-ab.wav",
        "Actor_07/hello.wav",
    ],
)
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    plant(tmp_path, "Actor_07/03-01-01-01-01-01-07.wav", name)
    with pytest.raises(SerError, match=f"{tmp_path / name}: not a name of RAVDESS speech"):
        read_ravdess(tmp_path)


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(SerError, match=r"none: no such folder.*set the path in db.sh"):
        read_ravdess(tmp_path / "none")
    (tmp_path / "Actor_01").mkdir()
    with pytest.raises(SerError, match=r"0 audio files of \*\*/Actor_\*/\*; expected Actor_01"):
        read_ravdess(tmp_path)


def test_real_ravdess(real_data: Path) -> None:
    utterances = read_ravdess(real_data / "ravdess").utterances
    assert len(utterances) == len({u.utt for u in utterances}) == 1440
    assert Counter(u.spk for u in utterances) == {f"{actor:02d}": 60 for actor in range(1, 25)}
    assert Counter(u.gender for u in utterances) == {"f": 720, "m": 720}
    expected = dict.fromkeys(
        ("calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"), 192
    )
    assert Counter(u.label for u in utterances) == {**expected, "neutral": 96}
    wavs = {u.utt: u.wav for u in utterances}
    same, _ = same_audio(wavs)
    assert {utt: first for utt, first in same.items() if utt != first} == {
        "07-03-01-03-01-02-02-07": "07-03-01-03-01-02-01-07"
    }
