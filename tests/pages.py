"""The pages of the project, and the commands that they tell a reader to type."""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tracked import ROOT, own

PATTERNS = ("*.md", "egs/**/*.md", "ser/*/*.md", "tools/*/*.md", "tests/*.md")
NO_PAGES = {"RESULTS.md", "card.md", "uses.md"}  # what stage 6 writes; a template and its part


PAGES = [page for page in own(ROOT, *PATTERNS) if page.name not in NO_PAGES]

RECORDER = """#!/usr/bin/env bash
line=$(printf '%q ' "$PWD" "${0##*/}" "$(cd "$(dirname "$0")" && pwd)" "$@")
echo "$line" >>"$RECORD" # at once: the programs of a pipe run side by side
"""
NAMES = ("python", "pip", "ser-predict", "git", "arecord")
SCRIPTS = ("tools/activate.sh", "tools/check.sh", "tools/gpu.sh", "tests/slurm/run.sh")


def read(page: Path) -> str:
    """A page's name below the top, for ids of tests."""
    return str(page.relative_to(ROOT))


@dataclass(frozen=True)
class Typed:
    """A command as the shell has it.

    Attributes:
        folder: Where it is typed, below the top.
        name: The program's name.
        home: The folder of the program, below the top.
        words: Its arguments.
    """

    folder: Path
    name: str
    home: Path
    words: list[str]


def plant(top: Path) -> None:
    """A checkout whose programs only note how they are called; recipes and their conf are real."""
    made = shutil.ignore_patterns("corpus", "data", "dump", "exp*")
    shutil.copytree(ROOT / "egs", top / "egs", symlinks=True, ignore=made)
    for name in NAMES:
        _record(top / "programs" / name)
    for name in SCRIPTS:
        _record(top / name)
    (top / "tools" / "activate.sh").write_text("")  # which is sourced
    shutil.copy(ROOT / "tools" / "new_recipe.sh", top / "tools")
    for script in (top / "egs").glob("*/run.sh"):
        if not script.is_symlink():
            _record(script)


def _record(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RECORDER)
    path.chmod(0o755)


def blocks(page: Path) -> list[str]:
    """The shell blocks of a page."""
    return re.findall(r"```sh\n(.*?)```", page.read_text(), re.S)


def spans(page: Path) -> list[str]:
    """The whole commands in its running text; one with ``...`` or a name in capitals is a form."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    found = re.findall(r"`((?:\./run\.sh|python -m ser\.bin\.\w+) [^`]*)`", text)
    return [span for span in found if not re.search(r"\.\.\.|\b[A-Z]+\b|--help", span)]


def home_of(page: Path, other: Path = ROOT) -> Path:
    """Where the commands of a page begin: its recipe, or for other pages the top (``other``)."""
    return page.parent if (page.parent / "run.sh").exists() else other


def typed(top: Path, home: Path, script: str) -> list[Typed]:
    """Has a shell run a script from a folder of the checkout, and reads what programs noted."""
    record = top / "record"
    record.write_text("")
    path = f"{top / 'programs'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=top / home.relative_to(ROOT),
        env={**os.environ, "PATH": path, "RECORD": str(record)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}: {done.stderr}"
    calls = [shlex.split(line) for line in record.read_text().splitlines()]
    return [
        Typed(Path(folder).relative_to(top), name, Path(home).relative_to(top), words)
        for folder, name, home, *words in calls
    ]
