"""The model card: what it was trained on, what it reached, and what it is not for."""

import re
from dataclasses import replace
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from markdown_it import MarkdownIt
from tiny_audio import packing, train
from tiny_recipe import EXP, PROTOCOL, change_system, finetune_run, write_folds_of

from ser.base.errors import SerError
from ser.base.files import digest_file, read_json
from ser.base.writing import write_json
from ser.release.card import write_card
from ser.release.pack import _temperature, pack
from ser.train.finetune import finetune


def test_what_the_card_says(package: Path) -> None:
    card = (package / "README.md").read_text()
    for said in (
        "in this order: ang, hap, neu, sad",
        "an ensemble of 3 models",
        "Data: tiny. Recipe `recipe`, folds by session, here 1 2 3, seed 1",
        "Of the weights: MIT. Of the training data: CC-BY-4.0",
        "Protocol: no test speaker is heard in training; selection `last` of the epochs, "
        "validation\n`none`.",
        "The last stage 6 has not scored this system with this seed",
        "fitted to 24",
        "Unsuitable",
    ):
        assert said in card, said


def card_of(**changes: Any) -> str:
    values = {
        "name": "model",
        "system": "transformer_tl",
        "version": "1",
        "labels": ["ang", "sad"],
        "temperature": 1.0,
        "speaker_prior": None,
        "row": None,
        "licence": "CC-BY-4.0",
        "recipe": "tiny",
        "data": "tiny",
        "data_licence": "CC-BY-4.0",
        "languages": ["en"],
        "seed": 1,
        "folds": ["1"],
        "protocol": PROTOCOL.model_dump(),
        "weights": "ensemble",
        "num_calibrated_on": 0,
        "published": None,
    }
    return write_card(**(values | changes))


@pytest.mark.parametrize("is_published", [True, False])
def test_an_encoder_is_called_by_its_own_name(is_published: bool) -> None:
    source = {"name": "openai/whisper-tiny.en", "revision": "0" * 40, "licence": "MIT", "note": ""}
    sha256 = {"model.safetensors": "ab"}
    card = card_of(published={**source, "sha256": sha256, "is_published": is_published})
    assert ("base_model: openai/whisper-tiny.en" in card) == is_published
    assert ("revision\n" + "0" * 40 + ", licence MIT" in card) == is_published
    assert ("of the size of openai/whisper-tiny.en with other weights" in card) != is_published
    assert ("that they started from: MIT" in card) == is_published


MARKUP = ("<script>", "![b](http://evil.invalid/x.png)", "<unk>", "a|b")


def test_names_are_no_markup() -> None:
    names = {"licence": "<b>", "recipe": "`tiny`", "data": "# tiny", "data_licence": "[x](y)"}
    card = card_of(labels=MARKUP, folds=["<i>"], **names)
    body = card.partition("\n---\n")[2]
    html = MarkdownIt().enable("table").render(body)
    assert not re.search('<(script|img|b|i|unk)>|evil[^<]*"', html)
    for name in (*MARKUP, "<i>", *names.values()):
        assert escape(name) in html, name


def test_what_stands_in_the_card_is_one_line(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(SerError, match=r"'tiny\\n# forged': not one line; expected one"):
        pack(packing(data="tiny\n# forged"), tmp_path / "again")


ROW = {"wa": 0.71234, "ua": 0.7, "wa_interval": [0.6, 0.8], "ua_interval": None}
ROW |= {"num_utts": 24, "seeds": {"1": {}}}


def write_results(**row: Any) -> None:
    names = [f"predictions/transformer_tl_mtl/seed1_fold{k}.tsv" for k in "123"]
    digests = {name: digest_file(EXP / name) for name in names}
    systems = {"transformer_tl_mtl": ROW | row}
    write_json(EXP / "results.json", {"systems": systems, "digests": digests})


def test_the_card_keeps_the_estimate_apart_from_the_ensemble(package: Path) -> None:
    write_results()
    pack(packing(), package)
    card = (package / "README.md").read_text()
    assert "WA 71.2 [60.0, 80.0] %, UA 70.0 % (95 % intervals); 24 utterances, seeds 1." in card
    assert "It is no\nfigure of this package**, whose members have heard the test turns" in card
    write_results(wa_interval=None)
    pack(packing(), package)
    assert "WA 71.2 %, UA 70.0 %; 24 utterances" in (package / "README.md").read_text()


def test_who_packs_is_told_of_the_names_in_the_card(package: Path, log: Any) -> None:
    of_anna = {"wa": 0.5, "ua": 0.5, "num_utts": 4}
    write_results(by_speaker={"anna": of_anna})
    pack(packing(), package)
    assert "| speaker anna |" in (package / "README.md").read_text()
    assert log.find("the card gives figures of speaker anna; where names are private, use codes")


def test_a_row_of_other_predictions_is_refused(package: Path, tmp_path: Path) -> None:
    write_results()
    results = read_json(EXP / "results.json")
    table = next(iter(results["digests"]))
    write_json(EXP / "results.json", results | {"digests": {table: "of another"}})
    with pytest.raises(SerError, match=r"results\.json: of another predictions/.* run \./run\.sh"):
        pack(packing(), tmp_path / "again")
    write_json(EXP / "results.json", [])
    with pytest.raises(SerError, match=r"results\.json: .*; expected what stage 6 writes"):
        pack(packing(), tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_figures_of_other_runs_are_not_those_of_the_packed_ones(
    package: Path, tmp_path: Path
) -> None:
    write_results()
    finetune(finetune_run("transformer_tl_mtl", fold="1", seed=2))
    pack(packing(seed=2, folds=("1",)), tmp_path / "unscored")
    card = (tmp_path / "unscored" / "README.md").read_text()
    assert "has not scored this system with this seed" in card and "WA 71" not in card
    change_system("transformer_tl_mtl", optimizer__learning_rate=0.01)
    finetune(finetune_run("transformer_tl_mtl", fold="2", force=True))
    said = r"results\.json: has figures of .*fold2 too: .*learning_rate"
    with pytest.raises(SerError, match=said):
        pack(packing(folds=("1",)), tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()


def test_a_card_of_a_speaker_dependent_protocol_of_an_experiment(
    recipe: Path, tmp_path: Path
) -> None:
    protocol = PROTOCOL.model_copy(
        update={
            "speaker_dependent": True, "validation": "next_fold", "selection": "best_valid_ua"
        }
    )  # fmt: skip
    write_folds_of(protocol)
    train("transformer", "1")
    Path("exp").rename("moved")
    Path("exp").mkdir()
    Path("moved").rename("exp/mine")
    pack(replace(packing(folds=("1",)), system=Path("exp/mine/transformer")), tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Recipe `recipe`" in card
    assert (
        "Protocol: **speaker-dependent**, test speakers are heard in training; selection "
        "`best_valid_ua` of the epochs, validation\n`next_fold`."
    ) in card
    assert "Not calibrated" in card and "divided by" not in card


def test_no_temperature_fits_what_is_all_right() -> None:
    rows = [SimpleNamespace(posteriors=(0.4, 0.3, 0.3), ref="a") for _ in range(8)]
    assert _temperature(rows, ("a", "b", "c")) is None  # each lower one would fit better
    assert _temperature([], ("a", "b", "c")) is None
    rows.append(SimpleNamespace(posteriors=(0.9, 0.05, 0.05), ref="b"))
    found = _temperature(rows, ("a", "b", "c"))
    assert found is not None and 0.1 < found < 10
