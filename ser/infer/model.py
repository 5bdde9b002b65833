"""A trained model at work: audio in, emotions out.

>>> from ser import load
>>> model = load("model/")
>>> result = model.predict("a.wav")
>>> result.label, result.posteriors, result.words
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from ser.base.errors import SerError
from ser.data.sampler import split_by_frames
from ser.feats.fbank import Fbank
from ser.infer.engine import Engine, Output
from ser.infer.windows import stream_file, windows
from ser.kaldi.audio import INT16_SCALE, audio_seconds, read_audio
from ser.text.bpe import Tokenizer

Floats = npt.NDArray[np.float32]

AHEAD = 64  # files that are read before they are predicted
MAX_FRAMES = 30_000  # padded frames of a batch
LONG_SECONDS = 60.0  # a longer file is read in windows of half as much


@dataclass(frozen=True)
class Result:
    """What a model says of an utterance, or of a window of a recording.

    Attributes:
        path: The file; empty for an array.
        label: The most probable class; None where its probability is below the threshold.
        posteriors: Probability of each class, in the model's order; they sum to 1.
        words: What the recogniser heard; None for a model without CTC head.
        start: Seconds into the file.
        end: Seconds into the file.
    """

    path: str
    label: str | None
    posteriors: dict[str, float]
    words: str | None
    start: float
    end: float

    @property
    def confidence(self) -> float:
        """The largest probability."""
        return max(self.posteriors.values())


@dataclass(frozen=True)
class Segment:
    """Samples that wait for their prediction: (N,) at the model's rate, in 16-bit scale."""

    path: str
    samples: Floats
    start: float = 0.0


