"""What ``ser-predict`` is given: files, folders, ``wav.scp``."""

from collections.abc import Sequence
from pathlib import Path

from ser.base.errors import SerError
from ser.kaldi.audio import EXTENSIONS
from ser.kaldi.table import read_table


def audio_inputs(inputs: Sequence[str]) -> list[Path]:
    """The audio files that some inputs name, in their order; those of a folder sorted.

    Raises:
        SerError: A folder holds no audio, a ``wav.scp`` holds a command, or ``-`` is not alone.
    """
    paths: list[Path] = []
    for text in inputs:
        path = Path(text)
        if text == "-":
            raise SerError("-: standard input stands alone; expected no other INPUT beside it")
        if path.is_dir():
            found = [
                p
                for p in sorted(path.rglob("*"))
                if p.suffix.lower() in EXTENSIONS and not p.name.startswith("._") and p.is_file()
            ]
            if not found:
                raise SerError(f"{path}: 0 audio files in it; expected some; name another folder")
            paths += found
        elif path.suffix == ".scp":
            found = _listed(path)
            if not found:
                raise SerError(f"{path}: 0 lines; expected 'id path' lines; write some")
            paths += found
        else:
            paths.append(path)
    return paths


def _listed(path: Path) -> list[Path]:
    table = read_table(path)
    command = next((value for value in table.values() if value.endswith("|")), None)
    if command:
        raise SerError(
            f"{path}: a command, '{command}'; commands are not run here; expected audio files"
        )
    return [Path(value) for value in table.values()]
