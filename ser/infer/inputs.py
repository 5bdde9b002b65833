"""What ``ser-predict`` is given: files, folders, ``wav.scp``."""

import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ser.audio.containers import HINT, has_pyav, needs_pyav
from ser.audio.reading import EXTENSIONS, OTHER_EXTENSIONS
from ser.base.errors import SerError
from ser.base.files import read_bytes, walk_visible
from ser.base.log import logger

TABLES = (".csv", ".tsv", ".xlsx")
BLANKS = re.compile("[ \t]+")  # between id and path; a no-break space is part of a name


@dataclass(frozen=True)
class AudioInput:
    """A file to predict.

    Attributes:
        path: Where it lies.
        utt: Its id in the ``wav.scp`` that names it.
    """

    path: Path
    utt: str | None = None


def audio_inputs(inputs: Sequence[str]) -> tuple[list[AudioInput], list[SerError]]:
    """The audio files that some inputs name, in their order; those of a folder sorted.

    Returns:
        The files, and what is wrong with folders that cannot be looked into and with lines that
        name no file.

    Raises:
        SerError: A folder holds no audio, a ``wav.scp`` holds a command or no lines, or ``-`` is
            not alone.
    """
    found: list[AudioInput] = []
    faults: list[SerError] = []
    for text in inputs:
        path = Path(text)
        if not text:
            raise SerError("'': an empty INPUT; expected a file or a folder; is a variable unset?")
        if text == "-":
            raise SerError("-: standard input stands alone; expected no other INPUT beside it")
        if _is_folder(path):
            paths, hidden = _search(path)
            if not paths and not hidden:
                raise SerError(f"{path}: 0 audio files in it; name another folder")
            found += map(AudioInput, paths)
            faults += hidden
        elif path.suffix.lower() in TABLES and path.is_file():
            faults.append(
                SerError(
                    f"{path}: a table; expected audio, a folder or a wav.scp; write the paths into "
                    "a wav.scp, a line each: id path"
                )
            )
        elif path.suffix == ".scp":
            listed, wrong = _listed(path)
            found += listed
            faults += wrong
        else:
            found.append(AudioInput(path))
    return found, faults


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # reading it will say so: no permission, a name that is too long
        return False


def _search(folder: Path) -> tuple[list[Path], list[SerError]]:
    """The audio files below a folder, and the folders that may not be looked into."""
    errors: list[OSError] = []
    files: list[Path] = []
    links: list[Path] = []
    for place, folders, names in walk_visible(folder, errors.append):
        files += [place / name for name in names]
        links += [path for name in folders if (path := place / name).is_symlink()]
    if links:
        logger.warning(
            "%s: %s links to folders are not followed, %s the first; give them too",
            *(folder, len(links), min(links)),
        )
    videos = [path for path in files if needs_pyav(path)]
    paths = [path for path in files if path.suffix.lower() in EXTENSIONS]
    if unread := sorted({p.suffix.lower() for p in files if p.suffix.lower() in OTHER_EXTENSIONS}):
        logger.warning(
            "%s: passed over files of formats of which a cut cannot be seen (%s); convert "
            "them to WAV",
            *(folder, " ".join(unread)),
        )
    if has_pyav():
        paths += videos
    elif videos:
        kinds = sorted({path.suffix.lower() for path in videos})
        logger.warning(
            "%s: passed over %s files (%s); PyAV reads them: %s",
            folder,
            len(videos),
            " ".join(kinds),
            HINT,
        )
    faults = [
        SerError(
            f"{error.filename}: not searched ({error.strerror}); expected a folder that you may "
            "look into; change its permissions"
        )
        for error in errors
    ]
    return sorted(filter(_may_be_audio, paths)), faults


def _may_be_audio(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except PermissionError:  # reading it will say so
        return True
    except OSError:  # a link to nowhere
        return False


def _listed(path: Path) -> tuple[list[AudioInput], list[SerError]]:
    """The lines ``id path`` of a ``wav.scp``, in whatever order; spaces or a tab in between."""
    text = read_bytes(path).decode(errors="surrogateescape")  # of file names
    found, faults = [], []
    line_of: dict[str, int] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if not line.strip():
            continue
        utt, *rest = BLANKS.split(line.strip(" \t\r"), maxsplit=1)
        if not rest:
            fault = f"{path}:{number}: '{utt}' alone; expected 'id path'; correct the line"
            faults.append(SerError(fault))
            continue
        if rest[0].endswith("|"):
            raise SerError(
                f"{path}:{number}: a command, '{rest[0]}'; commands are not run here; expected "
                "audio files"
            )
        if "\0" in rest[0]:
            fault = f"{path}:{number}: '{rest[0]}'; expected a path, which holds no NUL"
            faults.append(SerError(f"{fault}; correct the line"))
            continue
        if (first := line_of.setdefault(utt, number)) != number:
            fault = f"{path}:{number}: the id {utt} is also that of line {first}; expected it once"
            faults.append(SerError(f"{fault}; correct the line"))
            continue
        found.append(AudioInput(Path(rest[0]), utt))
    if not found and not faults:
        raise SerError(f"{path}: 0 lines; expected 'id path' lines; write some")
    return found, faults
