"""Stage 3 on a tiny recipe: what it writes, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import ALONE, ctc_config, optimizer_config, reseal, write_config
from tiny_recipe import BPE, EXP, FEATS, PRETRAIN_PATH, WORDS, change_config, epochs, pretrain_run

from ser.base.errors import SerError
from ser.base.record import Record, read_record
from ser.config.load import load_config
from ser.config.schema import PretrainConfig
from ser.data.utterances import FeatureDir, Utterance, read_feature_dir, select
from ser.nn.recogniser import Recogniser
from ser.nn.weights import load_weights
from ser.text.bpe import Tokenizer
from ser.train import pretrain as pretrain_module
from ser.train.ctc_targets import encode_transcripts
from ser.train.pretrain import pretrain, validate

FOLDER = EXP / "pretrain" / "ctc"
pytestmark = pytest.mark.usefixtures("recipe")


def spoken(features: FeatureDir) -> list[Utterance]:
    """All its utterances, with their tokens."""
    tokens = encode_transcripts(features, Tokenizer.load(BPE / "bpe.model"))
    return select(features, features.data.utts, tokens=tokens)


def change(**changes: object) -> None:
    change_config(PRETRAIN_PATH, PretrainConfig, **changes)


def test_leaves_weights_metrics_and_record() -> None:
    config = load_config(PRETRAIN_PATH, PretrainConfig)
    vocabulary = Tokenizer.load(BPE / "bpe.model").vocab_size
    assert vocabulary == 25
    model = Recogniser(config.encoder, vocabulary)
    model.load_state_dict(load_weights(FOLDER / "model.safetensors"))
    reported = epochs(pretrain_run())
    assert [entry["epoch"] for entry in reported] == [1, 2, 3]
    for entry in reported:
        assert entry.keys() >= {"loss", "ctc_loss", "gradient_norm", "valid_loss", "valid_wer"}
        assert entry["ctc_loss"] == entry["loss"]
    assert reported[-1]["loss"] < reported[0]["loss"]
    notes = json.loads((FOLDER / "run.json").read_text())["notes"]
    assert notes["num_parameters"] == sum(p.numel() for p in model.parameters())
    assert notes["num_steps"] == 6
    assert (FOLDER / "train.log").read_text().count("epoch") >= 3
    assert list((FOLDER / "tensorboard").glob("events*"))
    assert not (FOLDER / "checkpoint").exists()


def test_finished_run_is_left_alone() -> None:
    before = (FOLDER / "model.safetensors").stat().st_mtime_ns
    pretrain(pretrain_run())
    assert (FOLDER / "model.safetensors").stat().st_mtime_ns == before


def test_same_seed_same_bits_and_another_seed_others() -> None:
    pretrain(pretrain_run(folder=EXP / "again"))
    pretrain(pretrain_run(folder=EXP / "other", seed=2))
    first, again, other = (
        (folder / "model.safetensors").read_bytes()
        for folder in (FOLDER, EXP / "again", EXP / "other")
    )
    assert first == again != other


def test_another_configuration_refuses_and_force_moves_aside() -> None:
    before = (FOLDER / "model.safetensors").read_bytes()
    change(optimizer__learning_rate=2e-3)
    with pytest.raises(
        SerError, match=r"optimizer\.learning_rate was 0\.001 and is 0\.002.*--force"
    ):
        pretrain(pretrain_run())
    assert (FOLDER / "model.safetensors").read_bytes() == before
    pretrain(pretrain_run(force=True))
    assert (FOLDER / "model.safetensors").read_bytes() != before
    (aside,) = FOLDER.parent.glob("ctc.*")
    assert (aside / "model.safetensors").read_bytes() == before


def test_missing_subsets_stop_unless_allowed() -> None:
    data = Path("data/asr_train")
    Record(data, 0, {}, {}).finish(missing_subsets=["train-clean-360", "train-other-500"])
    with pytest.raises(SerError, match=r"train-clean-360, train-other-500 are missing.*stage 0"):
        pretrain(pretrain_run(folder=EXP / "x"))
    change(allow_missing_subsets=True)
    pretrain(pretrain_run(folder=EXP / "x"))


@pytest.mark.parametrize(
    ("path", "stage"), [(FEATS / "asr_train", 1), (FEATS / "asr_valid", 1), (BPE, 2)]
)
def test_missing_input_names_its_stage(path: Path, stage: int) -> None:
    (path / "run.json").unlink()
    with pytest.raises(SerError, match=f"{path}: not there.*--stage {stage}"):
        pretrain(pretrain_run())


def test_transcripts_too_long_for_the_encoder_stop() -> None:
    text = FEATS / "asr_train" / "text"
    lines = text.read_text().splitlines()
    text.write_text("\n".join([lines[0] + " GO AWAY" * 9, *lines[1:]]) + "\n")
    reseal(text.parent)
    with pytest.raises(SerError, match=r"1 of 12 utterances are too short.*r-00 first"):
        pretrain(pretrain_run(folder=EXP / "x"))


def test_validation_of_a_recogniser_that_says_nothing() -> None:
    """Blank with probability p everywhere: WER 1, and a loss that is known."""
    config = load_config(PRETRAIN_PATH, PretrainConfig)
    tokenizer = Tokenizer.load(BPE / "bpe.model")
    model = Recogniser(config.encoder, tokenizer.vocab_size).eval()
    with torch.no_grad():
        model.ctc_head.weight.zero_()
        model.ctc_head.bias.zero_()
        model.ctc_head.bias[0] = 1.0
    features = read_feature_dir(FEATS / "asr_valid")
    with torch.no_grad():
        values = validate(model, features, spoken(features), tokenizer, config, ALONE)
    assert values["valid_wer"] == 1.0
    total = 0.0
    log_probs = model.ctc_head.bias.detach().log_softmax(dim=0)
    for utt, num_frames in features.num_frames.items():
        tokens = torch.tensor([tokenizer.encode(features.data["text"][utt])])
        size = ((num_frames - 1) // 2 - 2) // 3
        loss = torch.nn.functional.ctc_loss(
            log_probs.expand(size, 1, -1),
            tokens,
            torch.tensor([size]),
            torch.tensor([tokens.shape[1]]),
            reduction="mean",
        )
        total += float(loss)
    assert values["valid_loss"] == pytest.approx(total / 4, rel=1e-5)


def test_validation_of_a_recogniser_that_knows_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every utterance is heard as "GO AWAY": of each class one, so WER is known."""
    config = load_config(PRETRAIN_PATH, PretrainConfig)
    tokenizer = Tokenizer.load(BPE / "bpe.model")
    model = Recogniser(config.encoder, tokenizer.vocab_size).eval()
    heard = tokenizer.encode("GO AWAY")
    monkeypatch.setattr("ser.train.pretrain.transcribe", lambda logits, lens: [heard] * len(lens))
    features = read_feature_dir(FEATS / "asr_valid")
    with torch.no_grad():
        values = validate(model, features, spoken(features), tokenizer, config, ALONE)
    assert all(len(text.split()) == 2 for text in WORDS.values())
    assert values["valid_wer"] == 6 / 8


