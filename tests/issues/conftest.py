"""A recipe without data."""

import shutil
from pathlib import Path

import pytest
from tracked import ROOT


@pytest.fixture
def bare_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of egs/ravdess, and nothing else."""
    shutil.copytree(ROOT / "egs" / "ravdess" / "conf", tmp_path / "recipe" / "conf")
    monkeypatch.chdir(tmp_path / "recipe")
    return tmp_path / "recipe"
