"""Results worked by hand: two systems, two seeds, two folds."""

import json
import math
from typing import Any

import pytest
from tracked import ROOT

from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.score.predictions.experiment import Predictions
from ser.score.predictions.table import PredictionRow
from ser.score.report.paper import PaperResult, paper_name, read_paper_results
from ser.score.report.provenance import last_epoch
from ser.score.results import assemble_results

REFERENCES = {
    "1": {"u1": "ang", "u2": "ang", "u3": "ang", "u4": "sad"},
    "2": {"u5": "ang", "u6": "sad"},
}
WORDS = ("u1", "u4", "u5")


def fold(name: str, hypotheses: str, heard: str | None) -> list[PredictionRow]:
    """Hypotheses as initials; only u1 has words to recognise."""
    class_of = {"a": "ang", "s": "sad"}
    return [
        PredictionRow(
            utt,
            spk=utt,
            session=name,
            fold_list=f"fold{name}@0",
            ref=ref,
            hyp=class_of[initial],
            posteriors=(0.5, 0.5),
            ref_text="A B C D" if utt == "u1" else "",
            ctc_text=heard,
        )
        for (utt, ref), initial in zip(REFERENCES[name].items(), hypotheses, strict=True)
    ]


def seed(hypotheses: tuple[str, str], heard: str | None = None) -> dict[str, list[PredictionRow]]:
    return {name: fold(name, h, heard) for name, h in zip("12", hypotheses, strict=True)}


@pytest.fixture
def results() -> dict[str, Any]:
    """System x errs thrice in seed 1 and never in seed 2; the baseline says angry always."""
    utts = [utt for part in REFERENCES.values() for utt in part]
    predictions = Predictions(
        labels=("ang", "sad"),
        folds={
            "x": {"1": seed(("aass", "aa"), "A B C"), "2": seed(("aaas", "as"), "A B C D")},
            "cnn_blstm_sa": {"1": seed(("aaaa", "aa")), "2": seed(("aaaa", "aa"))},
        },
        attributes={
            "cue": {utt: "words" if utt in WORDS else "prosody" for utt in utts},
            "scene": dict.fromkeys(utts, "s"),
            "type": dict.fromkeys(utts, ""),
            "dur": dict(zip(utts, ["9.1", "9.3", "9.6", "10.2", "10.9", "12.0"], strict=True)),
        },
    )
    return assemble_results(predictions, {"cnn_blstm_sa": PaperResult(wa=58.1, ua=59.8)}, {})


def test_pooled_values_are_means_over_seeds(results: dict[str, Any]) -> None:
    x = results["systems"]["x"]
    assert x["seeds"]["1"]["confusion"] == [[3, 1], [1, 1]]
    assert x["seeds"]["2"]["confusion"] == [[4, 0], [0, 2]]
    assert x["seeds"]["1"]["wa"] == pytest.approx(4 / 6)
    assert x["wa"] == pytest.approx((4 / 6 + 1) / 2)
    assert x["ua"] == pytest.approx((5 / 8 + 1) / 2)
    assert x["macro_f1"] == pytest.approx(((6 / 8 + 2 / 4) / 2 + 1) / 2)
    assert x["recall"] == pytest.approx({"ang": 0.875, "sad": 0.75})
    one_class = results["systems"]["cnn_blstm_sa"]["seeds"]["1"]
    assert one_class["recall"] == {"ang": 1.0, "sad": 0.0}
    assert one_class["precision"]["ang"] == pytest.approx(4 / 6)
    assert x["wer"] == pytest.approx(1 / 8)
    assert x["num_utts"] == 6


def test_fold_values_over_seeds_and_folds(results: dict[str, Any]) -> None:
    x = results["systems"]["x"]
    assert x["seeds"]["1"]["folds"] == {
        "1": {
            "wa": 0.75,
            "ua": pytest.approx(5 / 6),
            "macro_f1": pytest.approx((4 / 5 + 2 / 3) / 2),
            "num_utts": 4,
        },
        "2": {"wa": 0.5, "ua": 0.5, "macro_f1": pytest.approx((2 / 3 + 0) / 2), "num_utts": 2},
    }
    assert x["wa_fold_mean"] == pytest.approx(0.8125)  # of 0.75, 0.5, 1, 1
    assert x["wa_fold_sd"] == pytest.approx(math.sqrt(0.171875 / 3))
    assert x["ua_fold_mean"] == pytest.approx(10 / 12)
    assert x["ua_fold_sd"] == pytest.approx(math.sqrt(1 / 18))


