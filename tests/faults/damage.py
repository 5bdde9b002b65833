"""Faults as small functions: each makes one, in the experiment that is the current directory."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import soundfile
from disk import Disk
from experiment import RATE, change_yaml, do

from ser.base.errors import SerError
from ser.base.outputs import seal
from ser.base.record import read_record
from ser.base.writing import sole_run, write_json

Fault = Callable[[], AbstractContextManager[object] | None]


def nothing() -> None:
    """The fault is in the words of the call."""


def gone(name: str) -> Fault:
    """A file or folder is missing."""
    path = Path(name)
    return lambda: shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut(name: str, size: int | None = None) -> Fault:
    """A file ends early, in its middle unless its size is given."""
    path = Path(name)

    def make() -> None:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2 if size is None else size])

    return make


def flipped(name: str) -> Fault:
    """One bit in the middle of a file is another."""
    path = Path(name)

    def make() -> None:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    return make


def replaced(name: str, old: str, new: str) -> Fault:
    """A text stands for another, once."""
    path = Path(name)

    def make() -> None:
        text = path.read_text()
        assert old in text, (name, old)
        path.write_text(text.replace(old, new, 1))

    return make


def holds(name: str, data: bytes) -> Fault:
    """A file, new or not, holds something else."""

    def make() -> None:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)

    return make


def key(name: str, **values: object) -> Fault:
    """Keys of a configuration have other values, or are there."""
    return partial(change_yaml, name, **values)


def audio(name: str, num_samples: int, level: float = 0.1) -> Fault:
    """A recording is another one."""

    def make() -> None:
        noise = np.random.default_rng(9).normal(0, level, num_samples)
        soundfile.write(name, noise, RATE, subtype="FLOAT" if level != level else "PCM_16")

    return make


def sealed(folder: str, make: Fault) -> Fault:
    """A fault in a finished folder whose record says that its stage wrote it so."""

    def make_and_seal() -> None:
        make()
        record = read_record(Path(folder))
        record["outputs"] = seal(Path(folder), [Path(folder, name) for name in record["outputs"]])
        write_json(Path(folder) / "run.json", record)

    return make_and_seal


def both(*faults: Fault) -> Fault:
    """One after the other."""

    def make() -> None:
        for fault in faults:
            fault()

    return make


def held(folder: str) -> Fault:
    """Another run is writing there."""
    return lambda: sole_run(Path(folder))


def failing(path: str, code: int) -> Fault:
    """The disk refuses from the first write on to a path with this part."""
    return lambda: Disk(Path(), 1, code, only=path).watched()


def interrupted(call: str, then: Fault) -> Fault:
    """A training run was broken off behind its last checkpoint, and something happened to that."""

    def make() -> None:
        with patch("ser.train.engine.loop.save_weights", side_effect=SerError("broken off")):
            assert do(call).status == 1
        then()

    return make


@contextmanager
def made(fault: Fault) -> Iterator[None]:
    """The fault is there within the block; one in files stays."""
    lasting = fault()
    if lasting is None:
        yield
    else:
        with lasting:
            yield
