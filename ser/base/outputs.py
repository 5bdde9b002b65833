"""What a stage has written: size and digest of every file, so that what is lost or changed is seen.

A large file, as a feature archive is, is checked by its size and a digest of blocks of it, spread
evenly: a changed block elsewhere passes. Its digest as a whole is recorded too, for whoever wants
to look (``ser.bin.doctor --whole``).
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ser.base.files import digest_file

WHOLE_BYTES = 64 << 20  # up to here a file is read whole
BLOCK_BYTES = 16 << 10
NUM_BLOCKS = 256
NOT_OUTPUTS = ("run.json", "started.json")  # the record itself
LOGS = {".log", ".jsonl"}


def outputs_in(folder: Path) -> list[Path]:
    """The files of a finished folder, without logs, hidden files and folders in it."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and path.name not in NOT_OUTPUTS
        and path.suffix not in LOGS
        and not path.name.startswith(".")
    )


def seal(folder: Path, paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Size and digests of files, by their names from the folder, as ``faults`` compares them."""
    sealed: dict[str, dict[str, Any]] = {}
    for path in paths:
        size = path.stat().st_size
        entry: dict[str, Any] = {"bytes": size, "sha256": digest_file(path)}
        if size > WHOLE_BYTES:
            entry["sample"] = digest_blocks(path)
        sealed[path.relative_to(folder).as_posix()] = entry
    return sealed


def faults(folder: Path, sealed: Mapping[str, Mapping[str, Any]], whole: bool = False) -> list[str]:
    """What is wrong with the files of a folder, in words; nothing where all are as written.

    Args:
        folder: Holds them.
        sealed: Of ``seal``.
        whole: Whether large files are read whole.
    """
    found = []
    for name, entry in sealed.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
            continue
        stat = path.stat()
        if stat.st_size != entry["bytes"]:
            found.append(f"{name} has {stat.st_size} bytes instead of {entry['bytes']}")
            continue
        kind = "sample" if "sample" in entry and not whole else "sha256"
        if _digest(path.resolve(), kind, stat.st_mtime_ns, stat.st_size) != entry[kind]:
            found.append(f"{name} was changed")
    return found


def digest_blocks(path: Path) -> str:
    """SHA-256 of ``NUM_BLOCKS`` blocks of a file, the first and the last among them."""
    digest = hashlib.sha256()
    last = path.stat().st_size - BLOCK_BYTES
    with path.open("rb") as stream:
        for number in range(NUM_BLOCKS):
            stream.seek(last * number // (NUM_BLOCKS - 1))
            digest.update(stream.read(BLOCK_BYTES))
    return digest.hexdigest()


@lru_cache(maxsize=4096)
def _digest(path: Path, kind: str, mtime_ns: int, size: int) -> str:
    """A file's digest, read once in a process as long as the file stays as it is."""
    return digest_blocks(path) if kind == "sample" else digest_file(path)
