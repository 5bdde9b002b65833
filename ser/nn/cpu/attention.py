"""Self-attention with dropout on the CPU.

PyTorch's own falls back to the textbook formula where there is dropout, and keeps the weights
(B, H, S, S) several times over. Here of the weights only the dropout mask is kept: the backward
pass computes them anew from queries and keys. With the weights P = softmax(Q K^T / sqrt(d)), the
dropped W = P * kept / keep_prob and the output O = W V:

    dV = W^T dO    dW = dO V^T    dP = dW * kept / keep_prob    dQ = dS K / sqrt(d)
    dS = P * (dP - sum(dP * P))                                 dK = dS^T Q / sqrt(d)
"""

import math
from typing import Any

import torch

from ser.nn.attention import SelfAttention
from ser.nn.cpu.dropout import DropoutMask
from ser.nn.cpu.linear import uses_cpu_kernel


class DroppedAttention(torch.autograd.Function):
    """Eq. (1)-(3) for all heads at once, with dropout of the weights."""

    @staticmethod
    def forward(
        ctx: Any, qkv: torch.Tensor, mask: torch.Tensor, dropout_mask: DropoutMask
    ) -> torch.Tensor:
        """Attends.

        Args:
            ctx: Autograd's.
            qkv: (B, S, 3, H, d).
            mask: (B, S) bool, True at real frames.
            dropout_mask: B * H * S * S elements.

        Returns:
            (B, S, H, d).
        """
        batch, size, _, heads, _ = qkv.shape
        qkv = qkv.permute(2, 0, 3, 1, 4).flatten(1, 2)  # (3, B * H, S, d)
        query, key, value = qkv
        bias = torch.zeros_like(mask, dtype=qkv.dtype).masked_fill_(~mask, -math.inf)
        bias = bias.repeat_interleave(heads, dim=0)[:, None]  # (B * H, 1, S)
        weights = softmax_weights(query, key, bias)
        weights.mul_(dropout_mask.kept.view_as(weights))  # W * keep_prob
        out = torch.bmm(weights, value).div_(dropout_mask.keep_prob)  # (B * H, S, d)
        ctx.save_for_backward(qkv, bias, dropout_mask.kept)
        ctx.keep_prob = dropout_mask.keep_prob
        out = out.view(batch, heads, size, -1)  # (B, H, S, d)
        return out.transpose(1, 2).contiguous()  # (B, S, H, d)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """The gradient of qkv."""
        qkv, bias, kept = ctx.saved_tensors
        batch, size, heads, _ = grad.shape
        query, key, value = qkv
        grad = grad.transpose(1, 2).flatten(0, 1)  # (B * H, S, d)
        weights = softmax_weights(query, key, bias)  # P
        dropped = weights * kept.view_as(weights)  # W * keep_prob
        grad_value = torch.bmm(dropped.transpose(1, 2), grad)  # dV * keep_prob
        scores = torch.bmm(grad, value.transpose(1, 2)).mul_(dropped)  # dP * P * keep_prob
        scores.addcmul_(weights, scores.sum(dim=2, keepdim=True), value=-1)  # dS * keep_prob
        scores.div_(math.sqrt(query.shape[2]))
        grad_query, grad_key = torch.bmm(scores, key), torch.bmm(scores.transpose(1, 2), query)
        grad_qkv = torch.stack([grad_query, grad_key, grad_value]).div_(ctx.keep_prob)
        grad_qkv = grad_qkv.view(3, batch, heads, size, -1)
        return grad_qkv.permute(1, 3, 0, 2, 4).contiguous(), None, None  # (B, S, 3, H, d)


def softmax_weights(query: torch.Tensor, key: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """softmax(Q K^T / sqrt(d) + bias): (N, S, d) twice, (N, 1, S) -> (N, S, S)."""
    scale = 1 / math.sqrt(query.shape[2])
    return torch.baddbmm(bias, query, key.transpose(1, 2), alpha=scale).softmax(dim=2)


class CpuSelfAttention(SelfAttention):
    """With dropout through ``DroppedAttention``."""

    def attend(self, qkv: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, S, 3, H, d) -> (B, S, H, d)."""
        if not (self.training and self.dropout_prob and uses_cpu_kernel(qkv)):
            return super().attend(qkv, mask)
        batch, size, _, heads, _ = qkv.shape
        dropout_mask = DropoutMask(batch * heads * size**2, self.dropout_prob)
        a: torch.Tensor = DroppedAttention.apply(qkv, mask, dropout_mask)
        return a
