"""Where a report is written: that of some of the folds beside that of all, never in its place."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReportFiles:
    """The files of stage 6.

    Attributes:
        exp_dir: Folder of an experiment.
        partial: Whether the report is of some of the protocol's folds alone.
    """

    exp_dir: Path
    partial: bool = False

    def _named(self, stem: str, suffix: str = "") -> Path:
        return self.exp_dir / f"{stem}{'.partial' if self.partial else ''}{suffix}"

    @property
    def results(self) -> Path:
        """Every number, as JSON."""
        return self._named("results", ".json")

    @property
    def report(self) -> Path:
        """The report in Markdown."""
        return self._named("RESULTS", ".md")

    @property
    def page(self) -> Path:
        """The report on a page."""
        return self._named("report", ".html")

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self._named("figures")
