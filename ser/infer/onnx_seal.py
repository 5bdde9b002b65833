"""The digest of a whole ONNX file, in its own metadata: a flipped bit is found. Needs no onnx.

As the digests of a package it finds damage; it is no signature.
"""

import hashlib
import re
from collections.abc import Collection
from pathlib import Path

from ser.base.errors import SerError
from ser.base.log import logger

SEAL = "ser.sha256"  # the key of our metadata
UNSEALED = "0" * 64  # in place of the digest while it is taken
# The key and its value as protobuf writes them: fields 1 and 2, each after its length.
ENTRY = re.compile(rb"\x0a\x0a%b\x12\x40([0-9a-f]{64})" % re.escape(SEAL.encode()))


def seal_onnx(data: bytes) -> bytes:
    """A file whose metadata holds ``UNSEALED`` under ``SEAL``, with its digest there instead."""
    entry = _entry(data)
    assert entry is not None, "the metadata holds SEAL"
    digest = hashlib.sha256(data).hexdigest().encode()
    return data[: entry.start(1)] + digest + data[entry.end(1) :]


def check_seal(path: Path, data: bytes) -> bool:
    """Whether a file holds its digest, which files of version 0.1.0 do not.

    Args:
        path: The file, for messages.
        data: What it holds.

    Raises:
        SerError: It is not the digest of the file.
    """
    entry = _entry(data)
    if entry is None:
        return False
    digest = hashlib.sha256(data[: entry.start(1)])
    digest.update(UNSEALED.encode())
    digest.update(data[entry.end(1) :])
    if digest.hexdigest().encode() != entry[1]:
        raise _damaged(path)
    return True


def tell_unsealed(path: Path, others: Collection[str]) -> None:
    """Warns of a file without digest.

    Args:
        path: The file.
        others: Keys of its metadata that no version without digests wrote.

    Raises:
        SerError: There are some: the key of the digest is damaged.
    """
    if others:
        raise _damaged(path)
    logger.warning(
        "%s: exported without a digest by an earlier version: damage to it is not seen; "
        "export the model again",
        path,
    )


def _entry(data: bytes) -> re.Match[bytes] | None:
    """Where the digest stands: the last place, since metadata is written after the graph."""
    place = data.rfind(SEAL.encode())
    return ENTRY.match(data, place - 2) if place >= 2 else None


def _damaged(path: Path) -> SerError:
    return SerError(f"{path}: not the file that was exported (its SHA-256 differs); fetch it again")
