"""Writing files and folders: they are either whole or not there, and nothing of others is lost."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ser.base.errors import SerError, naming, reason_of
from ser.base.files import read_json
from ser.base.log import logger


def sync(path: Path) -> None:
    """Waits until a file or folder is on the disk, so that a rename after it means what it says."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def readable_by_umask(path: Path) -> Iterator[None]:
    """Gives a file that a library writes for its owner alone the mode that the umask asks for."""
    path.unlink(missing_ok=True)
    path.touch()
    mode = path.stat().st_mode
    yield
    path.chmod(mode)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields the path to write to; the file takes its name after the block, never half-written.

    Nothing stays of a block that raises, as where the disk is full.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with naming(path):
            yield partial
            sync(partial)
    except BaseException:
        with contextlib.suppress(OSError):  # that of the block is told
            partial.unlink()
        raise
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Writes a text file that is never seen half-written."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file that is never seen half-written."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def require_replaceable(folder: Path, mark: str = "run.json", stage: int | None = None) -> None:
    """Checks that a folder to be written is new, or one of ours, which is replaced.

    Args:
        folder: The folder.
        mark: A glob of the files by which one of ours is known.
        stage: Of those with a record, the one that wrote it; what others wrote is kept.

    Raises:
        SerError: Something else is there, and would be lost; or the path names no folder.
    """
    if not folder.name:
        raise SerError(f"{folder}: no name of a folder; expected one to write, as data/ser")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir() or not any(folder.glob(mark)):
        raise SerError(
            f"{folder}: is there and was not written by this program (no {mark} in it); expected a "
            "new folder, or one to replace; name another, or remove it"
        )
    if stage is not None:
        require_written_by(folder, stage)


def require_written_by(folder: Path, stage: int) -> None:
    """Checks that a folder with a record was written by a stage; a damaged record is any stage's.

    Raises:
        SerError: It has no record, or another stage wrote it.
    """
    made: object = None
    with contextlib.suppress(SerError, KeyError, TypeError):
        made = read_json(folder / "run.json")["stage"]
    if not (folder / "run.json").exists() or made not in (None, stage):
        raise SerError(
            f"{folder}: is there and was not written by stage {stage}; expected a new folder, or "
            "one to replace; name another"
        )


@contextlib.contextmanager
def sole_run(path: Path, wait: bool = False) -> Iterator[None]:
    """Locks a folder or a file for this process; a second run that writes it is refused, or waits.

    Raises:
        SerError: Another run holds it, and is not waited for.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), mode=0o666)  # less the umask
    with naming(path):  # which may lie on a file system without locks
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            if not wait:
                said = f"{path}: another run is writing here; wait for it, or end it"
                raise SerError(said) from error
            logger.info("%s: another run is writing here; waiting for it", path)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def not_written(path: Path, error: Exception) -> SerError:
    """The error where a library's writer fails without an error of the system."""
    return SerError(
        f"{path}: not written ({reason_of(error)}); expected room on the disk; free some and rerun"
    )


def require_own_file(path: Path, is_own: Callable[[Path], bool]) -> None:
    """Checks that a file to be written is new, empty, or one of ours, which is replaced.

    Args:
        path: The file.
        is_own: Whether one that is there was written by us.

    Raises:
        SerError: Something else is there, and would be lost.
    """
    if path.exists() and not (path.is_file() and (not path.stat().st_size or is_own(path))):
        raise SerError(
            f"{path}: is there and was not written by this program; expected a new file, or one to "
            "replace; name another, or remove it"
        )


def recover_folder(folder: Path) -> None:
    """Gives a folder its name back where its replacement was broken off between two renames."""
    old = folder.with_name(f".{folder.name}.old")
    if old.exists() and not folder.exists():
        old.replace(folder)


@contextlib.contextmanager
def atomic_folder(folder: Path, mark: str = "run.json", stage: int | None = None) -> Iterator[Path]:
    """Yields an empty folder that takes the place of ``folder`` when the block ends well.

    A block that raises, or a process that is killed, leaves ``folder`` as it was.

    Raises:
        SerError: As for ``require_replaceable``, or another run is writing the folder.
    """
    require_replaceable(folder, mark, stage)
    folder = folder.resolve()  # a link stays one: what it leads to is replaced
    partial = folder.with_name(f".{folder.name}.partial")
    old = folder.with_name(f".{folder.name}.old")
    with sole_run(folder):
        recover_folder(folder)  # of a run that was killed at the very end
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        with naming(folder):
            yield partial
            for path in partial.iterdir():
                sync(path)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.replace(old)
        partial.replace(folder)
        if old.exists():
            old.replace(partial)  # half removed, it must not be put back
        shutil.rmtree(partial, ignore_errors=True)