@dataclass(frozen=True)
class Model:
    """A trained model. Safe to use from several threads.

    Attributes:
        engine: What runs the network.
        labels: The classes in the order of the posteriors.
        fbank: The features that it was trained on.
        tokenizer: None for a model without CTC head.
        features_inside: Whether the engine computes the features itself.
        threshold: Below this probability no label is given.
        batch_size: Most utterances of a batch.
    """

    engine: Engine
    labels: tuple[str, ...]
    fbank: Fbank
    tokenizer: Tokenizer | None
    features_inside: bool = False
    threshold: float = 0.0
    batch_size: int = 16

    @property
    def sample_rate_hz(self) -> int:
        """The rate at which it hears."""
        return self.fbank.config.sample_rate_hz

    def predict(
        self, audio: str | Path | npt.NDArray[Any], sample_rate: int | None = None
    ) -> Result:
        """Predicts a file, or an array of samples.

        A file of more than a minute is heard in windows of half a minute, whose posteriors are
        averaged.

        Args:
            audio: A path, or samples (N,) or (N, channels): floats within +-1, or 16-bit integers.
            sample_rate: Hz; of an array alone.

        Raises:
            SerError: The file is unreadable, or the array is empty, not finite or not audio.
        """
        if isinstance(audio, str | Path):
            ((_, result),) = self.predict_files([Path(audio)])
            if isinstance(result, SerError):
                raise result
            return result
        return self.predict_segments([Segment("", self._samples(audio, sample_rate))])[0]

    def predict_files(self, paths: Iterable[Path]) -> Iterator[tuple[Path, "Result | SerError"]]:
        """Predicts files in batches.

        Yields:
            Each path in its order, with its result or with what is wrong with the file.
        """
        waiting: list[tuple[Path, Segment | Result | SerError]] = []
        for path in paths:
            try:
                if audio_seconds(path, path.name) > LONG_SECONDS:
                    waiting.append((path, self._long(path)))
                else:
                    samples = read_audio(path, path.name, self.sample_rate_hz)
                    waiting.append((path, Segment(str(path), samples)))
            except SerError as error:
                waiting.append((path, error))
            if len(waiting) == AHEAD:
                yield from self._settle(waiting)
                waiting = []
        yield from self._settle(waiting)

    def _settle(
        self, waiting: Sequence[tuple[Path, "Segment | Result | SerError"]]
    ) -> Iterator[tuple[Path, "Result | SerError"]]:
        segments = [item for _, item in waiting if isinstance(item, Segment)]
        predicted = iter(self.predict_segments(segments))
        for path, item in waiting:
            yield path, next(predicted) if isinstance(item, Segment) else item

    def predict_windows(
        self, audio: str | Path | Iterable[Floats], window: float, hop: float
    ) -> Iterator[Result]:
        """Predicts a recording window by window, in memory that its length does not change.

        Args:
            audio: A path, or pieces of mono samples at the model's rate in 16-bit scale; those of
                an iterator are heard as they come, else windows are predicted in batches.
            window: Seconds.
            hop: Seconds from one window to the next, at most a window.

        Raises:
            SerError: The file is unreadable, or a length makes no sense.
        """
        frame = self.fbank.config.frame_length_ms / 1000
        if not (frame <= window < math.inf and 0 < hop <= window):
            raise SerError(
                f"--window {window:g} --hop {hop:g}: expected seconds, a window of {frame:g} or "
                "more, and 0 < hop <= window"
            )
        path = str(audio) if isinstance(audio, str | Path) else ""
        rate = self.sample_rate_hz
        chunks = stream_file(Path(audio), rate) if isinstance(audio, str | Path) else audio
        length, step = (max(1, round(seconds * rate)) for seconds in (window, hop))
        found = (Segment(path, x, start / rate) for start, x in windows(chunks, length, step))
        at_once = 1 if isinstance(audio, Iterator) else self.batch_size  # heard as it comes
        while batch := list(islice(found, at_once)):
            yield from self.predict_segments(batch)

    def _long(self, path: Path) -> Result:
        """One result for a long file: the mean of its windows, by their length."""
        half = LONG_SECONDS / 2
        parts = list(self.predict_windows(path, half, half))
        weights = np.array([part.end - part.start for part in parts])
        rows = np.array([list(part.posteriors.values()) for part in parts])
        posteriors = (weights[:, None] * rows).sum(axis=0) / weights.sum()
        words = None if parts[0].words is None else " ".join(p.words for p in parts if p.words)
        return self._result(str(path), posteriors, words, 0.0, parts[-1].end)

    def predict_segments(self, segments: Sequence[Segment]) -> list[Result]:
        """The results of some segments, in their order; alike in batches and alone."""
        if self.features_inside:
            inputs = [np.pad(c.samples, (0, self._lacking(c.samples))) for c in segments]
            lens = [self.fbank.num_frames(len(x)) for x in inputs]
        else:
            inputs = [self.features(segment.samples) for segment in segments]
            lens = [len(x) for x in inputs]
        outputs: dict[int, Output] = {}
        order = sorted(range(len(segments)), key=lambda i: -lens[i])
        for first in range(0, len(order), self.batch_size):
            batch = order[first : first + self.batch_size]
            for part in split_by_frames([lens[i] for i in batch], MAX_FRAMES):
                members = [batch[i] for i in part]
                found = self.engine([inputs[i] for i in members])
                outputs |= zip(members, found, strict=True)
        return [
            self._result(
                segment.path,
                outputs[i].posteriors,
                self.tokenizer.decode(outputs[i].tokens) if self.tokenizer else None,
                segment.start,
                segment.start + len(segment.samples) / self.sample_rate_hz,
            )
            for i, segment in enumerate(segments)
        ]

    def features(self, samples: Floats) -> Floats:
        """Log-mel features (T, F) of samples (N,), the utterance's mean taken off each band."""
        feats = self.fbank(samples)
        centred: Floats = feats - feats.mean(axis=0, keepdims=True)
        return centred

    def _lacking(self, samples: Floats) -> int:
        """Zeros behind samples that do not fill a frame."""
        return max(0, self.fbank.frame_length - len(samples))

    def _result(
        self, path: str, posteriors: Any, words: str | None, start: float, end: float
    ) -> Result:
        shares = np.asarray(posteriors, np.float64)
        shares /= shares.sum()
        best = int(shares.argmax())
        label = self.labels[best] if shares[best] >= self.threshold else None
        named = dict(zip(self.labels, map(float, shares), strict=True))
        return Result(path, label, named, words, start, end)

    def _samples(self, audio: npt.NDArray[Any], sample_rate: int | None) -> Floats:
        """An array as mono samples at the model's rate in 16-bit scale."""
        if sample_rate is None or sample_rate <= 0:
            raise SerError(f"sample_rate {sample_rate}: expected Hz, for an array")
        array = np.asarray(audio)
        if array.dtype != np.int16 and array.dtype.kind != "f":
            raise SerError(f"audio of {array.dtype}: expected floats within +-1 or int16")
        if array.ndim not in (1, 2) or not array.size:
            raise SerError(f"audio of shape {array.shape}: expected (N,) or (N, channels)")
        scale = 1.0 if array.dtype == np.int16 else INT16_SCALE
        mono = array.astype(np.float32) * np.float32(scale)
        mono = mono.mean(axis=1) if mono.ndim == 2 else mono
        if not np.isfinite(mono).all():
            raise SerError("audio: samples that are not finite; expected numbers")
        if sample_rate != self.sample_rate_hz:
            mono = soxr.resample(mono, sample_rate, self.sample_rate_hz)
        return np.asarray(mono, np.float32)
