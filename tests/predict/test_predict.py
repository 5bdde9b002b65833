"""Stage 5 on a tiny recipe: each model on the fold that it never saw."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from programs import call
from tiny import FBANK, SYSTEMS, tsv_rows
from tiny_audio import train
from tiny_recipe import (
    BPE,
    CONF,
    EXP,
    FEATS,
    LABELS,
    PROTOCOL_PATH,
    SHORT_UTT,
    WORDS,
    change_system,
    finetune_run,
    write_emotion_feats,
)

from ser.base.errors import SerError
from ser.base.files import digest_file, read_json
from ser.base.record import Record, read_record, require
from ser.predict import folds as predict_module
from ser.predict.folds import predict_all
from ser.score.predictions.experiment import read_predictions
from ser.train.engine import forward
from ser.train.finetune import finetune
from ser.train.launch.local import finetune_all
from ser.train.resolve import FinetuneRun

PREDICTIONS = EXP / "predictions"
COLUMNS = ["utt", "spk", "session", "fold_list", "ref", "hyp"]
COLUMNS += [*(f"post_{n}" for n in WORDS), "ref_text"]


@pytest.fixture(autouse=True)
def recipe_here(recipe: Path) -> Path:
    return recipe


def table(system: str, fold: str = "1") -> list[dict[str, str]]:
    return tsv_rows((PREDICTIONS / system / f"seed1_fold{fold}.tsv").read_text())


def count_tables(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that are written from here on."""
    written: list[str] = []
    original = predict_module._write_table

    def write(path: Path, *arguments: object) -> None:
        written.append(f"{path.parent.name}/{path.stem}")
        original(path, *arguments)

    monkeypatch.setattr(predict_module, "_write_table", write)
    return written


def test_after_a_training_on_a_cluster_with_more_machines_and_gpus() -> None:
    train("cnn_blstm_sa", "1")
    words = f"--conf {CONF} --protocol {PROTOCOL_PATH} --systems cnn_blstm_sa --seeds 1 --folds 1"
    folders = f"--feats {FEATS / 'ser'} --bpe {BPE} --pretrain {EXP / 'pretrain'} --exp-dir {EXP}"
    asked = f"{words} {folders} --jobs 100 --ngpu {torch.cuda.device_count() + 1}".split()
    said = call("predict", *asked, "--cmd", "slurm")
    assert said.status == 0, said.err
    assert call("predict", *asked).status == 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_table_of_a_system(system: str) -> None:
    finetune(finetune_run(system, fold="2"))
    predict_all([finetune_run(system, fold="2")])
    rows = table(system, "2")
    with_ctc = system == "transformer_tl_mtl"
    assert [list(row) for row in rows] == [COLUMNS + ["ctc_text"] * with_ctc] * 8
    assert [row["utt"] for row in rows] == [f"Ses02{s}-{e}" for s in "FM" for e in WORDS]
    for row in rows:
        assert row["spk"] == row["utt"].split("-")[0]
        assert row["session"] == "2"
        assert row["fold_list"] == f"fold2@{digest_file(EXP / 'folds' / 'fold2')[:16]}"
        assert row["ref"] == row["utt"].split("-")[1]
        assert row["ref_text"] == ("" if row["utt"] == SHORT_UTT else WORDS[row["ref"]])
        posteriors = {name: float(row[f"post_{name}"]) for name in LABELS.names}
        assert sum(posteriors.values()) == pytest.approx(1, abs=5e-6)
        assert row["hyp"] == max(posteriors, key=lambda name: posteriors[name])


@pytest.mark.slow
@pytest.mark.parametrize("system", ["cnn_blstm_sa", "transformer_tl_mtl"])
def test_ten_minutes_are_trained_on_and_predicted(system: str) -> None:
    write_emotion_feats(long_utt="Ses01F-ang")
    change_system(system, training__max_epochs=1)
    if system != "cnn_blstm_sa":  # one head instead of four: a quarter of the memory and the time
        change_system(system, init="scratch", model__num_heads=1)
    tested, trained_on = finetune_run(system, "1"), finetune_run(system, "2")
    finetune_all([tested, trained_on], 1)
    predict_all([tested, trained_on])
    warning = "1 utterances of more than 6000 frames, Ses01F-ang first with 59998"
    assert warning in (trained_on.folder / "train.log").read_text()
    (long,) = [row for row in table(system) if row["utt"] == "Ses01F-ang"]
    assert sum(float(long[f"post_{name}"]) for name in WORDS) == pytest.approx(1, abs=5e-6)


