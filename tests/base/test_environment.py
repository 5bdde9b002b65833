"""What a result was made with."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import ser
from ser.base.environment import git_commit


def test_git_commit_names_this_checkout_or_says_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.fullmatch(r"[0-9a-f]{12}(\+changes)?", git_commit())
    around = tmp_path / "project"
    shutil.copytree(Path(ser.__file__).parent / "base", around / "env" / "ser" / "base")
    named = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init"], [*named, "commit", "--allow-empty", "-m", "theirs"]):
        subprocess.run(["git", "-C", around, *words], check=True, capture_output=True)
    with monkeypatch.context() as patch:
        patch.setattr(ser, "__file__", str(around / "env" / "ser" / "__init__.py"))
        assert git_commit() == "unknown", "that of the repository around the environment"
    monkeypatch.setenv("PATH", str(tmp_path))  # no git
    assert git_commit() == "unknown"
