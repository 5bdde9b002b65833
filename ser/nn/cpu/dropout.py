"""Dropout on the CPU, with cheaper random numbers, in one step with what stands before it."""

from typing import Any

import torch
from torch import nn

from ser.nn.cpu.linear import uses_cpu_kernel
from ser.nn.encoder_base import FeedForward, ResidualSum

DRAW_VALUES = 1 << 16  # of a 16-bit draw

threshold_backward = torch.ops.aten.threshold_backward  # a gradient where the ReLU is above 0
gelu_backward = torch.ops.aten.gelu_backward


class DropoutMask:
    """Which elements a dropout keeps, drawn from PyTorch's CPU generator.

    One 64-bit draw serves four elements of 16 bits, so the probability is rounded to a multiple
    of 1 / 65536; what is kept is divided by the rounded one, which leaves the expectation exact.

    Attributes:
        keep_prob: Probability with which an element is kept.
        kept: (num_elements,) bool.
    """

    def __init__(self, num_elements: int, dropout_prob: float) -> None:
        dropped_values = min(round(dropout_prob * DRAW_VALUES), DRAW_VALUES - 1)
        self.keep_prob = 1 - dropped_values / DRAW_VALUES
        draws = torch.empty(-(-num_elements // 4), dtype=torch.int64).random_(-(1 << 63), None)
        self.kept = draws.view(torch.int16)[:num_elements] >= dropped_values - DRAW_VALUES // 2


class ReluDropout(torch.autograd.Function):
    """Dropout of the ReLU, keeping its result y alone: the slope is 1 / keep_prob where y > 0."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, dropout_mask: DropoutMask) -> torch.Tensor:
        """x, any shape -> the same shape."""
        y = x.clamp(min=0).mul_(dropout_mask.kept.view(x.shape)).div_(dropout_mask.keep_prob)
        ctx.save_for_backward(y)
        ctx.keep_prob = dropout_mask.keep_prob
        return y

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The gradient of x."""
        (y,) = ctx.saved_tensors
        return threshold_backward(grad, y, 0).div_(ctx.keep_prob), None


class GeluDropout(torch.autograd.Function):
    """Dropout of the GELU, keeping its input and a byte an element."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, dropout_mask: DropoutMask) -> torch.Tensor:
        """x, any shape -> the same shape."""
        kept = dropout_mask.kept.view(x.shape)
        ctx.save_for_backward(x, kept)
        ctx.keep_prob = dropout_mask.keep_prob
        return nn.functional.gelu(x).mul_(kept).div_(dropout_mask.keep_prob)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The gradient of x."""
        x, kept = ctx.saved_tensors
        return gelu_backward((grad * kept).div_(ctx.keep_prob), x), None


class DroppedSum(torch.autograd.Function):
    """x + dropout(y), keeping one byte an element."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, y: torch.Tensor, dropout_mask: DropoutMask
    ) -> torch.Tensor:
        """Two of one shape -> the same shape."""
        kept = dropout_mask.kept.view(y.shape)
        ctx.save_for_backward(kept)
        ctx.keep_prob = dropout_mask.keep_prob
        return (y * kept).div_(dropout_mask.keep_prob).add_(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        """The gradients of x and y."""
        (kept,) = ctx.saved_tensors
        return grad, (grad * kept).div_(ctx.keep_prob), None


def kernel_of(activation: nn.Module) -> type[torch.autograd.Function] | None:
    """The dropout above that has an activation in it, if one has."""
    if type(activation) is nn.ReLU:
        return ReluDropout
    if type(activation) is nn.GELU and activation.approximate == "none":
        return GeluDropout
    return None


class CpuFeedForward(FeedForward):
    """Activation and dropout in one step, where there is a kernel for the activation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, S, D) -> (B, S, D)."""
        inner, activation, dropout, outer = self
        assert isinstance(dropout, nn.Dropout)
        h = inner(x)
        kernel = kernel_of(activation)
        if kernel and dropout.training and dropout.p and uses_cpu_kernel(x):
            h = kernel.apply(h, DropoutMask(h.numel(), dropout.p))
        else:
            h = dropout(activation(h))
        out: torch.Tensor = outer(h)
        return out


class CpuResidualSum(ResidualSum):
    """Dropout and sum in one step."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Two of one shape -> the same shape."""
        if not (self.training and self.dropout_prob and uses_cpu_kernel(x)):
            return super().forward(x, y)
        z: torch.Tensor = DroppedSum.apply(x, y, DropoutMask(y.numel(), self.dropout_prob))
        return z
