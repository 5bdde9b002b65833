"""Enrolment: the mean of a speaker's turns, whose emotions nobody needs to know."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ser.audio.quality import why_no_speech
from ser.base.arrays import Floats
from ser.base.errors import Faults, SerError, shortened
from ser.base.log import logger
from ser.feats.speaker_means import speaker_means
from ser.infer.arrays import is_whole
from ser.infer.batches import batches
from ser.infer.engine import SpeakerEngine
from ser.infer.windows import Segment, memory_named, windows

if TYPE_CHECKING:
    from ser.infer.model import Model


def enrolled_engine(model: "Model", turns: Iterable[Any], sample_rate: int | None) -> SpeakerEngine:
    """The model's engine for the speaker of some turns, as of ``Model.enrol``.

    Of a long recording each window is a turn; what cannot be speech is none, and is told.

    Raises:
        SerError: The model takes no mean of a speaker; turns are unreadable, all of them named; or
            there is no turn.
    """
    engine = model.engine
    if not (model.speaker_prior and isinstance(engine, SpeakerEngine)):
        raise SerError(
            "enrolment: the model takes no mean of a speaker; expected a package or run of a "
            "system with readout.speaker_prior, and no .onnx file; leave the enrolment out"
        )
    if is_whole(turns) or not isinstance(turns, Iterable):
        raise SerError(
            f"enrolment: {shortened(ascii(turns))}; expected a list of recordings; put it into one"
        )
    faults = Faults()
    segments = _segments(model, turns, sample_rate, faults)
    means = speaker_means(_vectors(model, engine, segments, faults))
    faults.raise_any()
    if not means:
        raise SerError("enrolment: 0 turns that can be speech; expected some; name more recordings")
    return engine.for_speaker(list(means.values()))


def _segments(
    model: "Model", turns: Iterable[Any], sample_rate: int | None, faults: Faults
) -> Iterator[Segment]:
    """All turns that can be speech; a file that is named twice counts once."""
    seen = set()
    for turn in turns:
        is_path = isinstance(turn, str | os.PathLike)
        if is_path and turn in seen:
            continue
        seen |= {turn} if is_path else set()
        with faults.noted():
            found = model.read(turn, None if is_path else sample_rate)
            for segment in _cut(found):
                if reason := why_no_speech(segment.samples, model.sample_rate_hz):
                    logger.warning("%s: %s; no turn of enrolment", segment.path or "a turn", reason)
                else:
                    yield segment


def _cut(recording: Any) -> Iterator[Segment]:
    """A recording as a whole, or the windows of a long one."""
    if isinstance(recording, Segment):
        yield recording
        return
    window = recording.window
    for start, samples in windows(recording.pieces, window, window):
        yield Segment(recording.path, samples, start)


def _vectors(
    model: "Model", engine: SpeakerEngine, segments: Iterator[Segment], faults: Faults
) -> Iterator[tuple[str, Floats]]:
    """What is pooled of each turn, (W,), each after the number of its encoder."""
    while together := list(islice(segments, model.batch_size)):
        for members, inputs in batches(model, together):
            with memory_named([together[i] for i in members]):
                found = engine.vectors(inputs)
            for number, rows in enumerate(found):
                for member, row in zip(members, rows, strict=True):
                    if np.isfinite(row).all():
                        yield str(number), row
                    else:
                        faults.add(str(together[member].not_finite()))
