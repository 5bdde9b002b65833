"""What a result was made with."""

import re
from pathlib import Path

import pytest

from ser.base.environment import git_commit


def test_git_commit_names_this_checkout_or_says_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert re.fullmatch(r"[0-9a-f]{12}(\+changes)?", git_commit())
    monkeypatch.setenv("PATH", str(tmp_path))  # no git
    assert git_commit() == "unknown"
