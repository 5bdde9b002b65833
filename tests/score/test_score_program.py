"""Stage 6 from files to files."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_predictions import SYSTEMS, change, run_score, write_logs, write_predictions

from ser.base.errors import SerError
from ser.bin import score
from ser.score.report.figures import draw_lines
from ser.score.report.main_table import terminal_table
from ser.score.report.report import report
from ser.score.verify import verify

PNG = b"\x89PNG\r\n"


@pytest.fixture
def exp_dir(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "exp")
    (tmp_path / "conf").mkdir()
    return tmp_path / "exp"


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not drawn: they are what takes long."""
    monkeypatch.setattr(score, "write_figures", lambda *_: [])


def test_report_holds_what_was_asked(scored: Path) -> None:
    text = (scored / "exp" / "RESULTS.md").read_text()
    for part in (
        "`./run.sh --stage 0 --stop-stage 6`; git commit `abc123`",
        "2026-12-10T12:00:00+00:00, python 3.11.2, torch 2.14.1",
        "| Transformer (TL+MTL) | transformer_tl_mtl |",
        "| mine                 | mine               |",
        "30 utterances of the folds 1 2 3",
        "mean ± standard deviation over the 6 values",
        "Protocol: `fold_unit: session`.",
        "## Recall and precision by class",
        "## By cue",
        "## By sex",
        "| small      |      2 |           8.250 |             50.0 |  1.00 |",
        "| Transformer (TL+MTL) |    1 |  1.00 |",
        "summed over 2 seeds",
        "| fold 1: WA %       | ",
        "| figure             | ",
        "- mine is above Transformer (TL+MTL) by ",
        "Not known of this corpus, and left out: scene heard in training, length, annotators who",
        "human ceiling.",
        "The same for all, and not broken down: improvised or scripted (scripted).",
        "over the 3 speakers with Student's t.\n",
        "- Without listening (WA / UA %): ",
    ):
        assert part in text, part
    for part in ("By scene", "By improvised", "20261210-120000", "nan"):
        assert part not in text, part
    results = json.loads((scored / "exp" / "results.json").read_text())
    assert results["systems"]["transformer_tl_mtl"]["wer"] == 0.5
    assert results["systems"]["mine"]["wer"] is None


