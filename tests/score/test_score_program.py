"""Stage 6 from files to files."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ser.base.errors import SerError
from ser.base.files import write_json
from ser.bin import score
from ser.corpus.folds import fold_list_name
from ser.kaldi.table import write_table
from ser.score.report import report, terminal_table

LABELS = ("ang", "hap", "neu", "sad")
SYSTEMS = ("cnn_blstm_sa", "transformer_tl_mtl", "mine")
PNG = b"\x89PNG\r\n"


def write_predictions(exp_dir: Path) -> None:
    """Three systems, two seeds, three folds of ten utterances; two right of three."""
    chance = random.Random("predictions")
    (exp_dir / "folds").mkdir(parents=True)
    for fold in "123":
        parts = {f"{f}-{i}": "test" if f == fold else "train" for f in "123" for i in range(10)}
        write_table(exp_dir / "folds" / f"fold{fold}", parts)
    config = {"fold_unit": "session"}
    write_json(exp_dir / "folds" / "run.json", {"config": config, "notes": {"digest": "d"}})
    folder = exp_dir / "predictions"
    for system in SYSTEMS:
        (folder / system).mkdir(parents=True)
        for seed in "12":
            for fold in "123":
                columns = ["utt", "spk", "session", "fold_list", "ref", "hyp"]
                columns += [f"post_{x}" for x in LABELS]
                lines = [[*columns, "ref_text"]]
                for i in range(10):
                    ref = LABELS[i % 4]
                    hyp = ref if chance.random() < 0.66 else chance.choice(LABELS)
                    posteriors = ["0.7" if label == hyp else "0.1" for label in LABELS]
                    lines.append(
                        [
                            f"{fold}-{i}",
                            fold,
                            fold,
                            fold_list_name(exp_dir / "folds", fold),
                            ref,
                            hyp,
                            *posteriors,
                            "ONE TWO",
                        ]
                    )
                if system == "transformer_tl_mtl":
                    heard = ["ctc_text", *(["ONE"] * 10)]
                    lines = [[*line, cell] for line, cell in zip(lines, heard, strict=True)]
                (folder / system / f"seed{seed}_fold{fold}.tsv").write_text(
                    "".join("\t".join(line) + "\n" for line in lines)
                )
    attributes = ["utt\tgender\ttype\tscene\tcue"]
    for fold in "123":
        attributes += [
            f"{fold}-{i}\t{'FM'[i % 2]}\tscripted\ts{i}\t{('words', 'prosody')[i % 2]}"
            for i in range(10)
        ]
    (folder / "attributes.tsv").write_text("\n".join(attributes) + "\n")
    write_json(
        folder / "run.json",
        {
            "identity": "i", "stage": 5, "config": {},
            "inputs": {
                run: run
                for system in SYSTEMS for seed in "12" for fold in "123"
                for run in [f"{exp_dir}/{system}/seed{seed}/fold{fold}"]
            },
            "git_commit": "abc123", "versions": {"python": "3.11.2", "torch": "2.14.1"},
            "finished": "2026-12-10T12:00:00+00:00", "wall_seconds": 12.5,
        },
    )  # fmt: skip


def write_logs(exp_dir: Path) -> None:
    """A fine-tuning run with its record, and a recogniser's log with a line being written."""
    run = exp_dir / "transformer_tl_mtl" / "seed1" / "fold2"
    run.mkdir(parents=True)
    identity = f"{exp_dir}/transformer_tl_mtl/seed1/fold2"
    write_json(
        run / "run.json",
        {"identity": identity, "stage": 4, "inputs": {}, "notes": {"train_seconds": 3600.0}},
    )
    epochs = [
        {"scope": "step", "epoch": 1, "step": 50, "loss": 9.0},
        {"scope": "epoch", "epoch": 1, "step": 60, "emotion_loss": 1.4, "ctc_loss": 5.0},
        {"scope": "epoch", "epoch": 2, "step": 120, "emotion_loss": 1.0, "ctc_loss": 4.0},
    ]
    (run / "train.jsonl").write_text("".join(json.dumps(e) + "\n" for e in epochs))
    for name in ("small", "small.20261210-120000"):
        (exp_dir / "pretrain" / name).mkdir(parents=True)
        epoch = {"loss": 9.0, "valid_loss": 8.25, "valid_wer": 0.5, "seconds": 1800}
        lines = [json.dumps({"scope": "epoch", "epoch": i, "step": i} | epoch) for i in (1, 2)]
        (exp_dir / "pretrain" / name / "train.jsonl").write_text("\n".join(lines) + '\n{"sco')


@pytest.fixture
def exp_dir(tmp_path: Path) -> Path:
    write_predictions(tmp_path / "exp")
    (tmp_path / "conf").mkdir()
    return tmp_path / "exp"


