"""The doctor called by hand, in the folder of a recipe."""

import json
import re
from pathlib import Path

import pytest
from programs import call
from recipe_shell import plant_checkout

from ser.doctor import resources


@pytest.fixture(autouse=True)
def in_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plant_checkout(tmp_path) / "egs" / "mini")


def test_it_has_the_defaults_of_run_sh() -> None:
    said = call("doctor")
    assert (said.status, said.err) == (0, "")
    assert said.out == "stages 0 to 6: 0 errors, 0 warnings\n"


def test_it_takes_what_run_sh_takes() -> None:
    with Path("local/data.sh").open("ab") as script:
        script.write("# für alle\n".encode("latin-1"))
    said = call("doctor", "--systems", "all", "--recogniser", "./")
    assert (said.status, said.err) == (0, "")


def test_a_script_that_ends_without_a_word() -> None:
    Path("db.sh").write_text("exit 3\n")
    said = call("doctor")
    assert said.status == 1
    assert said.err.startswith("error: db.sh: ends with status 3; expected variables of corpora")


@pytest.mark.parametrize(("key", "value"), [("lstm_dim", 2000), ("num_loader_workers", 64)])
def test_what_does_not_fit_into_memory(
    key: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        resources.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 250_000}.get
    )
    assert call("doctor", "--systems", "cnn_blstm_sa").status == 0
    system = Path("conf/systems/cnn_blstm_sa.yaml")
    text, count = re.subn(rf"(?m)^( *{key}:) \S+", rf"\1 {value}", system.read_text())
    assert count == 1
    system.write_text(text)
    said = call("doctor", "--systems", "cnn_blstm_sa")
    assert said.status == 1
    assert re.search(r"cnn_blstm_sa: .* expected at most the memory, 1.0 GB; lower", said.err)


@pytest.mark.parametrize("folder", ["pretrain/ctc", "systems/transformer_tl"])
def test_a_frozen_parameter_that_there_is_not(folder: str) -> None:
    path = Path(f"conf/{folder}.yaml")
    text = path.read_text()
    for name, status in (("encoder.blocks.0", 0), ("encoder.block", 1)):
        path.write_text(text.replace("optimizer:", f"optimizer:\n  frozen: [{name}]"))
        said = call("doctor", "--systems", "transformer_tl")
        assert said.status == status, said.err
    assert said.err.startswith(
        f"error: {path}: optimizer.frozen: 'encoder.block' begins no parameter's name; expected"
    )


def test_runs_side_by_side_that_do_not_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 10_000}  # 41 MB
    monkeypatch.setattr(resources.os, "sysconf", pages.get)
    assert call("doctor", "--systems", "transformer", "--jobs", 1).status == 0
    said = call("doctor", "--systems", "transformer", "--jobs", 16)
    assert said.status == 1
    assert re.search(r"transformer: 5 runs side by side, each with .* lower --jobs, ", said.err)
    assert call("doctor", "--systems", "transformer", "--jobs", 16, "--folds", "1").status == 0


def test_findings_as_json() -> None:
    said = call("doctor", "--systems", "nobody", "--nj", 0, "--json")
    found = json.loads(said.out)
    assert said.status == 1 and said.err == ""
    assert [(f["kind"], f["level"]) for f in found["findings"]] == [
        ("options", "error"),
        ("configuration", "error"),
    ]
