"""Transcripts as CTC targets, and the utterances that are too short for theirs."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ser.base.errors import SerError
from ser.base.log import logger
from ser.base.writing import write_text
from ser.config.schema import CtcConfig
from ser.data.utterances import FeatureDir, Utterance
from ser.feats.speed_copies import original_utt
from ser.nn.encoder_base import Encoder
from ser.nn.losses import too_short_for_ctc
from ser.text.bpe import Tokenizer

EXCHANGE_GROUP = 16  # utterances of like length that exchange transcripts
EXCHANGE_TRIES = 20


def encode_transcripts(features: FeatureDir, tokenizer: Tokenizer) -> dict[str, list[int]]:
    """CTC targets of every utterance.

    Raises:
        SerError: Too many tokens are unknown to the recogniser's BPE: it is of another script.
    """
    return tokenizer.encode_all(features.data["text"], features.data.path / "text")


def choose_targets(
    utterances: Sequence[Utterance],
    kind: str,
    vocab_size: int,
    speed_factors: Sequence[float],
    seed: int,
) -> list[Utterance]:
    """The training utterances with the targets of an ablation, the same in every epoch.

    Copies at other speeds get the targets of their original.

    Args:
        utterances: With the tokens of their transcripts.
        kind: ``transcripts`` leaves these; ``shuffled`` and ``random`` as in ``CtcConfig``.
        vocab_size: V, with the blank, which is never drawn.
        speed_factors: Of the copies among them.
        seed: Of the run.
    """
    if kind == "transcripts":
        return list(utterances)
    originals = [original_utt(u.utt, speed_factors) for u in utterances]
    tokens = {utt: u.tokens for utt, u in zip(originals, utterances, strict=True)}
    rng = random.Random(f"{kind} {seed}")
    if kind == "shuffled":
        tokens = _exchanged(tokens, rng)
    else:
        tokens = {
            utt: [rng.randrange(1, vocab_size) for _ in own] for utt, own in sorted(tokens.items())
        }
    return [replace(u, tokens=tokens[utt]) for utt, u in zip(originals, utterances, strict=True)]


def _exchanged(tokens: Mapping[str, Sequence[int]], rng: random.Random) -> dict[str, Sequence[int]]:
    """Everybody's transcript to another utterance whose own has about as many tokens.

    Neighbours by number of tokens form groups, and each group is passed on in a circle; of several
    circles the one is taken in which the fewest get words equal to their own.
    """
    order = sorted(tokens, key=lambda utt: (len(tokens[utt]), utt))
    num_groups = max(1, len(order) // EXCHANGE_GROUP)
    exchanged: dict[str, Sequence[int]] = {}
    for i in range(num_groups):
        group = order[len(order) * i // num_groups : len(order) * (i + 1) // num_groups]
        circles = [rng.sample(group, len(group)) for _ in range(EXCHANGE_TRIES)]
        circle = min(
            circles,
            key=lambda utts: sum(
                tokens[utt] == tokens[giver]
                for utt, giver in zip(utts, [*utts[1:], utts[0]], strict=True)
            ),
        )
        exchanged |= {
            utt: tokens[giver] for utt, giver in zip(circle, [*circle[1:], circle[0]], strict=True)
        }
    return exchanged


def check_ctc_lengths(
    utterances: Sequence[Utterance],
    encoder: Encoder | None,
    config: CtcConfig,
    where: Path,
    listing: Path | None,
) -> None:
    """Counts the utterances that CTC must leave out, and lists them in a file, if one is given.

    Args:
        utterances: With their tokens.
        encoder: Gives the frames that CTC has; None where the utterances are encoded already.
        config: How many may be too short.
        where: Their folder.
        listing: The file.

    Raises:
        SerError: They are more than the share that the configuration allows.
    """
    lens = [u.num_frames for u in utterances]
    if encoder is not None:
        lens = encoder.frame_lens(torch.tensor(lens)).tolist()
    short = [
        u.utt for u, size in zip(utterances, lens, strict=True) if too_short_for_ctc(size, u.tokens)
    ]
    if not short:
        return
    if listing:
        write_text(listing, "".join(f"{utt}\n" for utt in short))
    said = (
        f"{where}: {len(short)} of {len(utterances)} utterances are too short for their transcript"
    )
    if len(short) / len(utterances) > config.max_too_short_prob:
        listed = f" (all in {listing})" if listing else ""
        raise SerError(
            f"{said}, {short[0]} first{listed}; expected a share of at most "
            f"{config.max_too_short_prob} (ctc.max_too_short_prob); raise num_pieces in bpe.yaml"
        )
    if listing:
        logger.warning("%s; they are left out of the CTC term alone (listed in %s)", said, listing)
