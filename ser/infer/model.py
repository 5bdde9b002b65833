"""A trained model at work: audio in, emotions out.

>>> from ser import load
>>> model = load("model/")
>>> result = model.predict("a.wav")
>>> result.label, result.posteriors, result.words
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ser.audio.quality import why_no_speech
from ser.base.arrays import Floats
from ser.base.errors import SerError, shortened
from ser.feats.definitions import Extractor, normalise
from ser.infer.arrays import given_audio, given_pieces, is_whole, refuse_rate
from ser.infer.batches import Waiting, batches, read_ahead
from ser.infer.engine import Engine, Output
from ser.infer.enrolment import enrolled_engine
from ser.infer.result import Posteriors, Result
from ser.infer.windows import (
    LONG_SECONDS,
    LongRecording,
    Segment,
    cut,
    equal_window,
    is_long,
    memory_named,
    require_lengths,
    windows,
)
from ser.text.bpe import Tokenizer

UNKNOWN_SECONDS = 30.0  # as the longest training utterance, where it is not known


@dataclass(frozen=True)
class Model:
    """A trained model. Safe to use from several threads.

    Attributes:
        engine: What runs the network.
        labels: The classes in the order of the posteriors.
        fbank: Computes the features that it was trained on.
        tokenizer: None for a model without CTC head.
        features_inside: Whether the engine computes the features itself.
        threshold: Below this probability no label is given.
        batch_size: Most utterances of a batch.
        any_audio: Whether what cannot be speech, which is flagged, gets a label too.
        longest_seconds: Of the utterances that it was trained on; None where that is not known.
        speaker_prior: Of ``ReadoutConfig``; None for a model that enrols no speaker.
        num_enrolled: Turns by which its speaker is enrolled.
    """

    engine: Engine
    labels: tuple[str, ...]
    fbank: Extractor
    tokenizer: Tokenizer | None
    features_inside: bool = False
    threshold: float = 0.0
    batch_size: int = 16
    any_audio: bool = False
    longest_seconds: float | None = None
    speaker_prior: float | None = None
    num_enrolled: int = 0

    @property
    def whole_seconds(self) -> float:
        """A longer recording is predicted in windows: it is not what the network was trained on."""
        return min(LONG_SECONDS, self.longest_seconds or UNKNOWN_SECONDS)

    @property
    def sample_rate_hz(self) -> int:
        """The rate of the samples that it is given, in Hz."""
        return self.fbank.config.sample_rate_hz

    def predict(
        self,
        audio: str | Path | bytes | BinaryIO | npt.NDArray[Any],
        sample_rate: int | None = None,
    ) -> Result:
        """Predicts a file, or an array of samples.

        One longer than ``whole_seconds`` is predicted in windows of equal length, whose posteriors
        are averaged.

        Args:
            audio: A path, the bytes of a file or one that is open, or samples (N,) or (N,
                channels): floats within +-1, or 16-bit integers.
            sample_rate: Hz, a whole number; of an array alone.

        Raises:
            SerError: The file is unreadable, the array is empty, not finite or not audio, or the
                rate is not valid.
        """
        one = self.read(audio, sample_rate)
        return self.predict_segments([one])[0] if isinstance(one, Segment) else self._long(one)

    def predict_files(
        self, paths: Iterable[str | Path]
    ) -> Iterator[tuple[Path, "Result | SerError"]]:
        """Predicts files in batches.

        Yields:
            Each path in its order, with its result or with what is wrong with the file.
        """
        if isinstance(paths, str | os.PathLike):
            raise SerError(
                f"{shortened(ascii(paths))}: one path; expected several; predict takes one"
            )
        for waiting in read_ahead(map(self._begin, map(Path, paths)), self.batch_size):
            yield from self._settle(waiting)

    def _begin(self, path: Path) -> Waiting:
        try:
            turn = self.read(path, None)
            return path, turn if isinstance(turn, Segment) else self._long(turn)
        except SerError as error:
            return path, error

    def read(self, audio: Any, sample_rate: int | None) -> Segment | LongRecording:
        """A recording as ``predict`` takes it, whole or to be cut into windows."""
        given, rate, most = given_audio(audio, sample_rate), self.sample_rate_hz, self.whole_seconds
        if not is_long(seconds := given.seconds, most):
            return Segment(given.path, given.whole(rate))
        return LongRecording(given.path, equal_window(seconds, most, rate), given.stream(rate))

    def _settle(self, waiting: Sequence[Waiting]) -> Iterator[tuple[Path, "Result | SerError"]]:
        segments = [item for _, item in waiting if isinstance(item, Segment)]
        predicted = iter(self._results(segments))
        for path, item in waiting:
            yield path, next(predicted) if isinstance(item, Segment) else item

    def enrol(self, turns: Iterable[Any], sample_rate: int | None = None) -> "Model":
        """The model for one speaker: the mean of these turns is taken off, of no earlier ones.

        Args:
            turns: Recordings of mixed emotions, without labels; each as of ``predict``.
            sample_rate: Hz, a whole number; of arrays alone.

        Raises:
            SerError: The model takes no mean of a speaker, or turns are unreadable or no speech.
        """
        engine, number = enrolled_engine(self, turns, sample_rate)
        return replace(self, engine=engine, num_enrolled=number)

    def predict_windows(
        self,
        audio: str | Path | bytes | BinaryIO | npt.NDArray[Any] | Iterable[Floats],
        window: float,
        hop: float,
        sample_rate: int | None = None,
    ) -> Iterator[Result]:
        """Predicts a recording window by window, in memory that its length does not change.

        Args:
            audio: A path, bytes, an open file, or an array with its rate, as ``predict`` takes
                them; or pieces of mono samples at the model's rate in 16-bit scale; those of an
                iterator are predicted as they come, one by one; else in batches.
            window: Seconds.
            hop: Seconds from one window to the next, at most a window.
            sample_rate: Hz, a whole number; of an array alone.

        Raises:
            SerError: The file is unreadable, the array is no audio, or a length makes no sense.
        """
        require_lengths(window, hop, self.fbank.config.frame_length_ms / 1000)
        length, step = (max(1, round(s * self.sample_rate_hz)) for s in (window, hop))
        if is_whole(audio):
            given = given_audio(audio, sample_rate)
            pieces = given.stream(self.sample_rate_hz)
            yield from self._windows(given.path, pieces, length, step, self.batch_size)
        else:
            refuse_rate(sample_rate, f"pieces of samples, whose rate is {self.sample_rate_hz}")
            at_once = 1 if isinstance(audio, Iterator) else self.batch_size  # live
            yield from self._windows("", given_pieces(audio), length, step, at_once)

    def predict_speech(
        self,
        audio: str | Path | bytes | BinaryIO | npt.NDArray[Any],
        sample_rate: int | None = None,
    ) -> Iterator[Result]:
        """Predicts a recording by its stretches of speech, in memory as of ``predict_windows``.

        What is speech, energy says (``ser.infer.vad``); where there is none, there is no result. A
        file is read twice.

        Args:
            audio: As of ``predict``.
            sample_rate: As of ``predict``.

        Raises:
            SerError: As of ``predict``.
        """
        from ser.infer.vad import find_speech  # its scipy costs a start

        given, rate = given_audio(audio, sample_rate), self.sample_rate_hz
        found = find_speech(given.stream(rate), rate, self.whole_seconds)
        stretches = cut(given.stream(rate), found)
        segments = (Segment(given.path, samples, start / rate) for start, samples in stretches)
        yield from self._in_batches(segments, self.batch_size)

    def _windows(
        self, path: str, pieces: Iterable[Floats], length: int, step: int, at_once: int
    ) -> Iterator[Result]:
        rate = self.sample_rate_hz
        found = (Segment(path, x, start / rate) for start, x in windows(pieces, length, step))
        return self._in_batches(found, at_once)

    def _in_batches(self, segments: Iterator[Segment], at_once: int) -> Iterator[Result]:
        while batch := list(islice(segments, at_once)):
            yield from self.predict_segments(batch)

    def _long(self, recording: LongRecording) -> Result:
        """One result for a long recording: the mean of its windows, by their length."""
        path, size = recording.path, recording.window
        found = list(self._windows(path, recording.pieces, size, size, self.batch_size))
        # What cannot be speech counts only where there is nothing else.
        parts = [part for part in found if part.flag is None] or found
        weights = np.array([part.end - part.start for part in parts])
        rows = np.array([list(part.posteriors.values()) for part in parts])
        posteriors = (weights[:, None] * rows).sum(axis=0) / weights.sum()
        words = None if parts[0].words is None else " ".join(p.words for p in parts if p.words)
        return self._result(path, posteriors, words, 0.0, found[-1].end, parts[0].flag)

    def predict_segments(self, segments: Sequence[Segment]) -> list[Result]:
        """The results of some segments, in their order; alike in batches and alone.

        Raises:
            SerError: The posteriors of one are not finite.
        """
        return list(map(_or_raise, self._results(segments)))

    def _results(self, segments: Sequence[Segment]) -> "list[Result | SerError]":
        """The result of each segment, or what is wrong with it."""
        outputs: dict[int, Output] = {}
        for members, inputs in batches(self, segments):
            with memory_named([segments[i] for i in members]):
                outputs |= zip(members, self.engine(inputs), strict=True)
        return [
            self._result(
                segment.path,
                outputs[i].posteriors,
                self.tokenizer.decode(outputs[i].tokens) if self.tokenizer else None,
                segment.start,
                segment.start + len(segment.samples) / self.sample_rate_hz,
                why_no_speech(segment.samples, self.sample_rate_hz),
            )
            if np.isfinite(outputs[i].posteriors).all()
            else segment.not_finite()
            for i, segment in enumerate(segments)
        ]

    def features(self, samples: Floats) -> Floats:
        """The features (T, F) of samples (N,), normalised."""
        feats = self.fbank(samples)
        normalise(feats, self.fbank.config.normalisation)
        return feats

    def engine_input(self, samples: Floats) -> Floats:
        """What the engine takes for samples (N,): features, or samples that fill a frame."""
        if not self.features_inside:
            return self.features(samples)
        return np.pad(samples, (0, max(0, self.fbank.min_samples - len(samples))))

    def _result(
        self,
        path: str,
        posteriors: Any,
        words: str | None,
        start: float,
        end: float,
        flag: str | None,
    ) -> Result:
        probs = np.asarray(posteriors, np.float64)
        probs /= probs.sum()
        best = int(probs.argmax())
        is_given = probs[best] >= self.threshold and (flag is None or self.any_audio)
        label = self.labels[best] if is_given else None
        named = Posteriors(self.labels, tuple(map(float, probs)))
        return Result(path, label, named, words, start, end, flag)


def _or_raise(result: Result | SerError) -> Result:
    if isinstance(result, SerError):
        raise result
    return result
