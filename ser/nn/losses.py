"""The losses: cross-entropy, CTC, and their weighted sum, eq. (8).

Another term, or weights of classes: here, a key in ``ser.config.schema`` (SystemConfig), and its
use in ``ser.train.finetune`` (``emotion_loss``).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy, ctc_loss

from ser.config.schema import CtcConfig
from ser.text.ctc import BLANK_ID


class Loss(NamedTuple):
    """Sums over the utterances of a batch, so that parts of a batch add up exactly.

    Attributes:
        total: What is minimised.
        emotion: Its cross-entropy part, or None.
        ctc: Its CTC part before alpha, or None.
    """

    total: torch.Tensor
    emotion: torch.Tensor | None
    ctc: torch.Tensor | None


def too_short_for_ctc(num_frames: int, tokens: Sequence[int]) -> bool:
    """Whether CTC has no alignment: a blank must part equal tokens, so S < U + repetitions.

    Args:
        num_frames: S, encoder frames of the utterance.
        tokens: Its U targets.
    """
    repetitions = sum(a == b for a, b in pairwise(tokens))
    return num_frames < len(tokens) + repetitions


def ctc_sum(
    logits: torch.Tensor,
    frame_lens: torch.Tensor,
    tokens: torch.Tensor,
    token_lens: torch.Tensor,
    config: CtcConfig,
) -> torch.Tensor:
    """CTC summed over the utterances, those too short for their transcript left out.

    ``per_token`` divides each utterance's loss by its number of tokens first (PyTorch's
    ``reduction="mean"`` once the sum is divided by B); ``per_utterance`` does not.

    Args:
        logits: (B, S, V).
        frame_lens: (B,).
        tokens: (B, U), padded.
        token_lens: (B,).
        config: The normalisation.
    """
    log_probs = at_least_float32(logits).log_softmax(dim=-1).transpose(0, 1)  # (S, B, V)
    losses = ctc_loss(
        log_probs,
        tokens,
        frame_lens,
        token_lens,
        blank=BLANK_ID,
        reduction="none",
        zero_infinity=True,  # those without alignment, which training counts beforehand
    )  # (B,)
    if config.normalisation == "per_token":
        losses = losses / token_lens.clamp(min=1)
    return losses.sum()


def at_least_float32(logits: torch.Tensor) -> torch.Tensor:
    """Logits of half precision as float32: sums of many probabilities need it."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def multitask_loss(
    emotion_logits: torch.Tensor,
    labels: torch.Tensor,
    ctc: torch.Tensor | None,
    alpha: float,
    label_smoothing_prob: float = 0.0,
) -> Loss:
    """Eq. (8): L = L_ce(y_e) + alpha * L_ctc(y).

    Args:
        emotion_logits: (B, C).
        labels: (B,) classes.
        ctc: Sum of the CTC losses, or None for a system without.
        alpha: Weight of CTC.
        label_smoothing_prob: The share of each label that is spread evenly over all classes
            (Szegedy et al., 2016).
    """
    emotion = cross_entropy(
        at_least_float32(emotion_logits),
        labels,
        reduction="sum",
        label_smoothing=label_smoothing_prob,
    )
    total = emotion if ctc is None else emotion + alpha * ctc
    return Loss(total, emotion, ctc)
