"""Enrolment: the mean of a speaker's turns, whose emotions nobody needs to know."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ser.audio.quality import why_no_speech
from ser.base.arrays import Floats
from ser.base.errors import Faults, SerError
from ser.base.log import logger
from ser.feats.speaker_means import speaker_means
from ser.infer.arrays import is_whole
from ser.infer.batches import batches
from ser.infer.engine import SpeakerEngine
from ser.infer.windows import LongRecording, Segment, memory_named, windows

if TYPE_CHECKING:
    from ser.infer.model import Model

FEW_TURNS = 5  # fewer are worth little (egs/ravdess8/README.md)


def can_enrol(model: "Model") -> bool:
    """Whether a speaker can be enrolled: the model takes a mean off, and it is not fixed."""
    return bool(model.speaker_prior) and isinstance(model.engine, SpeakerEngine)


def enrolled_engine(
    model: "Model", turns: Iterable[Any], sample_rate: int | None
) -> tuple[SpeakerEngine, int]:
    """The model's engine for the speaker of some turns, as of ``Model.enrol``, and their number.

    Each window of a long recording is a turn. What cannot be speech is left out, with a warning.

    Raises:
        SerError: The model takes no mean of a speaker; turns are unreadable, all of them named; or
            there is no turn.
    """
    engine = model.engine
    if not model.speaker_prior:
        raise SerError(
            "enrolment: the model takes no mean of a speaker; expected one of a system with "
            "readout.speaker_prior; leave the enrolment out"
        )
    if not isinstance(engine, SpeakerEngine):
        raise SerError(
            "enrolment: the training speakers' mean is fixed in an .onnx file; expected the "
            "package or run that it was exported from"
        )
    if is_whole(turns) or not isinstance(turns, Iterable):
        raise SerError("enrolment: no list; expected a list of recordings, be it of one")
    faults = Faults()
    segments = _segments(model, turns, sample_rate, faults)
    means = speaker_means(_vectors(model, engine, segments, faults))
    faults.raise_any()
    if not means:
        raise SerError("enrolment: 0 turns that can be speech; expected some; name more recordings")
    found = list(means.values())
    return engine.for_speaker(found), found[0].num_turns


def _segments(
    model: "Model", turns: Iterable[Any], sample_rate: int | None, faults: Faults
) -> Iterator[Segment]:
    """All turns that can be speech; a file that is named twice counts once."""
    seen = set[str]()
    for number, turn in enumerate(turns, start=1):
        name, rate = f"turn {number}", sample_rate
        if is_path := isinstance(turn, str | os.PathLike):
            name, rate = str(turn), None
            if (place := os.path.realpath(turn)) in seen:
                continue
            seen.add(place)
        elif not is_whole(turn):
            faults.add(f"{name}: no recording; expected a path, bytes, an open file or an array")
            continue
        elif isinstance(turn, bytes | bytearray) or hasattr(turn, "read"):
            rate = None  # it has its own
        with faults.noted("" if is_path else f"{name}: "):
            reasons, total = [], 0
            for segment in _cut(model.read(turn, rate)):
                total += 1
                if reason := why_no_speech(segment.samples, model.sample_rate_hz):
                    reasons.append(reason)
                else:
                    yield segment
            if reasons:
                share = f"{len(reasons)} of {total} windows " if total > 1 else ""
                why = ", ".join(dict.fromkeys(reasons))
                logger.warning("%s: %sleft out of enrolment: %s", name, share, why)


def _cut(recording: Segment | LongRecording) -> Iterator[Segment]:
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
