"""Reading files: bounded, regular ones only, and one error for whatever a parser raises."""

import contextlib
import functools
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ser.base.errors import SerError, reason_of, shortened

MAX_TEXT_BYTES = 1 << 30  # a table of some million utterances
MAX_JSON_BYTES = 256 << 20  # the record of some hundred thousand clips
DAMAGED = "the file was cut or edited; remove it and rerun the stage that writes it"
LFS_POINTER = b"version https://git-lfs"
Form = TypeVar("Form")


def require_fetched(path: Path) -> None:
    """Checks that a file is itself and not what Git LFS leaves in its place.

    Raises:
        SerError: It is such a pointer.
    """
    with path.open("rb") as stream:
        if stream.read(len(LFS_POINTER)) == LFS_POINTER:
            raise SerError(
                f"{path}: a pointer of Git LFS; expected the file that it stands for; run git lfs "
                "pull in its folder"
            )


def regular_size(path: Path) -> int:
    """Bytes of a regular file: a pipe would be waited for, and a device has no end.

    Raises:
        OSError: It is missing.
        ValueError: It is a folder, a pipe, a socket or a device, or its name holds a NUL.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("no regular file")
    return found.st_size


def require_regular(path: Path) -> int:
    """As ``regular_size``, for whoever reads a text file.

    Raises:
        SerError: There is no regular file.
    """
    try:
        return regular_size(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SerError(f"{path}: no such file; expected a text file; check the path") from error
    except (ValueError, OSError) as error:  # a NUL or half a character; too long; no permission
        reason = error.strerror if isinstance(error, OSError) else error
        raise SerError(f"{ascii(str(path))[1:-1]}: {reason}; expected a file to read") from error


def read_bytes(path: Path, most: int = MAX_TEXT_BYTES) -> bytes:
    """Reads a regular file of at most so many bytes.

    Raises:
        SerError: It is missing, is no regular file, or is larger.
    """
    size = require_regular(path)
    if size <= most:
        with path.open("rb") as stream:
            content = stream.read(most + 1)  # what /proc shows has no size
        size = max(size, len(content))
    if size > most:
        raise SerError(f"{path}: {size} bytes; expected at most {most}; is it the right file?")
    return content


def read_text(path: Path, most: int = MAX_TEXT_BYTES) -> str:
    """Reads a UTF-8 text file, its line ends as they are.

    Raises:
        SerError: As for ``read_bytes``, or it is not UTF-8.
    """
    content = read_bytes(path, most)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        other = "UTF-16" if b"\0" in content else "WINDOWS-1252"
        raise SerError(
            f"{path}: byte {error.start} is not UTF-8 (line {line}); expected UTF-8 text; save it "
            f"so, or convert it, as by iconv -f {other} -t UTF-8 if that is what it is in"
        ) from error


@contextlib.contextmanager
def parsing(where: object, what: str, remedy: str, part: str = "") -> Iterator[None]:
    """One line for whatever a file makes a parser stumble over.

    Parsers of other people raise almost anything at what is damaged or hostile (``KeyError``,
    ``OverflowError``, ``MemoryError``, recursion): a list of types would not be whole.

    Args:
        where: The file, for the message.
        what: What it should be.
        remedy: What to do.
        part: Which part of the file.

    Raises:
        SerError: The block failed.
    """
    try:
        yield
    except SerError:
        raise
    except Exception as error:
        why = first_fault(error) if isinstance(error, ValidationError) else reason_of(error)
        reason = f"{part}; {why}" if part else why
        raise SerError(f"{where}: {what} ({reason}); {remedy}") from error


def first_fault(error: ValidationError) -> str:
    """The first key that pydantic finds wrong, and why, in a few words."""
    first = error.errors(include_url=False)[0]
    said = shortened(first["msg"].removeprefix("Value error, "))
    key = shortened(".".join(map(str, first["loc"])))
    return f"'{key}': {said}" if key else said


def parse_json(text: str, where: object, remedy: str = DAMAGED) -> Any:
    """Reads JSON.

    Raises:
        SerError: It is not JSON, nested beyond measure, or holds half a character, which no file
            can be written with.
    """
    with parsing(where, "not JSON", remedy):
        try:
            value = json.loads(text)
            if "\\u" in text:
                json.dumps(value, ensure_ascii=False).encode()
        except json.JSONDecodeError as error:
            raise SerError(f"{where}:{error.lineno}: not JSON ({error.msg}); {remedy}") from error
    return value


def read_json(path: Path, remedy: str = DAMAGED) -> Any:
    """Reads a JSON file.

    Args:
        path: The file.
        remedy: What to do where it was cut or edited.

    Raises:
        SerError: As for ``read_text`` and ``parse_json``.
    """
    return parse_json(read_text(path, MAX_JSON_BYTES), path, remedy)


def read_json_as(path: Path, kind: type[Form], written_by: str, remedy: str | None = None) -> Form:
    """Reads a JSON file of a known form.

    Args:
        path: The file.
        kind: A ``TypedDict``; keys that it does not name may stand there too.
        written_by: What writes the file, for messages.
        remedy: What to do where the file is damaged (remove it and rerun the stage).

    Raises:
        SerError: As for ``read_json``, or a key is missing or of another type.
    """
    values: Form = read_json(path, remedy or DAMAGED)
    try:
        # mypy takes the class of a TypedDict for one of its dicts, which have no hash.
        _adapter(kind).validate_python(values, strict=True)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SerError(
            f"{path}: {first_fault(error)}; expected what {written_by} writes; "
            f"{remedy or 'remove the file and rerun the stage'}"
        ) from error
    return values


@functools.cache  # to make one takes longer than to read the file
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def digest_json(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def with_digest(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values with the digest of all the others under ``digest``."""
    rest = {key: value for key, value in values.items() if key != "digest"}
    return {**rest, "digest": digest_json(rest)}


def digest_holds(values: Mapping[str, Any]) -> bool:
    """Whether JSON values hold the digest of the others, as ``with_digest`` gave it to them."""
    try:
        return values == with_digest(values)
    except UnicodeEncodeError:  # half a character, which JSON can escape, never had a digest
        return False


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        SerError: It is no regular file: a pipe or a device has no end.
    """
    if path.exists() and not path.is_file():
        raise SerError(f"{path}: no regular file; expected a file to read; name another")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_hidden(path: Path, root: Path) -> bool:
    """Whether a name below a folder begins with a dot, or is what archives of macOS bring along."""
    return any(map(_is_hidden, path.relative_to(root).parts))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def walk_visible(
    root: Path, on_error: Callable[[OSError], None]
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """``os.walk`` without what is hidden, as deleted files in ``.Trashes`` are.

    Args:
        root: Where it begins; this folder may itself be hidden.
        on_error: Told of a folder that cannot be read.
    """
    for place, folders, names in os.walk(root, onerror=on_error):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        yield Path(place), folders, [name for name in names if not _is_hidden(name)]
