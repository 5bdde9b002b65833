"""Transcripts as CTC targets, and the utterances that are too short for theirs."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ser.base.errors import SerError
from ser.base.log import logger
from ser.config.schema import CtcConfig
from ser.data.utterances import FeatureDir, Utterance
from ser.nn.encoder import Encoder
from ser.nn.losses import too_short_for_ctc
from ser.text.bpe import Tokenizer


def encode_transcripts(features: FeatureDir, tokenizer: Tokenizer) -> dict[str, list[int]]:
    """CTC targets of every utterance."""
    return {utt: tokenizer.encode(text) for utt, text in features.data["text"].items()}


def check_ctc_lengths(
    utterances: Sequence[Utterance], encoder: Encoder, config: CtcConfig, where: Path
) -> None:
    """Counts the utterances that CTC must leave out.

    Raises:
        SerError: They are more than the share that the configuration allows.
    """
    lens = encoder.frame_lens(torch.tensor([u.num_frames for u in utterances])).tolist()
    short = [
        u.utt for u, size in zip(utterances, lens, strict=True) if too_short_for_ctc(size, u.tokens)
    ]
    share = len(short) / len(utterances)
    if short:
        logger.info(
            "%s: %s of %s utterances are too short for their transcript and are left out of the "
            "CTC term alone: %s",
            where,
            len(short),
            len(utterances),
            " ".join(short),
        )
    if share > config.max_too_short_prob:
        raise SerError(
            f"{where}: {len(short)} of {len(utterances)} utterances ({share:.1%}) are too short "
            f"for their transcript, {short[0]} first; expected at most "
            f"{config.max_too_short_prob:.1%} (ctc.max_too_short_prob); use larger BPE units"
        )
