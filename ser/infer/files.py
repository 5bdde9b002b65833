"""Audio files, by a finished run of stage 4.

Imports little: a prediction from the shell should cost hardly more than starting PyTorch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.overrides import TorchFunctionMode

from ser.base.errors import SerError
from ser.base.files import read_json
from ser.config.schema import FbankConfig, LabelsConfig, SystemConfig
from ser.data.sampler import split_by_frames
from ser.feats.fbank import Fbank
from ser.infer.predictor import Prediction, predictions_of
from ser.kaldi.audio import read_audio
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.emotion import EmotionModel
from ser.nn.systems import build_system
from ser.text.bpe import Tokenizer
from ser.train.checkpoint import load_weights

AHEAD = 64  # files that are read before they are predicted


@dataclass(frozen=True)
class TrainedSystem:
    """All that is needed to go from samples to predictions.

    Attributes:
        model: In evaluation mode.
        labels: The classes in the order of the posteriors.
        tokenizer: None for a system without CTC head.
        fbank: The features that it was trained on.
        batch_size_utts: Most utterances of a batch.
        max_frames: Most padded frames of a batch.
    """

    model: EmotionModel | CnnBlstmSa
    labels: tuple[str, ...]
    tokenizer: Tokenizer | None
    fbank: Fbank
    batch_size_utts: int
    max_frames: int


def load_trained(folder: Path) -> TrainedSystem:
    """Reads a finished run of stage 4, ``exp/<system>/seed<s>/fold<k>``; nothing else is needed.

    Raises:
        SerError: The folder holds no finished run, or one of its files is missing or damaged.
    """
    path = folder / "run.json"
    if not path.exists():
        raise SerError(
            f"{folder}: no run.json; expected the folder of a finished run of stage 4, "
            "exp/<system>/seed<s>/fold<k>; name another, or run stage 4"
        )
    record: dict[str, Any] = read_json(path)
    try:
        system = SystemConfig.model_validate(record["config"]["system"])
        labels = LabelsConfig.model_validate(record["config"]["labels"])
        fbank = FbankConfig.model_validate(record["notes"]["fbank"])
    except (KeyError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise SerError(
            f"{path}: no record of a system and its features ({reason}); expected that of a run "
            "of stage 4; name another folder, or rerun stage 4 with --force"
        ) from error
    tokenizer = Tokenizer.load(folder / "bpe.model") if system.ctc_alpha else None
    with _Undrawn():
        model = build_system(system, len(labels.names), tokenizer.vocab_size if tokenizer else None)
    model.load_state_dict(load_weights(folder / "model.safetensors"), assign=True)
    return TrainedSystem(
        model.eval(),
        labels.names,
        tokenizer,
        Fbank(fbank),
        system.training.batch_size_utts,
        system.training.max_frames_in_memory,
    )


class _Undrawn(TorchFunctionMode):
    """Leaves new weights undrawn, since a file gives them: a second saved at the paper's size.

    The meta device would do the same, and its first use costs a third of ``import torch``.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            return kwargs["tensor"]
        if func is torch.Tensor.uniform_:
            return args[0]
        return func(*args, **kwargs)


def predict_files(
    trained: TrainedSystem, paths: Sequence[Path]
) -> Iterator[tuple[Path, Prediction | SerError]]:
    """Predicts audio files in batches.

    Yields:
        Each path in its order, with its prediction or with what is wrong with the file.
    """
    for start in range(0, len(paths), AHEAD):
        chunk = paths[start : start + AHEAD]
        results: dict[int, Prediction | SerError] = {}
        feats: dict[int, torch.Tensor] = {}
        for position, path in enumerate(chunk):
            try:
                feats[position] = _features(trained.fbank, path)
            except SerError as error:
                results[position] = error
        positions = sorted(feats, key=lambda p: -len(feats[p]))
        for first in range(0, len(positions), trained.batch_size_utts):
            batch = positions[first : first + trained.batch_size_utts]
            lens = [len(feats[p]) for p in batch]
            for part in split_by_frames(lens, trained.max_frames):
                members = [batch[i] for i in part]
                names = [str(chunk[p]) for p in members]
                predictions = _predict(trained, names, [feats[p] for p in members])
                results |= zip(members, predictions, strict=True)
        yield from ((path, results[position]) for position, path in enumerate(chunk))


def _features(fbank: Fbank, path: Path) -> torch.Tensor:
    """Log-mel features (T, F) of a file, the utterance's mean taken off each band."""
    samples = read_audio(path, path.name, fbank.config.sample_rate_hz)
    feats = torch.from_numpy(fbank(samples))
    return feats - feats.mean(dim=0, keepdim=True)


@torch.inference_mode()
def _predict(
    trained: TrainedSystem, names: Sequence[str], feats: Sequence[torch.Tensor]
) -> list[Prediction]:
    padded = pad_sequence(list(feats), batch_first=True)  # (B, T, F)
    output = trained.model(padded, torch.tensor([len(f) for f in feats]))
    return list(predictions_of(output, names, trained.tokenizer))
