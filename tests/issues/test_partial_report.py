"""A run on some of the folds says so in its title, and leaves the report of all folds as it is."""

from pathlib import Path

import pytest
from programs import call
from tiny_predictions import change, run_score, write_predictions

from ser.bin import score

WHOLE = ("results.json", "RESULTS.md", "report.html")


@pytest.fixture
def exp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Scored on all three folds, without figures, which take long."""
    monkeypatch.setattr(score, "write_figures", lambda *_: [])
    monkeypatch.chdir(tmp_path)
    Path("conf").mkdir()
    write_predictions(Path("exp"))
    run_score(monkeypatch, Path("exp"), "--folds", "3 1 2", "--publish", ".")
    return Path("exp")


def test_the_report_of_all_folds_stays(
    exp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [(exp / name).read_bytes() for name in WHOLE]
    published = Path("RESULTS.md").read_bytes()
    assert published.startswith(b"# Results\n")
    assert not list(exp.glob("*partial*"))
    capsys.readouterr()
    run_score(monkeypatch, exp, "--folds", "1 3", "--publish", ".")
    assert [(exp / name).read_bytes() for name in WHOLE] == before
    assert Path("RESULTS.md").read_bytes() == published
    title = "Partial results (folds 1, 3 of 3)"
    partial = (exp / "RESULTS.partial.md").read_text()
    assert partial.startswith(f"# {title}\n")
    assert "- Without listening (WA / UA %, over all 3 folds): " in partial
    assert Path("RESULTS.partial.md").read_text().startswith(f"# {title}\n")
    assert f"<title>{title}</title>" in (exp / "report.partial.html").read_text()
    assert capsys.readouterr().out.startswith("partial: folds 1, 3 of 3\n")


@pytest.mark.long
def test_both_are_verified(exp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_score(monkeypatch, exp, "--folds", "1 3")
    assert call("verify", exp).status == 0
    said = call("verify", exp, "--partial")
    assert (said.status, said.err) == (0, "")
    assert "the predictions give RESULTS.partial.md and results.partial.json" in said.out
    change(exp / "RESULTS.partial.md", "folds 1, 3 of 3", "folds 1, 2, 3 of 3")
    said = call("verify", exp, "--partial")
    assert said.status == 1
    assert "RESULTS.partial.md:1: " in said.err
    assert call("verify", exp).status == 0


def test_a_fold_that_is_not_there_names_those_that_are(exp: Path) -> None:
    words = ["--exp-dir", exp, "--pretrain", exp, "--conf", "conf", "--systems", "mine"]
    said = call("score", *words, "--seeds", "1", "--folds", "1 7", "--command", "x")
    assert said.status == 1
    assert said.err == "error: --folds 7: no such fold; expected some of: 1 2 3\n"
