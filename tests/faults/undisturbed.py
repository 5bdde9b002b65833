"""One undisturbed experiment for all faults, and a copy of it for each."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import experiment
import pytest
from tracked import ROOT


@dataclass(frozen=True)
class Undisturbed:
    """An experiment that is not to be changed.

    Attributes:
        root: Where it lies.
        work: Where its copies are worked in.
        content: Of its files.
        copied: The files of the last copy, and by what it is known that one was touched since.
    """

    root: Path
    work: Path
    content: dict[str, object]
    copied: dict[Path, tuple[int, ...]] = field(default_factory=dict)

    def copy(self) -> None:
        """Makes the place of the copies as this is; files that were not touched stay."""
        own = {self.work / path.relative_to(self.root): path for path in self.root.rglob("*")}
        for path in sorted(self.work.rglob("*"), reverse=True):
            is_folder = path.is_dir() and not path.is_symlink()
            if is_folder and not (path in own and own[path].is_dir()):
                path.rmdir()
            elif not is_folder and self.copied.get(path) != experiment.version(path):
                path.unlink()
        for path, original in sorted(own.items()):
            if original.is_dir():
                path.mkdir(exist_ok=True)
                shutil.copymode(original, path)
            elif not path.exists():
                shutil.copy2(original, path)
                self.copied[path] = experiment.version(path)


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
