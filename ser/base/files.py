"""Files and folders that are either whole or not there."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ser.base.errors import SerError, naming


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


def write_text(path: Path, text: str) -> None:
    """Writes a text file that is never seen half-written."""
    partial = path.with_name(f".{path.name}.partial")
    with naming(path):
        partial.write_text(text, encoding="utf-8", newline="\n")
        sync(partial)
    partial.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file that is never seen half-written."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_text(path: Path) -> str:
    """Reads a UTF-8 text file, its line ends as they are.

    Raises:
        SerError: It is missing, or it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SerError(f"{path}: no such file; expected a text file; check the path") from error
    except UnicodeDecodeError as error:
        raise SerError(
            f"{path}: byte {error.start} is not UTF-8; expected UTF-8 text; convert the file"
        ) from error


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        SerError: It is missing or is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise SerError(
            f"{path}:{error.lineno}: not JSON ({error.msg}); the file was cut or edited; "
            "remove it and rerun the stage that writes it"
        ) from error


def require_replaceable(folder: Path, mark: str = "run.json") -> None:
    """Holds a folder that is to be written to being new, or one that we wrote: it is replaced.

    Args:
        folder: The folder.
        mark: A glob of the files by which one of ours is known.

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


@contextlib.contextmanager
def whole_folder(folder: Path, mark: str = "run.json") -> Iterator[Path]:
    """Yields an empty folder that takes the place of ``folder`` when the block ends well.

    A block that raises, or a process that is killed, leaves ``folder`` as it was.

    Raises:
        SerError: As for ``require_replaceable``.
    """
    require_replaceable(folder, mark)
    folder = folder.resolve()  # a link stays one: what it leads to is replaced
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    for path in partial.iterdir():
        sync(path)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    partial.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def digest_json(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