def test_whole_chain_learns_and_every_utterance_is_predicted_once() -> None:
    """Trained long enough, the models tell what was put into the features."""
    systems, folds = ("cnn_blstm_sa", "transformer_tl_mtl"), ("1", "2", "3")
    for system in systems:
        change_system(system, optimizer__learning_rate=5e-3)
        change_system(system, training__max_epochs=15)
    for system in systems:
        train(system)
    predict_all([finetune_run(system, fold) for system in systems for fold in folds])
    predictions = read_predictions(PREDICTIONS, systems, ["1"], folds)
    for system in systems:
        by_fold = predictions.folds[system]["1"]
        for fold in folds:
            assert {p.session for p in by_fold[fold]} == {fold}
        every = [p for fold in folds for p in by_fold[fold]]
        assert len({p.utt for p in every}) == len(every) == 24
        assert sum(p.ref == p.hyp for p in every) >= 20, system
    assert predictions.attributes.keys() == {"gender", "emo_raw", "cue", "dur"}
    assert len(require(PREDICTIONS, 5)["notes"]["sources"]) == 6


def test_a_table_does_not_depend_on_the_batches() -> None:
    finetune(finetune_run("transformer_tl_mtl"))
    predict_all([finetune_run("transformer_tl_mtl")])
    together = table("transformer_tl_mtl")
    split = forward.split_by_frames
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "split_by_frames", lambda lens, *limits: split(lens, 1))
        (PREDICTIONS / "transformer_tl_mtl" / "seed1_fold1.tsv").unlink()
        predict_all([finetune_run("transformer_tl_mtl")])
    for a, b in zip(together, table("transformer_tl_mtl"), strict=True):
        assert [a[n] for n in ("utt", "hyp", "ctc_text")] == [
            b[n] for n in ("utt", "hyp", "ctc_text")
        ]
        for name in LABELS.names:
            assert float(a[f"post_{name}"]) == pytest.approx(float(b[f"post_{name}"]), abs=1e-5)


def test_attributes_are_those_of_the_corpus() -> None:
    finetune(finetune_run("transformer"))
    predict_all([finetune_run("transformer")])
    header, *rows = (
        line.split("\t") for line in (PREDICTIONS / "attributes.tsv").read_text().splitlines()
    )
    assert header == ["utt", "gender", "emo_raw", "cue", "dur"]
    assert len(rows) == 24
    told = {row[0]: row[1:4] for row in rows}
    assert told["Ses01F-ang"] == ["f", "ang", "prosody"]
    assert told["Ses03M-sad"] == ["m", "sad", "words"]


def test_only_what_is_new_is_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [finetune_run("transformer", fold) for fold in "12"]
    train("transformer", "12")
    written = count_tables(monkeypatch)
    predict_all(runs[:1])
    predict_all(runs)
    assert written == ["transformer/seed1_fold1", "transformer/seed1_fold2"]
    inputs = {str(run.folder) for run in runs}
    assert json.loads((PREDICTIONS / "run.json").read_text())["inputs"].keys() == inputs
    predict_all(runs[1:])
    assert json.loads((PREDICTIONS / "run.json").read_text())["inputs"].keys() == inputs
    record = (PREDICTIONS / "run.json").read_text()
    monkeypatch.setattr("ser.base.record.git_commit", lambda: "a later one")
    predict_all(runs)  # which writes no table: the record stays that of those that are there
    assert (PREDICTIONS / "run.json").read_text() == record
    (PREDICTIONS / "transformer" / "seed1_fold1.tsv").unlink()
    predict_all(runs)
    assert "a later one" in (PREDICTIONS / "run.json").read_text()
    assert written[2:] == ["transformer/seed1_fold1"]


def test_weights_file_ties_a_table_to_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    run = finetune_run("transformer")
    finetune(run)
    predict_all([run])
    before = table("transformer")
    made_from = PREDICTIONS / "transformer" / "seed1_fold1.sha256"
    assert made_from.exists()
    change_system("transformer", optimizer__learning_rate=2e-3)
    finetune(finetune_run("transformer", force=True))
    predict_all([run])
    assert table("transformer") != before
    written = count_tables(monkeypatch)
    made_from.write_text("killed before it was written")
    predict_all([run])
    made_from.unlink()
    predict_all([run])
    path = made_from.with_suffix(".tsv")
    path.write_text(path.read_text()[:200])  # cut behind our back
    predict_all([run])
    assert len(written) == 3


