"""The undisturbed experiment, made once, and a copy of it for each test."""

import pytest
from undisturbed import Undisturbed, undisturbed_in


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The experiment that all others must be equal to."""
    return undisturbed_in(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def reference(undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch) -> Undisturbed:
    """The same, with a new copy of it as the current directory."""
    monkeypatch.chdir(undisturbed.work)
    undisturbed.copy()
    return undisturbed
