"""Stage 4 on a tiny recipe: what a run reads, and what it must not."""

import json
from pathlib import Path

import pytest
import torch
from tiny import SYSTEMS, encoder_config, write_feature_dir
from tiny_recipe import (
    BPE,
    CONF,
    EXP,
    FEATS,
    LABELS,
    PROTOCOL,
    change_system,
    finetune_run,
    write_config,
    write_emotion_feats,
    write_folds_of,
)

from ser.base.errors import SerError
from ser.base.record import Record, sole_run
from ser.data.utterances import read_feature_dir
from ser.feats.speed import speed_dir, speed_prefix, speed_tables
from ser.kaldi.table import read_table, write_table
from ser.nn.losses import Loss, multitask_loss
from ser.train import finetune as finetune_module
from ser.train.checkpoint import load_weights
from ser.train.finetune import FinetuneRun, encoders_needed, finetune

pytestmark = pytest.mark.usefixtures("recipe")


def weights(run: FinetuneRun) -> bytes:
    return (run.folder / "model.safetensors").read_bytes()


def epochs(run: FinetuneRun) -> list[dict[str, float]]:
    entries = map(json.loads, (run.folder / "train.jsonl").read_text().splitlines())
    return [
        {
            k: v
            for k, v in entry.items()
            if k not in ("seconds", "speech_hours_per_hour", "minutes_left")
        }
        for entry in entries
        if entry["scope"] == "epoch"
    ]


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
    pretrained = str(EXP / "pretrain" / "ctc") in record["inputs"]
    assert pretrained == ("tl" in system)
    assert (str(BPE) in record["inputs"]) == (system == "transformer_tl_mtl")
    before = (run.folder / "model.safetensors").stat().st_mtime_ns
    finetune(run)
    assert (run.folder / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("system", ["transformer_tl", "transformer_tl_mtl", "transformer"])
def test_starts_from_the_pretrained_weights(system: str) -> None:
    """At a vanishing learning rate what comes out is what went in."""
    change_system(system, optimizer__learning_rate=1e-20)
    finetune(finetune_run(system))
    tuned = load_weights(finetune_run(system).folder / "model.safetensors")
    pretrained = load_weights(EXP / "pretrain" / "ctc" / "model.safetensors")
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
    assert not (run.folder / "best.safetensors").exists()


def test_interrupted_and_resumed_equals_run_through(monkeypatch: pytest.MonkeyPatch) -> None:
    change_system("transformer_tl_mtl", training__checkpoint_minutes=1e-12)
    through = finetune_run("transformer_tl_mtl", exp_dir=Path("through"))
    for folder in ("through", "resumed"):
        Path(folder).mkdir()
        (Path(folder) / "folds").symlink_to((EXP / "folds").resolve())
    finetune(through)
    resumed = finetune_run("transformer_tl_mtl", exp_dir=Path("resumed"))
    calls = 0

    def stop(*arguments: object) -> Loss:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return multitask_loss(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(finetune_module, "multitask_loss", stop)
        finetune(resumed)
    assert not (resumed.folder / "run.json").exists()
    assert (resumed.folder / "checkpoint").exists()
    torch.manual_seed(99)
    torch.rand(7)
    finetune(resumed)
    assert weights(resumed) == weights(through)
    assert epochs(resumed) == epochs(through)
    assert not (resumed.folder / "checkpoint").exists()


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
    original = finetune_module.select

    def look(*arguments: object):
        chosen = original(*arguments)
        parts.append([u.utt for u in chosen])
        return chosen

    monkeypatch.setattr(finetune_module, "select", look)
    finetune(run)
    train, valid = parts
    originals = [utt for utt in train if not utt.startswith("sp2-")]
    assert sorted(train) == sorted([*originals, *(f"sp2-{utt}" for utt in originals)])
    assert {utt[4] for utt in originals} == {"3"}, "fold 1 is held out, fold 2 validates"
    assert {utt[4] for utt in valid} == {"2"}
    assert not any(utt.startswith("sp2-") for utt in valid)
    assert str(FEATS / "ser_sp2") in json.loads((run.folder / "run.json").read_text())["inputs"]


def test_patience_needs_a_validation_set() -> None:
    change_system("transformer", training__patience_epochs=2)
    with pytest.raises(SerError, match=r"^transformer: training\.patience_epochs 2 with"):
        finetune(finetune_run("transformer"))
    write_folds_of(PROTOCOL.model_copy(update={"validation": "next_fold"}))
    finetune(finetune_run("transformer"))


def test_another_configuration_refuses_and_force_moves_aside() -> None:
    run = finetune_run("transformer")
    finetune(run)
    before = weights(run)
    change_system("transformer", training__max_epochs=1)
    with pytest.raises(SerError, match=r"system\.training\.max_epochs was 3 and is 1.*--force"):
        finetune(run)
    assert weights(run) == before
    finetune(finetune_run("transformer", force=True))
    assert len(epochs(run)) == 1
    (aside,) = run.folder.parent.glob("fold1.*")
    assert (aside / "model.safetensors").read_bytes() == before
    assert (aside / "run.json").exists()


def test_force_leaves_a_finished_run_of_this_configuration() -> None:
    finetune(finetune_run("transformer"))
    before = (finetune_run("transformer").folder / "run.json").read_bytes()
    finetune(finetune_run("transformer", force=True))
    assert (finetune_run("transformer").folder / "run.json").read_bytes() == before


def test_a_second_run_in_the_same_folder_is_refused() -> None:
    run = finetune_run("transformer")
    with sole_run(run.folder), pytest.raises(SerError, match="another run is writing here"):
        finetune(run)


def test_missing_pretraining_names_stage_3() -> None:
    (EXP / "pretrain" / "ctc" / "run.json").unlink()
    for system in SYSTEMS[2:]:
        with pytest.raises(SerError, match=r"exp/pretrain/ctc: not there.*--stage 3"):
            finetune(finetune_run(system))
    for system in SYSTEMS[:2]:
        finetune(finetune_run(system))


@pytest.mark.parametrize(
    ("path", "stage"), [(FEATS / "ser", 1), (EXP / "folds", 0), (BPE, 2)], ids=str
)
def test_missing_input_names_its_stage(path: Path, stage: int) -> None:
    (path / "run.json").unlink()
    with pytest.raises(SerError, match=f"{path}: not there.*--stage {stage}"):
        finetune(finetune_run("transformer_tl_mtl"))


def test_pretraining_of_another_bpe_names_stage_3() -> None:
    Record(BPE, 2, {"num_pieces": 30}, {}).finish()
    with pytest.raises(SerError, match=r"exp/pretrain/ctc: made from another exp/bpe.*--stage 3"):
        finetune(finetune_run("transformer_tl"))


def test_folds_of_another_protocol_are_refused() -> None:
    write_config(CONF / "protocol" / "paper.yaml", PROTOCOL.model_copy(update={"num_folds": 2}))
    with pytest.raises(SerError, match=r"num_folds was 3 and is 2.*--stage 0"):
        finetune(finetune_run("transformer"))


def test_encoder_of_another_size_is_refused() -> None:
    change_system("transformer_tl", model=encoder_config(num_blocks=2))
    with pytest.raises(SerError, match=r"blocks\.1\.attention\.output\.bias is missing.*stage 3"):
        finetune(finetune_run("transformer_tl"))


def test_unknown_fold_is_named() -> None:
    with pytest.raises(SerError, match="--folds 4: no such fold; expected some of: 1, 2, 3"):
        finetune(finetune_run("transformer", fold="4"))


def test_class_outside_the_map_is_named() -> None:
    path = FEATS / "ser" / "utt2emo"
    path.write_text(path.read_text().replace("Ses02F-ang ang", "Ses02F-ang joy"))
    with pytest.raises(SerError, match=r"Ses02F-ang has the class 'joy'.*ang, hap, neu, sad"):
        finetune(finetune_run("transformer"))


def test_class_without_a_training_utterance_is_named() -> None:
    path = FEATS / "ser" / "utt2emo"
    path.write_text("".join(f"{line[:-3]}ang\n" for line in path.read_text().splitlines()))
    with pytest.raises(SerError, match="no hap in the train part"):
        finetune(finetune_run("transformer"))


def test_order_of_the_classes_is_that_of_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}
    original = finetune_module.select

    def look(*arguments: object):
        chosen = original(*arguments)
        seen.update({u.utt: u.label for u in chosen})
        return chosen

    monkeypatch.setattr(finetune_module, "select", look)
    finetune(finetune_run("transformer"))
    assert len(seen) == 16 and not any(utt.startswith("Ses01") for utt in seen)
    assert all(LABELS.names[label] == utt.split("-")[1] for utt, label in seen.items())


def test_encoders_needed() -> None:
    assert encoders_needed(CONF, SYSTEMS) == ["ctc"]
    assert encoders_needed(CONF, SYSTEMS[:2]) == []
    with pytest.raises(SerError, match=r"systems/nosuch\.yaml"):
        encoders_needed(CONF, ["nosuch"])


def test_a_corpus_without_words_has_nothing_for_ctc() -> None:
    path = FEATS / "ser" / "text"
    write_table(path, dict.fromkeys(read_table(path), ""))
    with pytest.raises(SerError, match=r"no words in 16 training utterances.*--systems"):
        finetune(finetune_run("transformer_tl_mtl"))
    finetune(finetune_run("transformer_tl"))