def test_new_transcripts_reach_the_table_though_the_weights_are_the_same() -> None:
    """A system without CTC never reads the words, but its table shows them."""
    run = finetune_run("transformer")
    finetune(run)
    predict_all([run])
    weights = (run.folder / "model.safetensors").read_bytes()
    text = FEATS / "ser" / "text"
    text.write_text(text.read_text().replace("GO AWAY", "GO"))
    Record(FEATS / "ser", 1, FBANK.model_dump() | {"other": "text"}, {}).finish()
    finetune(finetune_run("transformer", force=True))
    assert (run.folder / "model.safetensors").read_bytes() == weights
    predict_all([run])
    assert table("transformer")[0]["ref_text"] == "GO"


def test_two_calls_at_once_are_one_after_the_other() -> None:
    for system in ("transformer", "cnn_blstm_sa"):
        train(system, "1")
    with ThreadPoolExecutor(2) as pool:  # each opens the lock for itself, as two processes do
        calls = ([finetune_run(system)] for system in ("transformer", "cnn_blstm_sa"))
        list(pool.map(predict_all, calls))
    names = {Path(name).parts[-3] for name in read_record(PREDICTIONS)["inputs"]}
    assert names == {"transformer", "cnn_blstm_sa"}


def test_what_a_call_beside_it_knows_of_its_systems_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    train("transformer", "1")
    train("cnn_blstm_sa", "1")
    source, write = predict_module._source, predict_module._write_table

    def with_prior(run: FinetuneRun, *others: Any) -> Any:
        prior = priors.get(run.system)
        return replace(source(run, *others), speaker_prior=prior)

    def write_and_be_overtaken(path: Path, run: FinetuneRun, *others: Any) -> None:
        if run.system == "transformer":
            predict_all([finetune_run("cnn_blstm_sa")])
        write(path, run, *others)

    priors = {"cnn_blstm_sa": 3.0}
    monkeypatch.setattr(predict_module, "_source", with_prior)
    monkeypatch.setattr(predict_module, "_write_table", write_and_be_overtaken)
    predict_all([finetune_run("transformer")])
    made = read_record(PREDICTIONS)
    assert (len(made["inputs"]), made["notes"]["speaker_prior"]) == (2, {"cnn_blstm_sa": 3.0})
    priors.clear()
    shutil.rmtree(PREDICTIONS / "transformer")
    predict_all([finetune_run("transformer")])
    assert read_record(PREDICTIONS)["notes"]["speaker_prior"] == {}


def test_a_record_and_a_digest_that_were_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    finetune(finetune_run("transformer"))
    predict_all([finetune_run("transformer")])
    path = PREDICTIONS / "run.json"
    values = read_json(path)
    path.write_text(json.dumps(values | {"inputs": values["inputs"] | {"a": "1", "\0/b/c": "2"}}))
    (PREDICTIONS / "transformer" / "seed1_fold1.sha256").write_bytes(b"\xff")
    written = count_tables(monkeypatch)
    predict_all([finetune_run("transformer")])
    assert written == ["transformer/seed1_fold1"]
    assert list(read_record(PREDICTIONS)["inputs"]) == list(values["inputs"])


def test_killed_before_the_end_leaves_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [finetune_run("transformer", fold) for fold in "12"]
    train("transformer", "12")
    predict_all(runs)
    change_system("transformer", optimizer__learning_rate=2e-3)
    for fold in "12":
        finetune(finetune_run("transformer", fold, force=True))
    original = predict_module.predict_parts

    def stop(run, *arguments):
        if run.run.fold == "2":
            raise KeyboardInterrupt
        return original(run, *arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(predict_module, "predict_parts", stop)
        predict_all(runs)
    with pytest.raises(SerError, match="--stage 5"):
        require(PREDICTIONS, 5)
    written = count_tables(monkeypatch)
    predict_all(runs)
    assert written == ["transformer/seed1_fold2"]
    require(PREDICTIONS, 5)


def test_run_of_another_pretraining_names_stage_4() -> None:
    finetune(finetune_run("transformer_tl"))
    encoder = EXP / "pretrain" / "ctc"
    Record(encoder, 3, read_record(encoder)["config"] | {"seed": 2}, {}).finish()
    with pytest.raises(SerError, match="--stage 4"):
        predict_all([finetune_run("transformer_tl")])
