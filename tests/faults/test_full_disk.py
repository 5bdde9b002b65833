"""A full disk is named, with what to do, and nothing half-written is left."""

import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.audio.writing import write_audio
from ser.base.errors import describe, run_program
from ser.base.log import log_to_file, logger
from ser.base.writing import write_json, write_text
from ser.kaldi.ark import ArkWriter


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
    logger.setLevel("INFO")
    reason = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "model.safetensors")
    with pytest.raises(OSError) as error, log_to_file(tmp_path / "train.log"):
        logger.info("epoch 1")
        logger.info("epoch 2")
        raise reason
    assert error.value is reason
    said = capsys.readouterr().err
    assert said.startswith(f"warning: {tmp_path / 'train.log'}: No space left on device; free some")
    assert said.count("\n") == 1 and "Traceback" not in said


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    """A disk that is full, for libraries in C too, which ``disk.py`` does not see."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("flac", "PCM_24"), ("au", "FLOAT"), ("wav", None)]
)
@pytest.mark.parametrize("missing", [1, 100, 10_000])
def test_audio_is_written_whole_or_not_at_all(
    tmp_path: Path, suffix: str, subtype: str | None, missing: int
) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 16000).astype(np.float32)
    write_audio(tmp_path / f"whole.{suffix}", samples, 16000, subtype)
    size = (tmp_path / f"whole.{suffix}").stat().st_size
    path = tmp_path / f"cut.{suffix}"
    with files_of_at_most(size - missing), pytest.raises(OSError) as error:
        write_audio(path, samples, 16000, subtype)
    assert describe(error.value).startswith(f"{path}: File too large")
    assert [p.name for p in tmp_path.iterdir()] == [f"whole.{suffix}"]
    write_audio(path, samples, 16000, subtype)
    heard, _ = soundfile.read(path)
    assert heard == pytest.approx(samples, abs=1e-4)