def run_score(monkeypatch: pytest.MonkeyPatch, exp_dir: Path, *more: str) -> None:
    options = {
        "--exp-dir": exp_dir,
        "--pretrain": exp_dir / "pretrain",
        "--conf": exp_dir.parent / "conf",
        "--systems": " ".join(SYSTEMS),
        "--seeds": "1 2",
        "--folds": "1 2 3",
        "--command": "./run.sh --stage 0 --stop-stage 6",
    }
    words = [str(word) for option in options.items() for word in option]
    monkeypatch.setattr(sys, "argv", ["score", *words, *more])
    score.main()


def test_report_holds_what_was_asked(
    exp_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_logs(exp_dir)
    run_score(monkeypatch, exp_dir)
    text = (exp_dir / "RESULTS.md").read_text()
    for part in (
        "`./run.sh --stage 0 --stop-stage 6`; git commit `abc123`",
        "2026-12-10T12:00:00+00:00, python 3.11.2, torch 2.14.1",
        "| Transformer (TL+MTL) | transformer_tl_mtl |",
        "| —                    | mine               |",
        "30 utterances of the folds 1 2 3",
        "Mean ± standard deviation over the 6 values",
        "Protocol: `fold_unit: session`.",
        "## Recall and precision by class",
        "## By cue",
        "## By sex",
        "| small      |      2 |           8.250 |             50.0 |  1.00 |",
        "| Transformer (TL+MTL), `transformer_tl_mtl` |    1 |  1.00 |",
        "summed over 2 seeds",
    ):
        assert part in text, part
    for part in ("By scene", "By improvised", "paper WA", "20261210-120000", "nan"):
        assert part not in text, part
    results = json.loads((exp_dir / "results.json").read_text())
    assert results["systems"]["transformer_tl_mtl"]["wer"] == 0.5
    assert results["systems"]["mine"]["wer"] is None
    assert capsys.readouterr().out == terminal_table(results) + "\n"


def test_every_linked_figure_is_there_and_no_old_one(
    exp_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_logs(exp_dir)
    (exp_dir / "figures").mkdir()
    (exp_dir / "figures" / "confusion_old.png").touch()
    run_score(monkeypatch, exp_dir)
    links = re.findall(r"\]\((.*)\)", (exp_dir / "RESULTS.md").read_text())
    files = {f"figures/{path.name}" for path in (exp_dir / "figures").iterdir()}
    assert (
        files
        == set(links)
        == {
            *(f"figures/confusion_{system}.png" for system in SYSTEMS),
            "figures/learning_curves.png",
            "figures/pretraining.png",
        }
    )
    assert all((exp_dir / link).read_bytes().startswith(PNG) for link in links)


def test_without_training_logs_there_are_no_curves(
    exp_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_score(monkeypatch, exp_dir)
    text = (exp_dir / "RESULTS.md").read_text()
    assert "learning_curves" not in text
    assert "Pre-training" not in text
    assert "Fine-tuning" not in text


def test_rebuilt_identically(exp_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the predictions, and from results.json alone."""
    write_logs(exp_dir)
    written = (
        "RESULTS.md",
        "results.json",
        "figures/confusion_mine.png",
        "figures/pretraining.png",
    )
    run_score(monkeypatch, exp_dir)
    first = [(exp_dir / name).read_bytes() for name in written]
    run_score(monkeypatch, exp_dir)
    assert [(exp_dir / name).read_bytes() for name in written] == first
    results = json.loads((exp_dir / "results.json").read_text())
    assert first[0].decode().startswith(report(results).removesuffix("\n"))


def test_published_copy_links_no_figure(
    exp_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_score(monkeypatch, exp_dir, "--publish", str(tmp_path))
    published = (tmp_path / "RESULTS.md").read_text()
    assert "figures" not in published
    assert (exp_dir / "RESULTS.md").read_text().startswith(published.removesuffix("\n"))


def test_paper_columns_only_where_the_recipe_has_them(
    exp_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paper = exp_dir.parent / "conf" / "paper_results.yaml"
    paper.write_text("cnn_blstm_sa: {wa: 58.1, ua: 59.8}\n")
    run_score(monkeypatch, exp_dir)
    header, _, baseline, _, mine, *_ = capsys.readouterr().out.splitlines()
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


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


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
    with pytest.raises(SerError, match=r"fold1\.tsv: 1-3 and 0 more are missing"):
        run_score(monkeypatch, exp_dir)
    for path, text in zip(tables, whole, strict=True):
        path.write_text(text.replace("1-3\t", "9-3\t"))
    change(attributes, "1-3\t", "9-3\t")
    with pytest.raises(SerError, match=r"fold1\.tsv: 9-3 is not held out by fold 1"):
        run_score(monkeypatch, exp_dir)


def test_torn_training_log(exp_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_logs(exp_dir)
    (exp_dir / "pretrain" / "small" / "train.jsonl").write_text('{"scope": "epo\n')
    with pytest.raises(SerError, match=r"small/train.jsonl:1: .*remove the line"):
        run_score(monkeypatch, exp_dir)


def test_needs_no_torch() -> None:
    program = "import sys, ser.bin.score; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
