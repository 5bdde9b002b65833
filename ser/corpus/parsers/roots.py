"""Where a corpus lies: the folder that is named, one above it, or one or two below."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path

from ser.base.errors import SerError, first_few
from ser.base.files import is_hidden
from ser.base.log import logger

BELOW = ("*/", "*/*/")  # what is searched, the nearest first
ARCHIVES = frozenset(".zip .tar .gz .tgz .bz2 .xz .7z .rar".split())


def holds(*patterns: str) -> Callable[[Path], bool]:
    """Tells the folders in which one of some globs finds something."""
    return lambda folder: any(True for pattern in patterns for _ in folder.glob(pattern))


def find_root(
    named: Path, expected: str, is_root: Callable[[Path], bool], parts: Iterable[str]
) -> Path:
    """The folder of a corpus: the one that is named, one or two below it, or the one above.

    It is logged where it is not the named one. Where there is none, the named one is returned:
    its reader knows what to say of it.

    Args:
        named: The path in db.sh.
        expected: What the corpus holds, for messages.
        is_root: Tells its folder from others.
        parts: What its own folders are called, as globs: above these it is looked for.

    Raises:
        SerError: Several folders below the named one are such, or it is, or holds, what is still
            to be unpacked.
    """
    if named.is_file() and named.suffix.lower() in ARCHIVES:
        raise SerError(
            f"{named}: an archive; expected a folder with {expected}; unpack it, and set the path "
            "in db.sh to the folder"
        )
    if not named.is_dir() or is_root(named):
        return named
    found = _below(named, is_root) or _above(named.absolute(), is_root, parts)
    if len(found) > 1:
        raise SerError(
            f"{named}: {len(found)} folders in it hold {expected}: {first_few(found)}; expected "
            "one; set the path in db.sh to one of them"
        )
    if found:
        logger.warning(
            "%s: the corpus lies in %s, which is read; set the path in db.sh to it",
            *(named, found[0]),
        )
        return found[0]
    refuse_archives(named, expected)
    return named


def _below(named: Path, is_root: Callable[[Path], bool]) -> list[Path]:
    for level in BELOW:
        folders = sorted(path for path in named.glob(level) if not is_hidden(path, named))
        found = [folder for folder in folders if is_root(folder)]
        if found:
            return found
    return []


def _above(named: Path, is_root: Callable[[Path], bool], parts: Iterable[str]) -> list[Path]:
    is_part = any(fnmatch(named.name, part) for part in parts)
    return [named.parent] if is_part and is_root(named.parent) else []


def refuse_archives(folder: Path, expected: str) -> None:
    """Says of a folder without audio what may be the reason.

    Raises:
        SerError: Archives lie in it.
    """
    packed = [
        path.name
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in ARCHIVES and not is_hidden(path, folder)
    ]
    if packed:
        raise SerError(
            f"{folder}: {len(packed)} archives, still packed: {first_few(packed)}; expected "
            f"{expected}; unpack them there"
        )
