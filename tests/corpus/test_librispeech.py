"""LibriSpeech's tree: any audio that can be read, and nothing lost in silence."""

from pathlib import Path
from typing import Any

import pytest

from ser.base.errors import SerError
from ser.base.record import require
from ser.corpus.parsers.librispeech import ReadUtterance, missing_subsets, read_librispeech
from ser.corpus.prepare import prepare_librispeech
from ser.kaldi.data_dir import read_data_dir


def plant(root: Path, chapter: str, transcripts: str, *audio: str) -> Path:
    """A chapter (``subset/speaker/chapter``) by hand."""
    folder = root / chapter
    folder.mkdir(parents=True)
    _, spk, number = chapter.split("/")
    (folder / f"{spk}-{number}.trans.txt").write_bytes(transcripts.encode())
    for name in audio:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("extension", ["flac", "wav", "opus", "ogg", "FLAC", "mp3"])
def test_any_audio_extension(tmp_path: Path, extension: str) -> None:
    folder = plant(
        tmp_path, "train/19/198", "19-198-0000 HELLO YOU\n", f"19-198-0000.{extension}", "notes.txt"
    )
    assert read_librispeech(tmp_path, ["train"]) == [
        ReadUtterance("19-198-0000", "19", folder / f"19-198-0000.{extension}", "HELLO YOU")
    ]


def test_order_line_ends_and_files_beside(tmp_path: Path) -> None:
    folder = plant(
        tmp_path, "train/19/198", "19-198-0000 A B\r\n19-198-0001 DON'T\r\n19-198-0002",
        "19-198-0000.flac", "19-198-0001.flac", "19-198-0002.flac", "._19-198-0000.flac",
    )  # fmt: skip
    (tmp_path / "train" / "19" / "._198").touch()
    (tmp_path / "train" / "SPEAKERS.TXT").touch()
    assert read_librispeech(tmp_path, ["absent", "train"]) == [
        ReadUtterance(f"19-198-000{i}", "19", folder / f"19-198-000{i}.flac", words)
        for i, words in enumerate(["A B", "DON'T", ""])
    ]


@pytest.mark.parametrize(
    ("transcripts", "audio", "said"),
    [
        ("1-2-0 A\n1-2-1 B\n", ["1-2-0.flac"], "{folder}: 1-2-1 has a transcript and no audio;"),
        ("1-2-0 A\n", ["1-2-0.flac", "1-2-1.flac"], "{folder}/1-2-1.flac: no transcript in 1-2.tr"),
        ("1-2-0 A\n1-2-0 A\n", ["1-2-0.flac"], "{folder}/1-2.trans.txt:2: '1-2-0' is double"),
        ("1-3-0 A\n", ["1-3-0.flac"], "{folder}/1-2.trans.txt:1: '1-3-0' is double or not of this"),
        ("1-2-0 A\n", ["1-2-0.flac", "1-2-0.wav"], "{folder}/1-2-0.wav: 1-2-0.flac has the same"),
    ],
)
def test_faults_are_named(tmp_path: Path, transcripts: str, audio: list[str], said: str) -> None:
    folder = plant(tmp_path, "train/1/2", transcripts, *audio)
    with pytest.raises(SerError) as error:
        read_librispeech(tmp_path, ["train"])
    assert str(error.value).startswith(said.format(folder=folder))


def test_an_id_in_two_subsets_is_refused(tmp_path: Path) -> None:
    for subset in ("a", "b"):
        plant(tmp_path, f"{subset}/1/2", "1-2-0 A\n", "1-2-0.flac")
    with pytest.raises(SerError, match=r"b/1/2/1-2-0\.flac: the id 1-2-0 is also that of .*a/1/2"):
        read_librispeech(tmp_path, ["a", "b"])


def test_missing_subsets(tmp_path: Path) -> None:
    plant(tmp_path, "b/1/2", "1-2-0 A\n", "1-2-0.flac")
    assert missing_subsets(tmp_path, ["b"]) == []
    assert missing_subsets(tmp_path, ["a", "b", "c"]) == ["a", "c"]
    with pytest.raises(SerError, match=f"{tmp_path}: holds none of a, c"):
        missing_subsets(tmp_path, ["a", "c"])
    with pytest.raises(SerError, match=f"{tmp_path / 'none'}: no such folder.*set LIBRISPEECH"):
        missing_subsets(tmp_path / "none", ["b"])


def test_real_train_clean_5(real_data: Path) -> None:
    utterances = read_librispeech(real_data / "LibriSpeech", ["train-clean-5"])
    assert len(utterances) == len({u.utt for u in utterances}) == 1519
    assert len({u.spk for u in utterances}) == 28
    assert all(set(u.transcript) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ' ") for u in utterances)
    assert all(u.transcript for u in utterances)


def test_from_the_tree_to_data_directories(generated: Path, tmp_path: Path, log: Any) -> None:
    train, valid = tmp_path / "asr_train", tmp_path / "asr_valid"
    subsets = ["train-clean-100", "train-other-500"]
    valid_subsets = ["dev-clean", "dev-other"]
    prepare_librispeech(generated / "LibriSpeech", train, valid, subsets, valid_subsets, [])
    assert len(read_data_dir(train).utts) + len(read_data_dir(valid).utts) == 60
    (warning,) = log.find("^warning: ")
    assert "the subsets train-other-500, dev-other are missing" in warning
    # pre-training asks for the subsets that it trains on
    assert require(train, 0)["notes"] == {"missing_subsets": ["train-other-500"]}
    assert require(valid, 0)["notes"] == {"missing_subsets": ["dev-other"]}


def test_validation_speakers_of_the_training_subsets(generated: Path, tmp_path: Path) -> None:
    train, valid = tmp_path / "asr_train", tmp_path / "asr_valid"
    root = generated / "LibriSpeech"
    readers = sorted(path.name for path in (root / "train-clean-100").iterdir())
    prepare_librispeech(root, train, valid, ["train-clean-100"], [], readers[:2])
    assert set(read_data_dir(valid)["utt2spk"].values()) == set(readers[:2])
    assert set(read_data_dir(train)["utt2spk"].values()) == set(readers[2:])
    with pytest.raises(SerError, match=r"asr_train.*: no utterances"):
        prepare_librispeech(root, train, valid, ["train-clean-100"], [], readers)
    assert set(read_data_dir(train)["utt2spk"].values()) == set(readers[2:])  # as it was


@pytest.mark.parametrize(
    ("train", "valid", "speakers", "said"),
    [
        (["train-clean-100"], [], [], "no utterance to validate on"),
        (["train-clean-100"], ["dev-other"], [], "holds none of dev-other"),
        (["train-other-500"], ["dev-clean"], [], "holds none of train-other-500"),
        (["train-clean-100"], [], ["9"], "the validation speaker 9 is not in the subsets read"),
        (
            ["dev-clean"],
            ["dev-clean"],
            [],
            r"LibriSpeech: \d+.*: speakers to train on and",
        ),
    ],
)
def test_subsets_and_speakers_that_do_not_fit(
    generated: Path,
    tmp_path: Path,
    train: list[str],
    valid: list[str],
    speakers: list[str],
    said: str,
) -> None:
    folders = tmp_path / "asr_train", tmp_path / "asr_valid"
    with pytest.raises(SerError, match=said):
        prepare_librispeech(generated / "LibriSpeech", *folders, train, valid, speakers)
    assert not folders[0].exists()
    assert not folders[1].exists()
