"""What a network costs, by formula: operations of its parts, and memory for its backward pass.

An operation (FLOP) is a multiplication or an addition. Matrix products and convolutions are
counted; norms, dropout and activations are bound by memory traffic and left out. Each network
knows its own parts.
"""

from typing import Protocol

from torch import nn

FLOAT_BYTES = 4
# Forward and backward pass together, in forward passes: the backward pass has two products for each
# of the forward pass; that the first convolution needs no gradient of its input is left out. Only
# on the CPU is anything computed twice: the first convolution, a hundredth of the whole.
TRAINING_PASSES = 3
# As ``macs`` and ``saved_activations`` of an encoder name them.
BLOCKS = frozenset(("blocks' linear layers", "attention scores", "blocks"))
HEADS = frozenset(("CTC head", "emotion head"))  # trained in every epoch, whatever is frozen


class Costed(Protocol):
    """A network that knows what it costs; it may live on the meta device."""

    def macs(self, num_frames: int) -> dict[str, int]:
        """Multiply-adds of the forward pass of one utterance of T frames, by part."""
        ...

    def saved_activations(self, num_frames: int) -> dict[str, float]:
        """Values that one utterance keeps for the backward pass, by part."""
        ...


def count_parameters(model: nn.Module) -> int:
    """Parameters of a model; it may live on the meta device."""
    return sum(p.numel() for p in model.parameters())


def forward_flops(model: Costed, num_frames: int) -> dict[str, int]:
    """Operations of the forward pass of one utterance of T frames, by part of the network."""
    return {part: 2 * number for part, number in model.macs(num_frames).items()}


def kept_bytes(model: Costed, num_frames: int) -> dict[str, int]:
    """Bytes that one utterance keeps for the backward pass, float32, by part of the network.

    The attention kernel is one that keeps no scores, as PyTorch's on GPUs; temporary tensors of
    the backward pass are not counted.
    """
    return {part: int(FLOAT_BYTES * n) for part, n in model.saved_activations(num_frames).items()}
