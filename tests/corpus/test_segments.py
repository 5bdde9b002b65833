"""Audio of pieces, pipes and videos: commands run without a shell, files have safe names."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import RAMP, samples_of

from ser.base.errors import SerError
from ser.base.files import digest_file
from ser.corpus.segments import Clip, write_clips


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("cat x.wav > y.wav |", "> needs a shell"),
        ("cat x.wav ; rm y |", "; needs a shell"),
        ("true && cat x.wav |", "&& needs a shell"),
        ("cat $HOME/x.wav |", r"\$HOME/x.wav needs a shell"),
        ("cat `ls` |", "`ls` needs a shell"),
        ("cat '' > x |", "> needs a shell"),
        ("cat x.wav || true |", r"\|\| needs a shell"),
        ("cat x.wav | | cat |", "an empty command"),
        ("|", "an empty command"),
        ("cat 'x.wav |", "No closing quotation"),
        ("/no/such/program x |", "/no/such/program: No such file or directory"),
        ("cat /no/such/file |", "ended with status 1: cat: /no/such/file: No such file"),
        ("false | cat |", "ended with status 1; expected audio"),
        ("echo hello |", r"echo hello \|: wrote 6 bytes, no audio \(a; Format not recognised"),
        ("true |", r"true \|: wrote 0 bytes, no audio"),
    ],
)
def test_commands_that_cannot_be(tmp_path: Path, command: str, message: str) -> None:
    with pytest.raises(SerError, match=message) as error:
        write_clips({"a": Clip(command)}, tmp_path / "audio", allow_pipes=True)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "audio").exists()


def test_names_with_a_number_sign(tmp_path: Path, recording: Path) -> None:
    recording.rename(tmp_path / "take#1.wav")
    clips = {"a": Clip(f"cat {tmp_path}/take#1.wav |")}
    path = write_clips(clips, tmp_path / "audio", True).files["a"]
    assert samples_of(str(path)) == RAMP.tolist()


@pytest.mark.parametrize("utt", ["../a/1", "音" * 40])
def test_an_id_that_is_no_file_name(tmp_path: Path, recording: Path, utt: str) -> None:
    paths = write_clips({utt: Clip(str(recording))}, tmp_path / "audio", False).files
    assert paths[utt].parent == tmp_path / "audio"
    assert paths[utt].is_file()


def test_a_command_that_reads_no_more_than_it_needs(tmp_path: Path, recording: Path) -> None:
    with (tmp_path / "long").open("wb") as file:
        file.truncate(10**7)
    command = f"cat {tmp_path / 'long'} | cat '{recording}' |"
    assert len(write_clips({"a": Clip(command)}, tmp_path / "audio", True).files) == 1


def test_a_rate_beyond_those_of_flac(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(1000), 768000)
    paths = write_clips({"a": Clip(str(tmp_path / "a.wav"), 0.0, 0.001)}, tmp_path / "audio", False)
    assert soundfile.info(paths.files["a"]).samplerate == 768000


def test_samples_that_are_no_numbers(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0, np.nan]), 16000, subtype="FLOAT")
    with pytest.raises(SerError, match=r"a\.wav: \d+ of \d+ samples are not finite \(a\)"):
        write_clips({"a": Clip(str(tmp_path / "a.wav"), end=0.0001)}, tmp_path / "audio", False)


@pytest.mark.long
def test_samples_beyond_full_scale_are_not_clipped(tmp_path: Path) -> None:
    loud = np.array([0.5, -2.0, 1.5, 0.0], np.float32)
    soundfile.write(tmp_path / "a.wav", loud, 16000, subtype="FLOAT")
    clips = {"a.1": Clip(str(tmp_path / "a.wav")), "b": Clip(str(tmp_path / "a.wav"), 2 / 16000)}
    digests = set()
    for anew in (False, False, True):  # the second time they are there
        if anew:
            shutil.rmtree(tmp_path / "audio")
            time.sleep(1.1)  # no time of the clock is in the files
        paths = write_clips(clips, tmp_path / "audio", False).files
        assert soundfile.read(paths["a.1"], dtype="float32")[0].tolist() == loud.tolist()
        digests.add(digest_file(paths["a.1"]))
        assert [path.name for path in paths.values()] == ["a.1.au", "b.au"]

    assert len(digests) == 1
    paths["b"].unlink()
    kept = paths["a.1"].stat().st_ino
    paths = write_clips(clips, tmp_path / "audio", False).files
    assert paths["b"].exists() and paths["a.1"].stat().st_ino == kept, "what is lost is made anew"


def test_a_folder_of_somebody_is_not_replaced(tmp_path: Path, recording: Path) -> None:
    mine = tmp_path / "set_audio" / "precious.wav"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(SerError, match="set_audio: is there and was not written by this program"):
        write_clips({"a": Clip(str(recording), 0.5)}, mine.parent, False)
    assert mine.read_bytes() == b"mine"
