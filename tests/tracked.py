"""The project's own files: not what its user added, such as a recipe, nor what recipes wrote."""

import subprocess
from pathlib import Path

import ser

ROOT = Path(ser.__file__).parents[1]
_said = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
FILES = {ROOT / name for name in _said.decode().split("\0") if name}
FOLDERS = {folder for file in FILES for folder in file.parents}


def own(folder: Path, *patterns: str) -> list[Path]:
    """The files and folders that fit a pattern and are in the repository, sorted."""
    return sorted({path for p in patterns for path in folder.glob(p)} & (FILES | FOLDERS))
