"""Transcripts as CTC targets, and the utterances that are too short for theirs."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ser.base.errors import SerError
from ser.base.files import write_text
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
    utterances: Sequence[Utterance], encoder: Encoder, config: CtcConfig, where: Path, listing: Path
) -> None:
    """Counts the utterances that CTC must leave out, and lists them in a file.

    Raises:
        SerError: They are more than the share that the configuration allows.
    """
    lens = encoder.frame_lens(torch.tensor([u.num_frames for u in utterances])).tolist()
    short = [
        u.utt for u, size in zip(utterances, lens, strict=True) if too_short_for_ctc(size, u.tokens)
    ]
    if not short:
        return
    write_text(listing, "".join(f"{utt}\n" for utt in short))
    said = (
        f"{where}: {len(short)} of {len(utterances)} utterances are too short for their transcript"
    )
    if len(short) / len(utterances) > config.max_too_short_prob:
        raise SerError(
            f"{said}, {short[0]} first (all in {listing}); expected a share of at most "
            f"{config.max_too_short_prob} (ctc.max_too_short_prob); use larger BPE units"
        )
    logger.warning("%s; they are left out of the CTC term alone (listed in %s)", said, listing)