def test_seeds_that_are_copies_spread_nothing(results: dict[str, Any]) -> None:
    """Of a system in which no seed plays a part the deviation is that of its folds."""
    baseline = results["systems"]["cnn_blstm_sa"]
    folds = [fold["wa"] for fold in baseline["seeds"]["1"]["folds"].values()]
    assert baseline["seeds"]["1"] == baseline["seeds"]["2"]
    assert baseline["wa_fold_sd"] == pytest.approx(
        math.sqrt(sum((v - sum(folds) / 2) ** 2 for v in folds))
    )


def test_breakdown(results: dict[str, Any]) -> None:
    """In seed 1 the prosody half is u2 right, u3 and u6 wrong."""
    by = results["systems"]["x"]["by"]
    assert by.keys() == {"cue", "length"}  # no type is known of any
    starts = [float(name.split()[0]) for name in by["length"]]
    assert starts == sorted(starts) and starts[-1] > 10
    groups = by["cue"]
    assert {name: (g["wa"], g["ua"], g["num_utts"]) for name, g in groups.items()} == {
        "prosody": (pytest.approx(2 / 3), pytest.approx(5 / 8), 3),
        "words": (1.0, 1.0, 3),
    }


def test_system_that_knows_one_class(results: dict[str, Any]) -> None:
    baseline = results["systems"]["cnn_blstm_sa"]
    assert baseline["wa"] == pytest.approx(4 / 6)
    assert baseline["ua"] == 0.5
    assert baseline["macro_f1"] == pytest.approx(0.4)
    assert baseline["wer"] is None


def test_paper_name_and_figures(results: dict[str, Any]) -> None:
    assert results["systems"]["x"]["paper_name"] is None
    assert "paper" not in results["systems"]["x"]
    assert results["systems"]["cnn_blstm_sa"]["paper_name"] == "CNN-BLSTM-SA"
    assert results["systems"]["cnn_blstm_sa"]["paper"] == pytest.approx({"wa": 0.581, "ua": 0.598})


def test_what_does_not_exist_is_null() -> None:
    """One fold has no deviation, and a class without references no recall."""
    predictions = Predictions(
        ("ang", "joy", "sad"), {"x": {"1": {"1": fold("1", "aaas", None)}}}, {}
    )
    run = {"seeds": ["1"], "folds": ["1"], "protocol": {}}
    results = assemble_results(predictions, {}, run)
    json.dumps(results, allow_nan=False)
    assert results["systems"]["x"]["wa_fold_sd"] is None
    assert results["systems"]["x"]["recall"] == {"ang": 1.0, "joy": None, "sad": 1.0}
    curve = [
        {"epoch": 1, "valid_wer": 0.5, "seconds": 2.0},
        {"epoch": 2, "valid_wer": math.nan, "seconds": 3.0},
    ]
    reached = {"num_epochs": 2, "valid_loss": None, "valid_wer": None, "wall_seconds": 5.0}
    assert last_epoch(curve) == reached


def test_the_papers_names_and_figures_are_for_its_systems_and_its_protocol() -> None:
    assert paper_name("transformer_tl", ()) == "Transformer (TL)"
    assert paper_name("transformer_tl", {"transformer_tl"}) is None, "of a published encoder"
    conf = ROOT / "egs" / "iemocap" / "conf"
    for name, expected in (("paper", 67.1), ("espnet", None), ("speechbrain", None)):
        protocol = load_config(conf / "protocol" / f"{name}.yaml", ProtocolConfig).model_dump()
        found = read_paper_results(conf, json.loads(json.dumps(protocol))).get("transformer_tl")
        assert (found and found.wa) == expected, name
