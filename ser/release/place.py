"""Where a package may be written: over nothing but an earlier package."""

import contextlib
import itertools
import json
import tarfile
from fnmatch import fnmatch
from pathlib import Path

from ser.base.errors import SerError, first_few
from ser.base.files import MAX_JSON_BYTES, read_bytes
from ser.base.writing import require_own_file, require_replaceable
from ser.infer.package import MANIFEST, MAX_MEMBERS, PACKED


def require_place(out: Path) -> Path:
    """Looks whether a folder and the archive beside it may be replaced.

    Returns:
        The archive: ``<out>.tar.gz``.

    Raises:
        SerError: Something other than a package is there.
    """
    require_replaceable(out, MANIFEST)
    _require_nothing_else(out)
    archive = out.with_name(f"{out.name}.tar.gz")
    require_own_file(archive, _is_package)
    return archive


def _require_nothing_else(out: Path) -> None:
    """Checks that a folder to be replaced holds a package alone: a clone's .git would be lost."""
    if (out / MANIFEST).exists() and not is_manifest(read_bytes(out / MANIFEST)):
        raise SerError(
            f"{out}: its {MANIFEST} is that of another program, which would be lost; name another "
            "folder"
        )
    inside = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if others := [n for n in inside if not any(fnmatch(n, pattern) for pattern in PACKED)]:
        raise SerError(
            f"{out}: holds {first_few(others)}, no part of a package, which would be lost; name "
            "another folder, or move these away"
        )


def _is_package(archive: Path) -> bool:
    """Whether an archive has the manifest of a package among its few files."""
    with contextlib.suppress(tarfile.TarError, OSError, EOFError), tarfile.open(archive) as tar:
        for member in itertools.islice(tar, MAX_MEMBERS):
            if member.name.endswith(f"/{MANIFEST}") and (file := tar.extractfile(member)):
                return is_manifest(file.read(MAX_JSON_BYTES))
    return False


def is_manifest(content: bytes) -> bool:
    """Whether it is a manifest of ours: npm's file has the same name."""
    with contextlib.suppress(ValueError):
        values = json.loads(content)
        return isinstance(values, dict) and "ser_version" in values
    return False
