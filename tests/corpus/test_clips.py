"""Audio out of pieces, pipes and films: commands are run without a shell, files have safe names."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import RAMP, samples_of

from ser.base.errors import SerError
from ser.corpus.clips import Clip, write_clips


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
        ("echo hello |", "not readable as audio"),
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
    path = write_clips(clips, tmp_path / "audio", True)["a"]
    assert samples_of(str(path)) == RAMP.tolist()


@pytest.mark.parametrize("utt", ["../a/1", "音" * 40])
def test_an_id_that_is_no_file_name(tmp_path: Path, recording: Path, utt: str) -> None:
    paths = write_clips({utt: Clip(str(recording))}, tmp_path / "audio", False)
    assert paths[utt].parent == tmp_path / "audio"
    assert paths[utt].is_file()


def test_samples_that_are_no_numbers(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0, np.nan]), 16000, subtype="FLOAT")
    with pytest.raises(SerError, match=r"a\.wav: samples that are not finite \(a\)"):
        write_clips({"a": Clip(str(tmp_path / "a.wav"), end=0.0001)}, tmp_path / "audio", False)
