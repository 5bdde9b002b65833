"""The baseline CNN-BLSTM-SA (section 4.2)."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser.config.network import CnnBlstmSaConfig
from ser.nn.emotion import EmotionOutput
from ser.nn.mask import length_mask, padded_to


class CnnBlstmSa(nn.Module):
    """(Convolution, ReLU, max-pool) x 2, BLSTM, structured self-attention, classifier.

    The self-attention with several heads to one vector is that of Lin et al. (2017): each head is
    a softmax over time of W2 tanh(W1 h), and the heads' weighted sums are joined.

    Attributes:
        min_frames: Shorter utterances are padded with zeros to so many feature frames.
    """

    def __init__(self, config: CnnBlstmSaConfig, num_emotions: int) -> None:
        super().__init__()
        self.config = config
        self.pool_size = config.pool_size
        self.min_frames = config.pool_size**2
        channels, bands = config.num_channels, config.num_mel_bins // config.pool_size**2
        self.conv1 = nn.Conv2d(1, channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(config.pool_size)
        self.blstm = nn.LSTM(
            channels * bands,
            config.lstm_dim,
            config.num_lstm_layers,
            batch_first=True,
            dropout=config.dropout_prob if config.num_lstm_layers > 1 else 0.0,
            bidirectional=True,
        )
        self.attention = nn.Sequential(
            nn.Linear(2 * config.lstm_dim, config.attention_dim),
            nn.Tanh(),
            nn.Linear(config.attention_dim, config.num_attention_heads, bias=False),
        )
        self.dropout = nn.Dropout(config.dropout_prob)
        self.emotion_head = nn.Linear(
            config.num_attention_heads * 2 * config.lstm_dim, num_emotions
        )

    def forward(self, feats: torch.Tensor, feat_lens: torch.Tensor) -> EmotionOutput:
        """(B, T, F), zero beyond the lengths (B,). There are no CTC logits."""
        feats = padded_to(feats, self.min_frames)
        lens = feat_lens.clamp(min=self.min_frames)
        h = feats[:, None]  # (B, 1, T, F)
        for conv in (self.conv1, self.conv2):
            h = self.pool(conv(h).relu())  # (B, channels, T / 3, F / 3), then / 9
            lens = lens // self.pool_size
            mask = length_mask(lens, h.shape[2])  # (B, T / 3), then (B, T / 9)
            # Zero beyond each utterance, as the convolutions' own padding is.
            h = h * mask[:, None, :, None]
        h = h.transpose(1, 2).flatten(2)  # (B, T / 9, channels * F / 9)
        # The mask is not made from what comes out of the BLSTM: an exported one has the example's
        # length there.
        h = self._recur(h, lens)  # (B, T / 9, 2 lstm)
        scores = self.attention(h)  # (B, T / 9, heads)
        weights = scores.masked_fill(~mask[:, :, None], float("-inf")).softmax(dim=1)
        vector = torch.einsum("bth,btd->bhd", weights, h).flatten(1)  # (B, heads * 2 lstm)
        return EmotionOutput(self.emotion_head(self.dropout(vector)), None, lens)

    def _recur(self, h: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
        """The BLSTM over each utterance alone: (B, S, D), zero beyond the lengths."""
        if torch.compiler.is_exporting():  # packed sequences cannot be exported
            return unpacked_blstm(self.blstm, h, lens)
        if h.is_meta:  # nor have they lengths there; what one utterance costs is the same
            alone: torch.Tensor = self.blstm(h)[0]
            return alone
        packed = pack_padded_sequence(h, lens.cpu(), batch_first=True, enforce_sorted=False)
        out = self.blstm(packed)[0]
        return pad_packed_sequence(out, batch_first=True, total_length=h.shape[1])[0]


def unpacked_blstm(blstm: nn.LSTM, h: torch.Tensor, lens: torch.Tensor) -> torch.Tensor:
    """A bidirectional LSTM over padded utterances, without packed sequences.

    Backwards each utterance is read from its own end: its frames are turned within its length, and
    what comes out is turned back.

    Args:
        blstm: Batch first, bidirectional.
        h: (B, S, D).
        lens: (B,) frames.

    Returns:
        (B, S, 2 * hidden), zero beyond the lengths.
    """
    mask = length_mask(lens, h.shape[1])  # (B, S)
    position = torch.arange(h.shape[1], device=h.device).expand(h.shape[0], -1)
    turned = torch.where(mask, lens[:, None] - 1 - position, position)[:, :, None]  # (B, S, 1)

    def turn(x: torch.Tensor) -> torch.Tensor:
        return x.gather(1, turned.expand(-1, -1, x.shape[2]))

    state = h.new_zeros(1, h.shape[0], blstm.hidden_size)
    for layer in range(blstm.num_layers):
        directions = []
        for suffix, way in (("", None), ("_reverse", turn)):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weights = [getattr(blstm, f"{name}_l{layer}{suffix}") for name in names]
            x = way(h) if way else h
            out, _, _ = torch.lstm(
                x, (state, state), weights, True, 1, 0.0, False, False, batch_first=True
            )
            directions.append(way(out) if way else out)
        h = torch.cat(directions, dim=2)
    return h * mask[:, :, None]
