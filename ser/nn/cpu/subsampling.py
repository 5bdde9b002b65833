"""The front end's two convolutions on the CPU, as stride-1 convolutions of its phases.

A convolution of stride s reads its input h at s t + k. With k = s a + p, p < s, that is element
t + a of phase p of h, h[p::s], and tap a of every s-th tap of the kernel, W[p::s]: the sum over
the phases of stride-1 convolutions with small kernels, which run near the speed of matrix products
in both directions. The same holds in time and in frequency at once: with the paper's kernel 5 and
stride 3 nine phases of 2 x 2, 2 x 1, 1 x 2 and 1 x 1 taps, 25 in all.

Phase p of the first convolution's output is itself that convolution with stride s1 * s2, started
s1 * p later: k1 * k1 multiplications an element, against channels * 25 / 9 in the second. It is
therefore computed when it is needed, in both passes, and the whole feature map never exists.
Channels stay innermost throughout, as the products want them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.nn.functional import conv2d

from ser.nn.cpu.dropout import threshold_backward
from ser.nn.cpu.linear import linear, uses_cpu_kernel
from ser.nn.subsampling import ConvSubsampling

CHUNK_FRAMES = 10_000  # feature frames at a time: what a phase needs stays tens of megabytes

convolution_backward = torch.ops.aten.convolution_backward


class Geometry(NamedTuple):
    """Kernels and strides of both convolutions, and the size of what comes out."""

    kernels: tuple[int, int]
    strides: tuple[int, int]
    num_frames: int
    num_bands: int

    def phases(self) -> Iterator[tuple[int, int]]:
        """Offsets in time and frequency; a stride above the kernel leaves some phases unread."""
        for p in range(min(self.kernels[1], self.strides[1])):
            for q in range(min(self.kernels[1], self.strides[1])):
                yield p, q

    def windows(self, feats: torch.Tensor, p: int, q: int) -> torch.Tensor:
        """What the first convolution reads for a phase: (B, T, F) -> (B, frames, bands, k1 k1)."""
        (k1, k2), (s1, s2) = self.kernels, self.strides
        num_frames = self.num_frames + (k2 - 1 - p) // s2
        num_bands = self.num_bands + (k2 - 1 - q) // s2
        views = feats[:, s1 * p :, s1 * q :].unfold(1, k1, s1 * s2).unfold(2, k1, s1 * s2)
        return views[:, :num_frames, :num_bands].flatten(3)

    def taps(self, weight: torch.Tensor, p: int, q: int) -> torch.Tensor:
        """A phase's part of the second kernel (C, C, k2, k2), channels last."""
        s2 = self.strides[1]
        return weight[:, :, p::s2, q::s2].contiguous(memory_format=torch.channels_last)


class PhaseConvolutions(torch.autograd.Function):
    """relu(conv2(relu(conv1(feats)))), channels last; its result is all it keeps."""

    @staticmethod
    def forward(
        ctx: Any,
        feats: torch.Tensor,
        weight1: torch.Tensor,
        bias1: torch.Tensor,
        weight2: torch.Tensor,
        bias2: torch.Tensor,
        geometry: Geometry,
    ) -> torch.Tensor:
        """(B, T, F), without gradient -> (B, S, bands, channels)."""
        shape = (len(feats), geometry.num_frames, geometry.num_bands, len(weight2))
        out = feats.new_empty(shape)
        taps = [geometry.taps(weight2, p, q) for p, q in geometry.phases()]
        for rows in chunks(feats):
            total = bias2[:, None, None]
            for (p, q), tap in zip(geometry.phases(), taps, strict=True):
                h = first(geometry.windows(feats[rows], p, q), weight1, bias1)
                total = conv2d(h.permute(0, 3, 1, 2), tap).add_(total)  # (B, channels, S, bands)
            torch.clamp(total.permute(0, 2, 3, 1), min=0, out=out[rows])  # (B, S, bands, channels)
        ctx.save_for_backward(feats, weight1, bias1, weight2, out)
        ctx.geometry = geometry
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradients of both convolutions' weights and biases, of those that are asked for."""
        feats, weight1, bias1, weight2, out = ctx.saved_tensors
        geometry: Geometry = ctx.geometry
        needs_first, needs_second = any(ctx.needs_input_grad[1:3]), ctx.needs_input_grad[3]
        grad_weight1, grad_bias1 = torch.zeros_like(weight1), torch.zeros_like(bias1)
        grad_bias2 = torch.zeros_like(out[0, 0, 0])
        taps = [geometry.taps(weight2, p, q) for p, q in geometry.phases()]
        grad_taps = [torch.zeros_like(tap) for tap in taps]
        for rows in chunks(feats):
            g = threshold_backward(grad[rows], out[rows], 0)  # (B, S, bands, channels)
            grad_bias2 += g.sum(dim=(0, 1, 2))
            for (p, q), tap, grad_tap in zip(geometry.phases(), taps, grad_taps, strict=True):
                windows = geometry.windows(feats[rows], p, q)
                h = first(windows, weight1, bias1)
                of_h, of_tap, _ = convolution_backward(
                    g.permute(0, 3, 1, 2),
                    h.permute(0, 3, 1, 2),
                    tap,
                    None,  # no bias
                    [1, 1],  # stride
                    [0, 0],  # padding
                    [1, 1],  # dilation
                    False,  # not transposed
                    [0, 0],
                    1,  # groups
                    [needs_first, needs_second, False],
                )
                if needs_second:
                    grad_tap += of_tap
                if needs_first:
                    of_h = threshold_backward(of_h.permute(0, 2, 3, 1), h, 0).flatten(0, 2)
                    grad_weight1 += torch.mm(windows.flatten(0, 2).t(), of_h).t().view_as(weight1)
                    grad_bias1 += of_h.sum(dim=0)
        grad_weight2, s2 = torch.empty_like(weight2), geometry.strides[1]
        for (p, q), grad_tap in zip(geometry.phases(), grad_taps, strict=True):
            grad_weight2[:, :, p::s2, q::s2] = grad_tap
        return None, grad_weight1, grad_bias1, grad_weight2, grad_bias2, None


def first(windows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """relu(conv1): (B, frames, bands, k1 k1) -> (B, frames, bands, channels)."""
    return linear(windows, weight.flatten(1), bias).relu_()


def chunks(feats: torch.Tensor) -> Iterator[slice]:
    """The batch in parts of about ``CHUNK_FRAMES`` feature frames, padding counted."""
    size = max(1, CHUNK_FRAMES // feats.shape[1])
    for start in range(0, len(feats), size):
        yield slice(start, start + size)


class CpuConvSubsampling(ConvSubsampling):
    """Channels last: the projection's small weight is turned, not the feature maps."""

    def forward(self, feats: torch.Tensor) -> torch.Tensor:
        """(B, T, F) -> (B, S, D)."""
        if feats.requires_grad or not uses_cpu_kernel(feats):
            return super().forward(feats)
        size = self.output_size(feats.shape[1]), self.output_size(feats.shape[2])
        geometry = Geometry(self.kernel_sizes, self.strides, *size)
        h = PhaseConvolutions.apply(
            feats, self.conv1.weight, self.conv1.bias, self.conv2.weight, self.conv2.bias, geometry
        )  # (B, S, bands, channels)
        weight = self.projection.weight.view(-1, h.shape[3], h.shape[2])  # (D, channels, bands)
        weight = weight.transpose(1, 2).flatten(1)  # (D, bands * channels)
        return linear(h.flatten(2), weight, self.projection.bias)  # (B, S, D)
