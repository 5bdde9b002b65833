"""What a recogniser of stage 3 hears in utterances."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.base.record import Stage, recipe_of, require
from ser.config.features import require_same_features
from ser.config.load import validate
from ser.config.schema import PretrainConfig
from ser.data.utterances import read_feature_dir, report_lengths, select
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_recogniser, load_pretrained
from ser.nn.weights import load_weights
from ser.text.bpe import Tokenizer
from ser.train.engine.forward import forward_batches
from ser.train.engine.step import run_recogniser

Decode = Callable[[Floats], list[int]]  # log probabilities (S, V) -> tokens


@dataclass(frozen=True)
class TrainedRecogniser:
    """A recogniser with what it was trained on.

    Attributes:
        folder: Of stage 3.
        config: How it was trained.
        model: In evaluation mode, on its device.
        tokenizer: Of its BPE model.
        fbank: Of the features that it was trained on.
    """

    folder: Path
    config: PretrainConfig
    model: Recogniser
    tokenizer: Tokenizer
    fbank: dict[str, Any]


def load_recogniser(folder: Path, device: torch.device) -> TrainedRecogniser:
    """A finished recogniser of stage 3, with the BPE model of its recipe.

    Raises:
        SerError: It is not whole, is stale or has no CTC head, or its BPE model is not there.
    """
    record = require(folder, Stage.PRETRAIN)
    settings = {key: value for key, value in record["config"].items() if key != "seed"}
    if "ctc" not in settings:
        raise SerError(
            f"{folder}: a published encoder, which has no CTC head; expected a recogniser that was "
            "trained here; name that of another conf/pretrain/<name>.yaml"
        )
    config = validate(folder / "run.json", PretrainConfig, settings)
    inputs = [recipe_of(folder) / name for name in record["inputs"]]
    models = [path for path in (i / "bpe.model" for i in inputs) if path.exists()]
    if not models:
        raise SerError(
            f"{folder}: the BPE model that it was trained with is not there; expected bpe.model in "
            f"one of {', '.join(map(str, inputs))}; leave the recogniser in its recipe"
        )
    tokenizer = Tokenizer.load(models[0])
    model = build_recogniser(config, tokenizer.vocab_size)
    path = folder / "model.safetensors"
    load_pretrained(load_weights(path), model, str(path))
    return TrainedRecogniser(
        folder, config, model.to(device).eval(), tokenizer, record["notes"].get("fbank", {})
    )


def transcripts(
    recogniser: TrainedRecogniser, feats: Path, decode: Decode
) -> Iterator[tuple[str, str]]:
    """Each utterance of a folder of features with its words, the longest first.

    Args:
        recogniser: What hears.
        feats: A folder of stage 1.
        decode: From log probabilities to tokens.

    Raises:
        SerError: The features are not whole, are stale or others than it was trained on, or a
            batch does not fit into memory.
    """
    made = require(feats, Stage.FEATURES)
    require_same_features(made["config"], recogniser.fbank, feats, str(recogniser.folder))
    features, model = read_feature_dir(feats), recogniser.model
    utterances = select(features, features.data.utts)
    report_lengths(utterances, model.encoder.min_frames, str(feats))
    training, device = recogniser.config.training, next(model.parameters()).device
    forward = partial(run_recogniser, model)
    given = utterances, features.feats, training, device
    for batch, (logits, frame_lens) in forward_batches(forward, *given):
        log_probs = logits.float().log_softmax(dim=-1).cpu().numpy()
        for utt, frames, size in zip(batch.utts, log_probs, frame_lens.tolist(), strict=True):
            yield utt, recogniser.tokenizer.decode(decode(frames[:size]))
