"""Stage 4 on a tiny recipe: what a run reads, and what it must not."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import SYSTEMS, reseal, write_feature_dir
from tiny_recipe import (
    BPE,
    CONF,
    EXP,
    FEATS,
    LABELS,
    PRETRAIN_PATH,
    PROTOCOL,
    change_config,
    change_system,
    epochs,
    finetune_run,
    is_trained,
    pretrain_run,
    weights,
    write_emotion_feats,
    write_folds_of,
)

from ser.base.errors import SerError, StoppedError
from ser.config.pretraining import encoders_needed
from ser.config.schema import PretrainConfig
from ser.corpus.fold_files import TRAIN, in_part, read_fold
from ser.data.batch import Batch
from ser.data.utterances import read_feature_dir
from ser.feats.speed_copies import speed_dir, speed_prefix, speed_tables
from ser.kaldi.table import read_table, write_table
from ser.nn.losses import Loss, multitask_loss
from ser.nn.weights import load_weights
from ser.predict.folds import predict_all
from ser.text.bpe import Tokenizer
from ser.train import finetune as finetune_module
from ser.train import split as split_module
from ser.train.ctc_targets import encode_transcripts
from ser.train.finetune import finetune
from ser.train.pretrain import pretrain

pytestmark = pytest.mark.usefixtures("recipe")

PRETRAINED = EXP / "pretrain" / "ctc" / "model.safetensors"


@pytest.mark.parametrize("system", SYSTEMS)
def test_trains_a_system(system: str) -> None:
    run = finetune_run(system)
    finetune(run)
    assert run.folder == EXP / system / "seed1" / "fold1"
    names = load_weights(run.folder / "model.safetensors").keys()
    assert ("ctc_head.weight" in names) == (system == "transformer_tl_mtl")
    assert [entry["epoch"] for entry in epochs(run)] == [1, 2, 3]
    for entry in epochs(run):
        assert ("ctc_loss" in entry) == (system == "transformer_tl_mtl")
        assert "valid_ua" not in entry, "the paper's protocol has no validation set"
        alpha_times_ctc = 0.6 * entry.get("ctc_loss", 0.0)
        assert entry["loss"] == pytest.approx(entry["emotion_loss"] + alpha_times_ctc, rel=1e-4)
    record = json.loads((run.folder / "run.json").read_text())
    assert record["notes"]["num_steps"] == 3 * 3
    assert record["notes"]["num_threads"] == 1
    seconds, fold = read_table(FEATS / "ser" / "utt2dur"), read_fold(EXP / "folds", "1")
    longest = max(float(seconds[utt]) for utt in in_part(fold, TRAIN))
    assert record["notes"]["longest_seconds"] == longest
    pretrained = str(EXP / "pretrain" / "ctc") in record["inputs"]
    assert pretrained == ("tl" in system)
    assert (str(BPE) in record["inputs"]) == (system == "transformer_tl_mtl")
    before = (run.folder / "model.safetensors").stat().st_mtime_ns
    finetune(run)
    assert (run.folder / "model.safetensors").stat().st_mtime_ns == before


def test_a_run_goes_on_with_other_keys_that_change_no_result() -> None:
    """And so does what was trained, pre-trained and predicted with the former ones."""
    undisturbed, run = finetune_run("transformer_tl", "2"), finetune_run("transformer_tl")
    change_system("transformer_tl", training__checkpoint_steps=2)
    finetune(undisturbed)
    finetune(run)
    before = weights(run)
    shutil.rmtree(run.folder)
    with pytest.raises(StoppedError, match="stopped after step 1 of 9"):
        finetune(replace(run, deadline=time.monotonic() - 1))
    now = {"training__num_loader_workers": 1, "training__checkpoint_minutes": 3.0}
    change_system("transformer_tl", **now)
    change_config(PRETRAIN_PATH, PretrainConfig, **now)
    with pytest.raises(StoppedError, match="stopped after step 2 of 9"):
        finetune(replace(run, deadline=time.monotonic() - 1))
    finetune(run)
    assert weights(run) == before
    assert is_trained(undisturbed) and is_trained(run)
    predict_all([undisturbed, run])
    pretrained = PRETRAINED.stat().st_mtime_ns
    pretrain(pretrain_run())
    assert PRETRAINED.stat().st_mtime_ns == pretrained


@pytest.mark.parametrize("system", ["transformer_tl", "transformer_tl_mtl", "transformer"])
def test_starts_from_the_pretrained_weights(system: str) -> None:
    """At a vanishing learning rate what comes out is what went in."""
    change_system(system, optimizer__learning_rate=1e-20)
    finetune(finetune_run(system))
    tuned = load_weights(finetune_run(system).folder / "model.safetensors")
    pretrained = load_weights(PRETRAINED)
    shared = [name for name in pretrained if name in tuned]
    assert len(shared) == len(pretrained) - (0 if "mtl" in system else 2)
    same = all(torch.allclose(tuned[n], pretrained[n], rtol=0, atol=1e-15) for n in shared)
    assert same == ("tl" in system)


@pytest.mark.parametrize("protocol", ["none", "next_fold"])
def test_the_held_out_fold_is_never_heard(protocol: str) -> None:
    """Its features may be anything: not one bit of the weights changes."""
    if protocol == "next_fold":
        update = {"validation": "next_fold", "selection": "best_valid_ua"}
        write_folds_of(PROTOCOL.model_copy(update=update))
    run = finetune_run("transformer_tl_mtl", fold="3")
    finetune(run)
    heard = weights(run)
    write_emotion_feats(nan_session="3")
    again = finetune_run("transformer_tl_mtl", fold="3", exp_dir=Path("elsewhere"))
    again.exp_dir.mkdir()
    (again.exp_dir / "folds").symlink_to((EXP / "folds").resolve())
    finetune(again)
    assert weights(again) == heard
    with pytest.raises(SerError, match="expected finite numbers"):
        finetune(finetune_run("transformer_tl_mtl", fold="1"))


def test_validation_set_selects() -> None:
    update = {"validation": "next_fold", "selection": "best_valid_ua"}
    write_folds_of(PROTOCOL.model_copy(update=update))
    run = finetune_run("transformer")
    finetune(run)
    for entry in epochs(run):
        assert 0 <= entry["valid_ua"] <= 1
        # Eight utterances, two of each class: accuracies over them agree.
        assert entry["valid_wa"] == pytest.approx(entry["valid_ua"])
        assert (entry["valid_wa"] * 8) % 1 == pytest.approx(0)
    assert json.loads((run.folder / "run.json").read_text())["notes"]["num_steps"] == 3 * 2


@pytest.mark.parametrize(("selection", "kept"), [("best_valid_ua", 2), ("last", 3)])
def test_which_epoch_is_kept(monkeypatch: pytest.MonkeyPatch, selection: str, kept: int) -> None:
    write_folds_of(PROTOCOL.model_copy(update={"validation": "next_fold", "selection": selection}))
    rates, seen = iter([0.4, 0.9, 0.2]), []

    def scripted(model: torch.nn.Module, *_: object) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return {"valid_wa": 0.5, "valid_ua": next(rates)}

    monkeypatch.setattr(finetune_module, "_validate", scripted)
    run = finetune_run("transformer")
    finetune(run)
    found = load_weights(run.folder / "model.safetensors")
    same = [all(torch.equal(found[name], state[name]) for name in found) for state in seen]
    assert same == [epoch == kept for epoch in (1, 2, 3)]


@pytest.mark.parametrize("kind", ["shuffled", "random"])
def test_targets_of_an_ablation_are_trained_on(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    change_system("transformer_tl_mtl", ctc__targets=kind)
    change_system("transformer_tl_mtl", ctc__max_too_short_prob=0.99)
    seen: list[dict[str, list[int]]] = []
    compute = finetune_module.emotion_loss

    def spy(*given: object) -> object:
        inner = compute(*given)

        def loss_of(network: torch.nn.Module, batch: Batch) -> Loss:
            rows = zip(batch.utts, batch.tokens, batch.token_lens, strict=True)
            seen.append({utt: tokens[:size].tolist() for utt, tokens, size in rows})
            return inner(network, batch)

        return loss_of

    monkeypatch.setattr(finetune_module, "emotion_loss", spy)
    run = finetune_run("transformer_tl_mtl")
    finetune(run)
    features = read_feature_dir(run.feats)
    true = encode_transcripts(features, Tokenizer.load(BPE / "bpe.model"))
    trained = {utt: tokens for batch in seen for utt, tokens in batch.items()}
    assert len(trained) > 5
    changed = [utt for utt, tokens in trained.items() if tokens != true[utt]]
    assert len(changed) > len(trained) / 2
    lengths = sorted(map(len, trained.values()))
    assert lengths == sorted(len(true[utt]) for utt in trained)


def test_a_class_that_does_not_validate_is_left_out_of_its_ua() -> None:
    write_folds_of(PROTOCOL.model_copy(update={"validation": "next_fold"}))
    run = finetune_run("transformer")
    path = EXP / "folds" / "fold1"
    parts = {
        utt: part
        for utt, part in read_table(path).items()
        if part != "valid" or not utt.endswith("sad")
    }
    write_table(path, parts)
    reseal(path.parent)
    finetune(run)
    for entry in epochs(run):  # two utterances of each of three classes
        assert entry["valid_ua"] == pytest.approx(entry["valid_wa"])
        right = 6 * entry["valid_wa"]
        assert right == pytest.approx(round(right), abs=1e-4)


def test_a_run_goes_on_with_the_threads_that_it_began_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change_system("transformer", training__checkpoint_steps=2)
    threads: list[int] = []

    def stop(*arguments: object) -> Loss:
        threads.append(torch.get_num_threads())
        if len(threads) == 6:
            raise KeyboardInterrupt
        return multitask_loss(*arguments)

    monkeypatch.setattr(finetune_module, "multitask_loss", stop)
    with pytest.raises(KeyboardInterrupt):
        finetune(finetune_run("transformer", num_threads=2))
    finetune(finetune_run("transformer", num_threads=1))
    assert set(threads) == {2}
    record = json.loads((finetune_run("transformer").folder / "run.json").read_text())
    assert record["notes"]["num_threads"] == 2
    torch.set_num_threads(1)


def write_copy(factor: float) -> None:
    """The copy of stage 1 at another speed: every other frame, as if twice as fast."""
    features = read_feature_dir(FEATS / "ser")
    prefix = speed_prefix(factor)
    feats = {prefix + utt: features.feats[utt][::2] for utt in features.num_frames}
    constant = ("wav.scp", "utt2dur", "utt2num_frames", "feats.scp")
    tables = speed_tables(features.data.tables, factor)
    tables = {name: table for name, table in tables.items() if name not in constant}
    write_feature_dir(speed_dir(FEATS / "ser", factor), feats, tables, {})


def test_copies_at_other_speeds_are_trained_on_and_never_validated_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_folds_of(PROTOCOL.model_copy(update={"validation": "next_fold"}))
    change_system("transformer_tl_mtl", training__speed_factors=[2.0])
    run = finetune_run("transformer_tl_mtl")
    with pytest.raises(SerError, match=r"dump/fbank/ser_sp2: not there.*--stage 1"):
        finetune(run)
    write_copy(2.0)
    parts: list[list[str]] = []
    original = split_module.select

    def look(*arguments: object):
        chosen = original(*arguments)
        parts.append([u.utt for u in chosen])
        return chosen

    monkeypatch.setattr(split_module, "select", look)
    finetune(run)
    train, valid = parts
    originals = [utt for utt in train if not utt.startswith("sp2-")]
    assert sorted(train) == sorted([*originals, *(f"sp2-{utt}" for utt in originals)])
    assert {utt[4] for utt in originals} == {"3"}, "fold 1 is held out, fold 2 validates"
    assert {utt[4] for utt in valid} == {"2"}
    assert not any(utt.startswith("sp2-") for utt in valid)
    assert str(FEATS / "ser_sp2") in json.loads((run.folder / "run.json").read_text())["inputs"]


def test_order_of_the_classes_is_that_of_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}
    original = split_module.select

    def look(*arguments: object):
        chosen = original(*arguments)
        seen.update({u.utt: u.label for u in chosen})
        return chosen

    monkeypatch.setattr(split_module, "select", look)
    finetune(finetune_run("transformer"))
    assert len(seen) == 16 and not any(utt.startswith("Ses01") for utt in seen)
    assert all(LABELS.names[label] == utt.split("-")[1] for utt, label in seen.items())


def test_encoders_needed() -> None:
    assert list(encoders_needed(CONF, SYSTEMS)) == ["ctc"]
    assert encoders_needed(CONF, SYSTEMS[:2]) == {}
    with pytest.raises(SerError, match=r"systems/nosuch\.yaml"):
        encoders_needed(CONF, ["nosuch"])
