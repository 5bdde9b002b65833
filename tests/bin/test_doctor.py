"""The doctor called by hand, in the folder of a recipe."""

import json
from pathlib import Path

import pytest
from programs import call
from recipe_shell import plant_checkout


@pytest.fixture(autouse=True)
def in_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plant_checkout(tmp_path) / "egs" / "mini")


def test_it_has_the_defaults_of_run_sh() -> None:
    said = call("doctor")
    assert (said.status, said.err) == (0, "")
    assert said.out == "stages 0 to 6: 0 errors, 0 warnings\n"


def test_findings_as_json() -> None:
    said = call("doctor", "--systems", "nobody", "--nj", 0, "--json")
    found = json.loads(said.out)
    assert said.status == 1 and said.err == ""
    assert [(f["kind"], f["level"]) for f in found["findings"]] == [
        ("options", "error"),
        ("configuration", "error"),
    ]
