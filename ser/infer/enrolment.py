"""The turns by which a speaker is enrolled: nobody needs to know their emotions."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from ser.audio.quality import why_no_speech
from ser.base.arrays import Floats
from ser.base.errors import Faults, SerError, shortened
from ser.infer.windows import Segment, windows

if TYPE_CHECKING:
    from ser.infer.model import Model


def enrolment_batches(
    model: "Model", turns: Iterable[Any], sample_rate: int | None
) -> Iterator[list[Floats]]:
    """What the model's engine takes of all turns; of a long recording each window is a turn.

    Args:
        model: Whose speaker they are of.
        turns: As of ``Model.enrol``.
        sample_rate: As of ``Model.enrol``.

    Raises:
        SerError: Some are unreadable, all of them named; or in none there can be speech.
    """
    if isinstance(turns, str | bytes | os.PathLike):
        raise SerError(f"{shortened(ascii(turns))}: one turn; expected several; enrol takes a list")
    faults, num_turns = Faults(), 0
    found = (x for turn in turns for x in _samples(model, turn, sample_rate, faults))
    while batch := list(islice(found, model.batch_size)):
        num_turns += len(batch)
        yield [model.engine_input(samples) for samples in batch]
    faults.raise_any()
    if not num_turns:
        raise SerError(
            "enrolment: 0 turns that can be speech; expected some; name recordings of the speaker"
        )


def _samples(
    model: "Model", audio: Any, sample_rate: int | None, faults: Faults
) -> Iterator[Floats]:
    """Those of a turn, whole or in windows; of none that cannot be speech."""
    with faults.noted():
        turn = model.turn(audio, sample_rate)
        parts = (
            [turn.samples]
            if isinstance(turn, Segment)
            else (x for _, x in windows(turn.pieces, turn.window, turn.window))
        )
        yield from (x for x in parts if why_no_speech(x, model.sample_rate_hz) is None)
