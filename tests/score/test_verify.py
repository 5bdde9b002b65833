"""Verification: untouched results pass wherever they lie, and every tampering is found."""

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import call
from tiny_predictions import change

from ser.base.errors import SerError
from ser.corpus.fold_files import fold_list_name
from ser.score.verify import verify

MTL = "predictions/transformer_tl_mtl"


@pytest.fixture
def exp(scored: Path, tmp_path: Path) -> Path:
    """A copy of its ``exp`` to change, and of what lies beside it."""
    shutil.copytree(scored, tmp_path, dirs_exist_ok=True)
    return tmp_path / "exp"


def test_untouched_results_pass_without_their_runs_and_elsewhere(exp: Path, tmp_path: Path) -> None:
    assert verify(exp, tmp_path / "RESULTS.md").wrong == []
    audited = json.loads((exp / "results.json").read_text())["audit"]
    assert "folds" in audited and "digest" not in audited  # as earlier versions wrote it
    shipped = tmp_path / "elsewhere" / "shipped"
    shutil.copytree(exp, shipped, ignore=shutil.ignore_patterns("pretrain", "seed?", "figures"))
    verdict = verify(shipped)
    assert verdict.wrong == []
    assert any("figures and report.html" in what for what in verdict.unchecked)


def test_untouched_results_pass_without_some_of_their_runs(exp: Path) -> None:
    """Of what is gone is said what was said."""
    folders = [path.parent for path in exp.glob("*/seed*/fold*/run.json")]
    assert folders
    shutil.rmtree(folders[0])
    verdict = verify(exp)
    assert verdict.wrong == []
    assert "times of training and published weights: runs are not there" in verdict.unchecked


def test_last_digits_of_another_machine_pass(exp: Path) -> None:
    path = exp / "results.json"
    results = json.loads(path.read_text())
    results["systems"]["mine"]["wa"] *= 1 + 1e-13
    path.write_text(json.dumps(results))
    assert verify(exp).wrong == []


def swap(exp: Path) -> None:
    one, other = (exp / f"{MTL}/seed{seed}_fold1.tsv" for seed in "12")
    text = one.read_text()
    one.write_text(other.read_text())
    other.write_text(text)


def move(exp: Path) -> None:
    """An utterance moves into another fold's table."""
    lines = (exp / f"{MTL}/seed1_fold1.tsv").read_text().splitlines(True)
    (exp / f"{MTL}/seed1_fold1.tsv").write_text("".join(lines[:-1]))
    with (exp / f"{MTL}/seed1_fold2.tsv").open("a") as stream:
        stream.write(lines[-1])


def remove_row(exp: Path) -> None:
    path = exp / f"{MTL}/seed1_fold1.tsv"
    path.write_text("".join(path.read_text().splitlines(True)[:-1]))


def double_row(exp: Path) -> None:
    path = exp / f"{MTL}/seed1_fold1.tsv"
    lines = path.read_text().splitlines(True)
    path.write_text("".join([*lines, lines[-1]]))


def edit(name: str, pattern: str, replacement: str) -> Callable[[Path], None]:
    def tamper(exp: Path) -> None:
        path = exp / name
        text, count = re.subn(pattern, replacement, path.read_text(), count=1)
        assert count == 1
        path.write_text(text)

    return tamper


def rename_fold(exp: Path) -> None:
    """Training loses an utterance, and every table names the list as it is now."""
    before = fold_list_name(exp / "folds", "1")
    edit("folds/fold1", "2-3 train\n", "")(exp)
    for path in exp.glob("predictions/*/*_fold1.tsv"):
        path.write_text(path.read_text().replace(before, fold_list_name(exp / "folds", "1")))


TAMPERINGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a hypothesis": (
        edit(
            f"{MTL}/seed1_fold1.tsv",
            r"\tang\tang\t0\.7\t0\.1\t0\.1\t0\.1",
            "\tang\tsad\t0.1\t0.1\t0.1\t0.7",
        ),
        "confusion",
    ),
    "a posterior": (edit(f"{MTL}/seed1_fold2.tsv", r"0\.7\t0\.1", r"0.6\t0.2"), "calibration"),
    "a reference": (
        edit(f"{MTL}/seed1_fold1.tsv", r"\tang\tang\t", r"\tsad\tang\t"),
        "expected 'ang', as in",
    ),
    "a row removed": (remove_row, "1-9 is not in "),
    "a row doubled": (double_row, "1-9 occurs twice"),
    "an utterance in another fold": (move, "seed1_fold1.tsv: 1-9 is not in "),
    "a fold list": (edit("folds/fold1", "1-3 test", "1-3 train"), "was predicted under fold1@"),
    "two tables swapped": (swap, "seeds.1"),
    "a number of the report": (
        edit("RESULTS.md", r"(mine  [^\[]*?)\d\d\.\d", r"\g<1>99.9"),
        "the predictions give '",
    ),
    "a line added to the report": (
        lambda exp: (exp / "RESULTS.md").write_text((exp / "RESULTS.md").read_text() + "\nBest.\n"),
        "lines; the predictions give",
    ),
    "a number of results.json": (
        edit("results.json", r'"macro_f1": 0\.\d+', '"macro_f1": 0.99'),
        "macro_f1 is 0.99; the predictions give",
    ),
    "an attribute": (
        edit("predictions/attributes.tsv", "1-0\tF", "1-0\tM"),
        "predictions/attributes.tsv: its SHA-256",
    ),
    "the audit": (edit("audit.json", '"line": "yes"', '"line": "no"'), "audit.json: its SHA-256"),
    "the protocol of results.json": (
        edit("results.json", '"fold_unit": "session"', '"fold_unit": "speaker"'),
        "run.protocol.fold_unit is 'speaker'; the predictions give 'session'",
    ),
    "the protocol of the folds": (
        edit("folds/run.json", '"fold_unit": "session"', '"fold_unit": "speaker"'),
        "folds/run.json: its SHA-256",
    ),
    "the commit": (edit("results.json", "abc123", "abc124"), "run.git_commit is 'abc124'"),
    "the recogniser's WER": (
        edit("results.json", '"valid_wer": 0.5', '"valid_wer": 0.1'),
        "valid_wer",
    ),
    "the training time": (
        edit("results.json", '"wall_seconds": 3600.0', '"wall_seconds": 36.0'),
        "run.finetune.transformer_tl_mtl.wall_seconds is 36.0",
    ),
    "the paper's figures": (
        edit("results.json", r'("paper": \{\s*"wa": )0\.\d+', r"\g<1>0.2"),
        "paper.wa is 0.2",
    ),
    "a figure": (
        lambda exp: (exp / "figures" / "reliability.png").write_bytes(b"other"),
        "figures.reliability.png is",
    ),
    "the page": (edit("report.html", "<title>", "<title>Best "), "report.html: is not the page"),
    "the report deleted": (lambda exp: (exp / "RESULTS.md").unlink(), "RESULTS.md: missing"),
    "the page deleted": (lambda exp: (exp / "report.html").unlink(), "report.html: missing"),
    "a report deleted beside a wrong number": (
        lambda exp: (
            (exp / "RESULTS.md").unlink(),
            edit("results.json", '"macro_f1": 0\\.\\d+', '"macro_f1": 0.99')(exp),
        )[0],
        "macro_f1 is 0.99",
    ),
    "fold lists and what names them": (rename_fold, "audit.json: of other folds than"),
    "a table deleted": (
        lambda exp: (exp / f"{MTL}/seed2_fold3.tsv").unlink(),
        "seed2_fold3.tsv: missing",
    ),
    "a system dropped": (
        lambda exp: shutil.rmtree(exp / MTL),
        "transformer_tl_mtl/seed1_fold1.tsv: missing",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found(exp: Path, name: str) -> None:
    tamper, said = TAMPERINGS[name]
    tamper(exp)
    wrong = verify(exp, conf=exp.parent / "conf").wrong
    assert any(said in finding for finding in wrong), wrong


def test_a_published_copy_is_verified_too(exp: Path, tmp_path: Path) -> None:
    change(tmp_path / "RESULTS.md", "CNN-BLSTM-SA", "Ours")
    (finding,) = verify(exp, tmp_path / "RESULTS.md").wrong
    assert finding.startswith(f"{tmp_path / 'RESULTS.md'}:")


def test_no_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SerError, match=r"results\.json: no such file"):
        verify(tmp_path)
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper" / "results.json").write_text("{}")
    with pytest.raises(
        SerError, match=r"no results\.json; .* there is .*/whisper: name one of these"
    ):
        verify(tmp_path)
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(SerError, match=r"results\.json: 'run': .*--stage 6"):
        verify(tmp_path)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("num_rounds",), "many"),
        (("num_rounds",), 0),
        (("num_rounds",), 10**12),
        (("num_rounds",), math.nan),
        (("digests",), []),
        (("systems",), []),
        (("run", "seeds"), None),
        (("run", "seeds"), [1, 2]),
        (("run", "finetune"), {"mine": 3}),
        (("systems", "cnn_blstm_sa", "paper"), {"wa": 58.1, "ua": 0.5}),
    ],
)
def test_malformed_results_are_named(exp: Path, keys: tuple[str, ...], value: object) -> None:
    path = exp / "results.json"
    results = json.loads(path.read_text())
    part = results
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    path.write_text(json.dumps(results))
    with pytest.raises(SerError) as error:
        verify(exp)
    assert str(error.value).startswith(f"{path}: '{'.'.join(keys)}")


@pytest.mark.parametrize("name", ["audit.json", "predictions/run.json", "folds/run.json"])
@pytest.mark.parametrize("text", ["[]", "{}"])
def test_malformed_records_are_findings(exp: Path, name: str, text: str) -> None:
    (exp / name).write_text(text)
    assert any(f"{name}:" in wrong for wrong in verify(exp).wrong[1:])


@pytest.mark.parametrize(
    ("name", "key", "stage"),
    [
        ("audit.json", "speaker", 0),
        ("audit.json", "test", 0),
        ("audit.json", "majority", 0),
        ("predictions/run.json", "git_commit", 5),
    ],
)
def test_a_key_of_another_name_is_named(exp: Path, name: str, key: str, stage: int) -> None:
    change(exp / name, f'"{key}"', '"other"')
    assert re.search(rf"{name}: '\S*': .*--stage {stage}", verify(exp).wrong[-1])


def test_what_cannot_be_verified_is_said(exp: Path) -> None:
    assert verify(exp, conf=exp.parent / "conf").unchecked == [
        "the command, ./run.sh --stage 0 --stop-stage 6",
        "where the audio that report.html plays lies",
        "times of training and published weights: runs are not there",
    ]
    shutil.copy(exp / f"{MTL}/seed1_fold1.tsv", exp / f"{MTL}/seed3_fold1.tsv")
    _, _, paper, _, unused = verify(exp).unchecked
    assert "--conf" in paper
    assert "seed3_fold1.tsv: the report does not use them" in unused


def test_program_says_so(exp: Path) -> None:
    result = call("verify", exp)
    assert (result.status, result.err) == (0, "")
    assert "verified" in result.out
    remove_row(exp)
    result = call("verify", exp)
    assert result.status == 1
    assert "1-9" in result.err
