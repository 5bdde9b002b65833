"""One undisturbed experiment for all faults, and a copy of it for each."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import experiment
import pytest
from recipe_shell import ROOT


@dataclass(frozen=True)
class Undisturbed:
    """An experiment that is not to be changed.

    Attributes:
        root: Where it lies.
        work: Where its copies are worked in.
        content: Of its files.
    """

    root: Path
    work: Path
    content: dict[str, object]

    def copy(self) -> None:
        """Makes the place of the copies as this is."""
        for path in self.work.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self.root, self.work, dirs_exist_ok=True)


def undisturbed_in(top: Path) -> Undisturbed:
    """Makes one in a folder, and beside it the place of its copies.

    It is made in that place too: its tables name audio files by full paths.
    """
    work = top / "egs" / "work"  # a recipe's place
    work.mkdir(parents=True)
    (top / "tools").symlink_to(ROOT / "tools")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        experiment.build()
        shutil.copytree(work, top / "undisturbed")
        return Undisturbed(top / "undisturbed", work, experiment.content())
