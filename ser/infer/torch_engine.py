"""PyTorch runs the network: one set of weights, or an ensemble of them."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from ser.base.arrays import Floats
from ser.base.errors import SerError

try:
    import torch
    from torch import nn
    from torch.overrides import TorchFunctionMode
except ModuleNotFoundError as error:
    raise SerError(
        f"{error.name} is not installed; expected it for --html and for models other than .onnx "
        "files; pip install torch"
    ) from error

from ser.config.schema import SystemConfig
from ser.feats.speaker_means import SpeakerMean
from ser.infer.engine import Output, pad, parse_device
from ser.infer.package import FETCH
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.cpu.accelerate import accelerate
from ser.nn.emotion import EmotionModel
from ser.nn.systems import build_system
from ser.nn.weights import load_weights, same_in_all

Network = EmotionModel | CnnBlstmSa

_has_computed = Event()


def _compute_alone() -> None:
    """OpenMP's threads do not live on in a forked process, which would wait for them for ever."""
    if _has_computed.is_set():
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_compute_alone)


@dataclass(frozen=True)
class TorchEngine:
    """An ensemble: the members' probabilities are averaged.

    Attributes:
        networks: In evaluation mode, on one device.
        temperature: Divides the emotion logits.
    """

    networks: Sequence[Network]
    temperature: float = 1.0

    @torch.inference_mode()
    def __call__(self, inputs: Sequence[Floats]) -> list[Output]:
        """Features (T, F) of each utterance -> its output."""
        feats, lens = self._batch(inputs)
        posteriors, ctc, frame_lens = ensemble(
            self.networks, feats, lens, self.temperature, have_one_encoder(self.networks)
        )
        sizes = frame_lens.tolist()
        return [
            Output(row.cpu().numpy(), None if ctc is None else ctc[i, : sizes[i]].cpu().numpy())
            for i, row in enumerate(posteriors)
        ]

    @torch.inference_mode()
    def vectors(self, inputs: Sequence[Floats]) -> list[Floats]:
        """As ``SpeakerEngine``: one of them for members that share an encoder."""
        feats, lens = self._batch(inputs)
        models = self._models[:1] if have_one_encoder(self._models) else self._models
        return [model.encode(feats, lens)[0][:, 0].cpu().numpy() for model in models]

    def for_speaker(self, means: Sequence[SpeakerMean]) -> "TorchEngine":
        """As ``SpeakerEngine``."""
        models = self._models
        each = list(means) if len(means) == len(models) else [means[0]] * len(models)
        networks = [m.for_speaker(mean) for m, mean in zip(models, each, strict=True)]
        return replace(self, networks=networks)

    @property
    def _models(self) -> list[EmotionModel]:
        return [network for network in self.networks if isinstance(network, EmotionModel)]

    def _batch(self, inputs: Sequence[Floats]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (B, T, F) on the device of the networks, and their lengths (B,)."""
        _has_computed.set()
        padded, lens = pad(inputs, self.networks[0].min_frames)
        device = next(self.networks[0].parameters()).device
        return torch.from_numpy(padded).to(device), torch.from_numpy(lens).to(device)


def emotion_attention(networks: Sequence[Network], feats: Floats) -> Floats | None:
    """Where the emotion vector looks: its attention in the last block, averaged over heads.

    Args:
        networks: Whose mean is taken.
        feats: One utterance (T, F).

    Returns:
        (S,), a weight for each encoder frame; what is lacking to 1 is its weight on itself. None
        for a network without an emotion vector.
    """
    rows = []
    for network in networks:
        if not isinstance(network, EmotionModel) or network.emotion_embedding is None:
            return None
        padded, lens = pad([feats], network.min_frames)
        device = network.emotion_embedding.device
        with torch.inference_mode():
            weights = network.attention_of_vector(
                torch.from_numpy(padded).to(device), torch.from_numpy(lens).to(device)
            )
        rows.append(weights.mean(dim=0)[1:])
    return torch.stack(rows).mean(dim=0).cpu().numpy()


def ensemble(
    networks: Sequence[Network] | nn.ModuleList,
    feats: torch.Tensor,
    feat_lens: torch.Tensor,
    temperature: float,
    encodes_once: bool,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
    """Mean probabilities of some networks.

    Args:
        networks: One or more.
        feats: (B, T, F), zero beyond the lengths.
        feat_lens: (B,).
        temperature: Divides the emotion logits.
        encodes_once: Whether the readouts of all get the same (``have_one_encoder``).

    Returns:
        Posteriors (B, C), token probabilities (B, S, V) or None, and the lengths (B,) of these.
    """
    if encodes_once:
        given = networks[0].encode(feats, feat_lens)  # type: ignore[operator]  # EmotionModel's
        outputs = [network(*given, encoded=True) for network in networks]
    else:
        outputs = [network(feats, feat_lens) for network in networks]
    posteriors = torch.stack([(o.emotion_logits / temperature).softmax(dim=1) for o in outputs])
    ctc = None
    if outputs[0].ctc_logits is not None:
        ctc = torch.stack([o.ctc_logits.softmax(dim=2) for o in outputs]).mean(dim=0)
    return posteriors.mean(dim=0), ctc, outputs[0].frame_lens


def share_encoder(networks: Sequence[Network]) -> None:
    """Members of an ensemble with the same encoder, as a frozen one, get one: it runs once."""
    models = [network for network in networks if isinstance(network, EmotionModel)]
    for model in models[1:]:
        own, first = model.encoder.state_dict(), models[0].encoder.state_dict()
        if len(same_in_all([own, first])) == len(own):
            model.encoder = models[0].encoder


def have_one_encoder(networks: Sequence[Network]) -> bool:
    """Whether the readouts of several networks all get the same (``share_encoder``)."""
    models = [network for network in networks if isinstance(network, EmotionModel)]
    return len(models) > 1 and all(
        model.encoder is models[0].encoder
        and model.emotion_embedding is None
        and model.ctc_head is None
        for model in models
    )


def load_network(
    system: SystemConfig,
    num_emotions: int,
    vocab_size: int | None,
    weights: Path,
    device: torch.device,
    remedy: str = FETCH,
    shared: Path | None = None,
) -> Network:
    """A network with the weights of a file, in evaluation mode.

    Args:
        system: Its configuration.
        num_emotions: C.
        vocab_size: V, or None.
        weights: The file.
        device: Where it computes.
        remedy: The end of what is said of a wrong file.
        shared: Another file, of the weights that this one lacks.

    Raises:
        SerError: The weights are no safetensors, or are those of another network.
    """
    with _Undrawn():
        network = build_system(system, num_emotions, vocab_size)
    tensors = {
        name: _float32(name, tensor, path, remedy)
        for path in filter(None, (shared, weights))
        for name, tensor in load_weights(path, remedy).items()
    }
    wrong = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if wrong:
        raise SerError(
            f"{weights}: {len(wrong)} of {len(tensors)} tensors are not finite ({wrong[0]} the "
            f"first); expected numbers; {remedy}"
        )
    try:
        network.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise SerError(f"{weights}: weights of another network ({reason}); {remedy}") from error
    network.eval().to(device)
    accelerate(network)
    return network


def _float32(name: str, tensor: torch.Tensor, path: Path, remedy: str) -> torch.Tensor:
    """A weight in the precision that is computed in; half of it may have been saved.

    Raises:
        SerError: It is of another type.
    """
    if tensor.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise SerError(
            f"{path}: {name} is {str(tensor.dtype).removeprefix('torch.')}; expected float32, "
            f"float16 or bfloat16; {remedy}"
        )
    return tensor.float()


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


def choose_device(name: str) -> torch.device:
    """A device that is there.

    Raises:
        SerError: It is not, or it is no device.
    """
    parse_device(name)
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise SerError(
            f"--device {name}: not usable here; expected cpu, or cuda with a GPU"
        ) from error
    return torch.device(name)
