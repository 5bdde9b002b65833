"""Products on the CPU, without layout copies."""

import torch
from torch import nn
from torch.nn.functional import conv2d, pad

from ser.nn.ctc_head import CtcHead

FEWEST_ROWS = 128  # below, preparing oneDNN's weights costs more than the product: 0.5 ms a call
ROWS_MULTIPLE = 8  # oneDNN's gradient of the weights takes twice as long for many other numbers


def uses_cpu_kernel(x: torch.Tensor) -> bool:
    """Whether ``ser.nn.cpu`` computes with x: on the CPU, no autocast, not compiled or exported."""
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
    if not uses_cpu_kernel(x) or x.dtype != torch.float32 or alone:
        return nn.functional.linear(x, weight, bias)
    num_rows = x.numel() // x.shape[-1]
    if torch.is_grad_enabled() and num_rows % ROWS_MULTIPLE:
        padded = pad(x.reshape(num_rows, -1), (0, 0, 0, -num_rows % ROWS_MULTIPLE))
        return linear(padded, weight, bias)[:num_rows].reshape(*x.shape[:-1], -1)
    image = x.reshape(1, -1, 1, x.shape[-1]).permute(0, 3, 1, 2)  # (1, D, rows, 1)
    # Dilation across the one column changes nothing, but PyTorch leaves undilated kernels of 1 to
    # MKL where there is one thread.
    y = conv2d(image, weight[:, :, None, None], bias, dilation=(1, 2))  # (1, N, rows, 1)
    return y.permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)  # (..., N)


class CpuLinear(nn.Linear):
    """``nn.Linear`` through ``linear``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) -> (..., N)."""
        return linear(x, self.weight, self.bias)


class CpuCtcHead(CtcHead):
    """``CtcHead`` through ``linear``."""

    def _linear(self, z: torch.Tensor) -> torch.Tensor:
        return linear(z, self.weight, self.bias)