@pytest.mark.long
def test_every_table_of_leaking_folds_is_labelled(
    exp_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(exp_dir / "folds" / "run.json", '"config": {', '"config": {"speaker_dependent": true, ')
    run_score(monkeypatch, exp_dir)
    text = (exp_dir / "RESULTS.md").read_text()
    headings = re.findall(r"^#+ (.*)\n\n", text, re.M)
    assert len(headings) > 10
    unlabelled = [h for h in headings if not h.endswith("(speaker-dependent)")]
    assert unlabelled == ["Figures"]


def test_every_linked_figure_is_there_no_old_one_and_files_of_others(scored: Path) -> None:
    exp_dir = scored / "exp"
    links = re.findall(r"\]\((.*)\)", (exp_dir / "RESULTS.md").read_text())
    files = {f"figures/{path.name}" for path in (exp_dir / "figures").iterdir()}
    assert files - set(links) == {"figures/of_my_own.png", "figures/notes.txt"}
    assert set(links) == {
        *(f"figures/confusion_{system}.png" for system in SYSTEMS),
        "figures/reliability.png",
        "figures/risk_coverage.png",
        "figures/learning_curves.png",
        "figures/pretraining.png",
    }
    assert all((exp_dir / link).read_bytes().startswith(PNG) for link in links)


def test_more_lines_than_colours_are_told_apart() -> None:
    lines = draw_lines({str(i): ([0.0, 1.0], [0.0, 1.0]) for i in range(9)}, ("x", "y"))
    looks = [(x.get_color(), x.get_marker(), x.get_ls()) for x in lines.axes[0].get_lines()]
    assert len(set(looks)) == 9
    assert {stroke for *_, stroke in looks[:7]} == {"-"}


@pytest.mark.long
def test_without_training_logs_there_are_no_curves(
    exp_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_score(monkeypatch, exp_dir)
    text = (exp_dir / "RESULTS.md").read_text()
    assert "learning_curves" not in text
    assert "paper WA" not in text
    assert "Pre-training" not in text
    assert "Fine-tuning" not in text


@pytest.mark.long
def test_rebuilt_identically(scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the predictions, and from results.json alone."""
    shutil.copytree(scored / "conf", tmp_path / "conf")
    shutil.copytree(scored / "exp", tmp_path / "exp", ignore=shutil.ignore_patterns("figures"))
    monkeypatch.chdir(tmp_path)
    written = ("results.json", "RESULTS.md")
    for name in written:
        (tmp_path / "exp" / name).unlink()
    run_score(monkeypatch, Path("exp"))
    for name in (*written, "figures/confusion_mine.png", "figures/pretraining.png"):
        assert (tmp_path / "exp" / name).read_bytes() == (scored / "exp" / name).read_bytes()
    results = json.loads((tmp_path / "exp" / "results.json").read_text())
    text = (tmp_path / "exp" / "RESULTS.md").read_text()
    assert text.startswith(report(results).removesuffix("\n"))


@pytest.mark.usefixtures("without_figures")
def test_a_report_with_less_than_the_one_before_tells(
    exp_dir: Path, monkeypatch: pytest.MonkeyPatch, log: Any
) -> None:
    run_score(monkeypatch, exp_dir)
    assert not any("is written without" in line for line in log.lines)
    run_score(monkeypatch, exp_dir, "--systems", "mine cnn_blstm_sa", "--seeds", "1")
    (said,) = [line for line in log.lines if "is written without" in line]
    assert "had transformer_tl_mtl, seed 2 too" in said


def test_published_copy_links_no_figure(scored: Path) -> None:
    published = (scored / "RESULTS.md").read_text()
    assert "figures/" not in published
    assert (scored / "exp" / "RESULTS.md").read_text().startswith(published.removesuffix("\n"))


def test_wer_only_where_words_are_recognised(scored: Path) -> None:
    results = json.loads((scored / "exp" / "results.json").read_text())
    assert "WER" in terminal_table(results)
    for row in results["systems"].values():
        row["wer"] = None
    said = report(results)
    assert "WER" not in terminal_table(results)
    assert "| WER" not in said.partition("## ")[0]
    assert "- WER" not in said
    assert "WER by emotion" not in said


def test_paper_columns_only_where_the_recipe_has_them(
    exp_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    without_figures: None,
) -> None:
    paper = exp_dir.parent / "conf" / "paper_results.yaml"
    paper.write_text("cnn_blstm_sa: {wa: 58.1, ua: 59.8}\n")
    run_score(monkeypatch, exp_dir)
    said = capsys.readouterr().out
    assert said == terminal_table(json.loads((exp_dir / "results.json").read_text())) + "\n"
    header, _, baseline, _, mine, *_ = said.splitlines()
    assert header.split("  ")[-2:] == ["paper WA %", "paper UA %"]
    assert baseline.split()[-2:] == ["58.1", "59.8"]
    assert mine.split()[-2:] == ["—", "—"]
    paper.write_text("mine: {wa: 158.1, ua: 59.8}\n")
    with pytest.raises(SerError, match=r"paper_results.yaml: 'mine.wa' is 158.1"):
        run_score(monkeypatch, exp_dir)


def test_predictions_that_are_not_whole(exp_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (exp_dir / "predictions" / "run.json").unlink()
    with pytest.raises(SerError, match=r"no run\.json.*--stage 5 --stop-stage 5"):
        run_score(monkeypatch, exp_dir)


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        (
            "predictions/mine/seed2_fold3.tsv",
            "fold3@",
            "fold3@0",
            "3-0 was predicted under fold3@0",
        ),
        ("folds/fold2", "2-4 test", "2-4 train", "was predicted under fold2@"),
    ],
)
def test_predictions_of_two_protocols(
    exp_dir: Path, monkeypatch: pytest.MonkeyPatch, table: str, old: str, new: str, message: str
) -> None:
    change(exp_dir / table, old, new)
    with pytest.raises(SerError, match=f"{message}.*not two protocols in one folder"):
        run_score(monkeypatch, exp_dir)


def test_every_utterance_of_a_fold_and_no_other(
    exp_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are gone, or of another fold, in all systems and seeds alike."""
    tables = sorted((exp_dir / "predictions").glob("*/seed*_fold1.tsv"))
    whole = [path.read_text() for path in tables]
    for path, text in zip(tables, whole, strict=True):
        path.write_text("".join(x for x in text.splitlines(True) if not x.startswith("1-3")))
    attributes = exp_dir / "predictions" / "attributes.tsv"
    with pytest.raises(SerError, match=r"fold1\.tsv: without 1-3; expected"):
        run_score(monkeypatch, exp_dir)
    for path, text in zip(tables, whole, strict=True):
        path.write_text(text.replace("1-3\t", "9-3\t"))
    change(attributes, "1-3\t", "9-3\t")
    with pytest.raises(SerError, match=r"fold1\.tsv: 9-3 is not held out by fold 1"):
        run_score(monkeypatch, exp_dir)


def test_recognisers_of_another_recipe_are_verified(
    exp_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_figures: None
) -> None:
    write_logs(exp_dir)
    other = tmp_path / "other" / "pretrain"
    shutil.copytree(exp_dir / "pretrain", other)
    change(other / "small" / "train.jsonl", '"valid_wer": 0.5', '"valid_wer": 0.25')
    run_score(monkeypatch, exp_dir, "--pretrain", other)
    assert json.loads((exp_dir / "results.json").read_text())["run"]["pretrain_elsewhere"]
    assert verify(exp_dir).wrong == []
    shutil.rmtree(other)
    assert verify(exp_dir).wrong == []


def test_torn_training_log(exp_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_logs(exp_dir)
    (exp_dir / "pretrain" / "small" / "train.jsonl").write_text('{"scope": "epo\n')
    with pytest.raises(SerError, match=r"small/train.jsonl:1: .*remove the line"):
        run_score(monkeypatch, exp_dir)
    (exp_dir / "pretrain" / "small" / "train.jsonl").write_text('{"scope": "epoch", "loss": 1}\n')
    with pytest.raises(SerError, match=r"small/train.jsonl:1: .*expected the number of the epoch"):
        run_score(monkeypatch, exp_dir)