def test_validation_keeps_to_what_fits_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    change(training__max_frames_in_memory=200)
    seen = []

    def look(self: Recogniser, feats: torch.Tensor, *rest: object, **options: object) -> Any:
        seen.append(feats.shape[0] * feats.shape[1])
        if not self.training and len(seen) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")
        return forward(self, feats, *rest, **options)

    forward = Recogniser.forward
    monkeypatch.setattr(Recogniser, "forward", look)
    with pytest.raises(SerError, match=r"\d utterances, of at most 200 padded frames, does not"):
        pretrain(pretrain_run(folder=EXP / "x"))
    assert max(seen) <= 200


def test_best_weights_are_kept_by_wer(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter([0.4, 0.2, 0.9])
    kept = []

    def scripted(model: Recogniser, *_: object) -> dict[str, float]:
        kept.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return {"valid_loss": 1.0, "valid_wer": next(rates)}

    monkeypatch.setattr("ser.train.pretrain.validate", scripted)
    change(selection="best_valid_wer")
    run = pretrain_run(folder=EXP / "x")
    pretrain(run)
    weights = load_weights(EXP / "x" / "model.safetensors")
    same = [all(torch.equal(weights[n], state[n]) for n in weights) for state in kept]
    assert same == [False, True, False]
    assert [entry["valid_wer"] for entry in epochs(run)] == [0.4, 0.2, 0.9]


def test_targets_of_an_ablation_are_trained_on_and_not_validated_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    choose, look = pretrain_module.choose_targets, pretrain_module.validate

    def chosen(utterances: Any, kind: str, *rest: Any) -> Any:
        found = choose(utterances, kind, *rest)
        asked.append((kind, [u.tokens for u in utterances] != [u.tokens for u in found]))
        return found

    def validated(model: Any, valid: Any, utterances: Any, tokenizer: Any, *rest: Any) -> Any:
        texts = valid.data["text"]
        assert [list(u.tokens) for u in utterances] == [
            tokenizer.encode(texts[u.utt]) for u in utterances
        ]
        return look(model, valid, utterances, tokenizer, *rest)

    monkeypatch.setattr(pretrain_module, "choose_targets", chosen)
    monkeypatch.setattr(pretrain_module, "validate", validated)
    config = load_config(PRETRAIN_PATH, PretrainConfig)
    change(ctc=config.ctc.model_copy(update={"targets": "shuffled"}))
    pretrain(pretrain_run(folder=EXP / "x"))
    assert asked == [("shuffled", True)]


@pytest.mark.parametrize("frozen_encoder", [True, False])
def test_a_recogniser_starts_from_another(
    frozen_encoder: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The CTC head alone, a convolution in front of it, on the frozen encoder; or all of it."""
    config = load_config(PRETRAIN_PATH, PretrainConfig)
    ctc = ctc_config(head={"kernel_sizes": [3] if frozen_encoder else []})
    optimizer = optimizer_config(frozen=["encoder"] if frozen_encoder else [])
    path = PRETRAIN_PATH.with_name("again.yaml")
    changes = {"init": "ctc", "ctc": ctc, "optimizer": optimizer}
    write_config(path, config.model_copy(update=changes))
    run = pretrain_run(config_path=path, folder=EXP / "pretrain" / "again")
    pretrain(run)
    told = caplog.text.count("its CTC head is of another form")
    assert told == frozen_encoder, "of the network that is trained alone"
    before = load_weights(EXP / "pretrain" / "ctc" / "model.safetensors")
    after = load_weights(run.folder / "model.safetensors")
    kept = all(torch.equal(after[n], before[n]) for n in before if n.startswith("encoder."))
    assert kept == frozen_encoder
    assert not torch.equal(after["ctc_head.weight"], before["ctc_head.weight"])
    assert ("ctc_head.convolutions.0.weight" in after) == frozen_encoder
    encoded = EXP / "pretrain" / "encoded" / "ctc.last_block"
    assert (encoded / "asr_train" / "run.json").exists() == frozen_encoder
    assert str(EXP / "pretrain" / "ctc") in read_record(run.folder)["inputs"]
