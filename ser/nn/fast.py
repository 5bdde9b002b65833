"""Where the fast CPU path is taken, and its two building blocks: products and dropout.

The modules of this package read like the paper. On the CPU the same arithmetic is done in another
order, without layout copies and with cheaper random numbers; a test holds both equal. On a GPU,
under autocast, and in exported or compiled models the plain operations are used.
"""

from typing import Any

import torch
from torch import nn
from torch.nn.functional import conv2d

DRAW_VALUES = 1 << 16  # of a 16-bit draw
FEWEST_ROWS = 128  # below, preparing oneDNN's weights costs more than the product: 0.5 ms a call

threshold_backward = torch.ops.aten.threshold_backward  # a gradient where the ReLU is above 0
gelu_backward = torch.ops.aten.gelu_backward


def use_fast(x: torch.Tensor) -> bool:
    """Whether the fast path applies to an activation."""
    return (
        x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.onnx.is_in_onnx_export()
    )


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """``nn.functional.linear``; in float32 on the CPU as a convolution of kernel 1.

    The rows of ``x``, seen as the pixels of one channels-last image, need no copy. PyTorch gives
    convolutions to oneDNN and products to MKL, which on AMD processors is half as fast. A short
    utterance that is predicted alone stays a product.

    Args:
        x: (..., D).
        weight: (N, D).
        bias: (N,).

    Returns:
        (..., N).
    """
    alone = not torch.is_grad_enabled() and x.numel() < FEWEST_ROWS * x.shape[-1]
    if not use_fast(x) or x.dtype != torch.float32 or alone:
        return nn.functional.linear(x, weight, bias)
    image = x.reshape(1, -1, 1, x.shape[-1]).permute(0, 3, 1, 2)  # (1, D, rows, 1)
    # Dilation across the one column changes nothing, but PyTorch leaves undilated kernels of 1 to
    # MKL where there is one thread.
    y = conv2d(image, weight[:, :, None, None], bias, dilation=(1, 2))  # (1, N, rows, 1)
    return y.permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)  # (..., N)


class Linear(nn.Linear):
    """``nn.Linear`` through ``linear``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) -> (..., N)."""
        return linear(x, self.weight, self.bias)


class Keep:
    """Which elements a dropout keeps, drawn from PyTorch's CPU generator.

    One 64-bit draw serves four elements of 16 bits, so the probability is rounded to a multiple
    of 1 / 65536; what is kept is divided by the rounded one, which leaves the expectation exact.

    Attributes:
        prob: Probability with which an element is kept.
        mask: (num_elements,) bool.
    """

    def __init__(self, num_elements: int, dropout_prob: float) -> None:
        dropped_values = min(round(dropout_prob * DRAW_VALUES), DRAW_VALUES - 1)
        self.prob = 1 - dropped_values / DRAW_VALUES
        draws = torch.empty(-(-num_elements // 4), dtype=torch.int64).random_(-(1 << 63), None)
        self.mask = draws.view(torch.int16)[:num_elements] >= dropped_values - DRAW_VALUES // 2


class ReluDropout(torch.autograd.Function):
    """Dropout of the ReLU, keeping its result alone: where that is positive the slope is 1/prob."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, keep: Keep) -> torch.Tensor:
        """x, any shape -> the same shape."""
        y = x.clamp(min=0).mul_(keep.mask.view(x.shape)).div_(keep.prob)
        ctx.save_for_backward(y)
        ctx.prob = keep.prob
        return y

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The gradient of x."""
        (y,) = ctx.saved_tensors
        return threshold_backward(grad, y, 0).div_(ctx.prob), None


class GeluDropout(torch.autograd.Function):
    """Dropout of the GELU, keeping its input and a byte an element."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, keep: Keep) -> torch.Tensor:
        """x, any shape -> the same shape."""
        mask = keep.mask.view(x.shape)
        ctx.save_for_backward(x, mask)
        ctx.prob = keep.prob
        return nn.functional.gelu(x).mul_(mask).div_(keep.prob)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The gradient of x."""
        x, mask = ctx.saved_tensors
        return gelu_backward((grad * mask).div_(ctx.prob), x), None


class AddDropout(torch.autograd.Function):
    """x + dropout(y), keeping one byte an element."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor, keep: Keep) -> torch.Tensor:
        """Two of one shape -> the same shape."""
        mask = keep.mask.view(y.shape)
        ctx.save_for_backward(mask)
        ctx.prob = keep.prob
        return (y * mask).div_(keep.prob).add_(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        """The gradients of x and y."""
        (mask,) = ctx.saved_tensors
        return grad, (grad * mask).div_(ctx.prob), None


def activate_dropout(x: torch.Tensor, activation: nn.Module, dropout: nn.Dropout) -> torch.Tensor:
    """dropout(activation(x)) of a ReLU or a GELU, any shape."""
    if dropout.training and dropout.p and use_fast(x):
        fast = ReluDropout if isinstance(activation, nn.ReLU) else GeluDropout
        y: torch.Tensor = fast.apply(x, Keep(x.numel(), dropout.p))
        return y
    return dropout(activation(x))  # type: ignore[no-any-return]


def add_dropout(x: torch.Tensor, y: torch.Tensor, dropout: nn.Dropout) -> torch.Tensor:
    """The sum x + dropout(y), any shape."""
    if dropout.training and dropout.p and use_fast(x):
        z: torch.Tensor = AddDropout.apply(x, y, Keep(y.numel(), dropout.p))
        return z
    return x + dropout(y)  # type: ignore[no-any-return]
