"""Multi-head self-attention, eq. (1)-(3)."""

import math

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


class SelfAttention(nn.Module):
    """Every position attends to every real position; the heads are joined by W_O."""

    def __init__(self, d_model: int, num_heads: int, head_dim: int, dropout_prob: float) -> None:
        super().__init__()
        self.num_heads, self.head_dim = num_heads, head_dim
        self.dropout_prob = dropout_prob
        self.qkv = nn.Linear(d_model, 3 * num_heads * head_dim)
        self.output = nn.Linear(num_heads * head_dim, d_model)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Eq. (1)-(3) for all heads at once.

        Args:
            x: (B, S, D).
            mask: (B, S) bool, True at real frames.

        Returns:
            (B, S, D).
        """
        batch, size, _ = x.shape
        qkv = self.qkv(x).view(batch, size, 3, self.num_heads, self.head_dim)
        out: torch.Tensor = self.output(self.attend(qkv, mask).flatten(2))  # (B, S, D)
        return out

    def attend(self, qkv: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Each head's sum of the values: (B, S, 3, H, head_dim) -> (B, S, H, head_dim)."""
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, S, head_dim)
        return scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask[:, None, None, :],
            dropout_p=self.dropout_prob if self.training else 0.0,
        ).transpose(1, 2)

    def weights_of_first(self, x: torch.Tensor) -> torch.Tensor:
        """Eq. (1): how position 0 attends to all: (B, S, D), nothing padded -> (B, H, S)."""
        batch, size, _ = x.shape
        qkv = self.qkv(x).view(batch, size, 3, self.num_heads, self.head_dim)
        query, key = qkv[:, 0, 0], qkv[:, :, 1]  # (B, H, head_dim), (B, S, H, head_dim)
        scores = torch.einsum("bhd,bshd->bhs", query, key) / math.sqrt(self.head_dim)
        return scores.softmax(dim=2)
