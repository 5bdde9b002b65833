"""Which utterances are the same audio under whatever name, container, rate, level and coding.

Decoded samples are compared, in three steps. Whose lengths agree within 0.15 s and whose envelopes,
the level of each 25 ms, correlate by 0.92 or more at the best shift are candidates. Of these the
samples themselves, from 150 to 2000 Hz, are held against each other at every shift up to 0.15 s:
the same are those that correlate by 0.7 or more. In RAVDESS two takes of a sentence by one actor
reach 0.47; copies by MP3, Opus, Vorbis and mu-law at their lowest rates have 0.90 at least. What is
silent is compared by its bytes alone. Of utterances beyond 20 s the envelopes are of that much, so
that their lengths may differ there. Not seen are copies of shorter ones that were trimmed, copies
mixed with other sound or played at another speed, and those of so coarse a codec (GSM of quiet
speech) that its noise fills the pauses.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.fft
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ser.audio.reading import of_each_file, read_audio, read_mono
from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.base.files import digest_file, parsing, read_text
from ser.base.log import logger
from ser.base.writing import write_text
from ser.kaldi.table import Table

FILE = "same_audio.tsv"
HEADER = "utt\tsame_as\n"
FRAMES_PER_S = 40
MAX_FRAMES = 20 * FRAMES_PER_S  # of an envelope; the samples decide
SHIFT_SECONDS = 0.15  # that coding may add at the beginning or end
SHIFTS = round(SHIFT_SECONDS * FRAMES_PER_S)
ENVELOPES = 0.92  # the least correlation of candidates
SAMPLES = 0.7  # and of what is the same
SILENCE = 1e-4  # of full scale
RATE_HZ = 8000
BAND_HZ = (150, 2000)  # no hum, and what every codec keeps
BLOCK_UTTS = 256
CACHED_UTTS = 256


def same_audio(wavs: Mapping[str, Path]) -> tuple[Table, Table]:
    """For each utterance the first one that has its audio, maybe itself; and its file's SHA-256.

    All audio is decoded once.

    Raises:
        SerError: A file is missing, unreadable or cut, or holds what is no number.
    """
    read = of_each_file(
        lambda wav, utt: (_envelope(*read_mono(wav, utt)), digest_file(wav)), wavs, "reading audio"
    )
    envelopes = {utt: envelope for utt, (envelope, _) in read.items() if envelope is not None}
    digests = {utt: digest for utt, (_, digest) in read.items()}
    utts = list(wavs)
    number = {utt: i for i, utt in enumerate(utts)}
    first: dict[str, str] = {}
    pairs = [(first.setdefault(digest, utt), utt) for utt, digest in digests.items()]

    @lru_cache(CACHED_UTTS)
    def samples(utt: str) -> Floats:
        return read_audio(wavs[utt], utt, RATE_HZ)

    for one, other in _candidates(envelopes):
        if digests[one] != digests[other] and _correlation(samples(one), samples(other)) >= SAMPLES:
            pairs.append((one, other))
    rows, columns = zip(*((number[a], number[b]) for a, b in pairs), strict=True)
    links = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(utts), len(utts)))
    _, groups = connected_components(links, directed=False)
    firsts: dict[int, str] = {}
    same = {utt: firsts.setdefault(int(g), utt) for utt, g in zip(utts, groups, strict=True)}
    return same, digests


def _envelope(samples: Floats, rate: int) -> Floats | None:
    """The level of each 25 ms of samples (N,) +-1: (T,) of mean 0 and norm 1; None of silence."""
    num_frames = min(MAX_FRAMES, len(samples) * FRAMES_PER_S // rate)
    if not num_frames or samples.std(dtype=np.float64) < SILENCE:
        return None
    starts = np.arange(num_frames) * rate // FRAMES_PER_S
    end = num_frames * rate // FRAMES_PER_S
    level = np.sqrt(np.add.reduceat(np.square(samples[:end]), starts))
    level -= level.mean()
    norm = np.linalg.norm(level)
    return np.asarray(level / norm if norm else level, np.float32)


def _candidates(envelopes: Mapping[str, Floats]) -> Iterator[tuple[str, str]]:
    """Pairs whose lengths agree and whose envelopes correlate."""
    utts = sorted(envelopes, key=lambda utt: len(envelopes[utt]))
    lengths = np.array([len(envelopes[utt]) for utt in utts])
    for start in range(0, len(utts), BLOCK_UTTS):
        block = utts[start : start + BLOCK_UTTS]
        longest = lengths[start + len(block) - 1] + SHIFTS
        end = int(np.searchsorted(lengths, longest, side="right"))
        width = longest + 2 * SHIFTS
        others = _matrix([envelopes[utt] for utt in utts[start:end]], SHIFTS, width).T
        best = np.zeros((len(block), end - start), np.float32)
        for shift in range(2 * SHIFTS + 1):
            shifted = _matrix([envelopes[utt] for utt in block], shift, width)
            np.maximum(best, shifted @ others, out=best)
        for i, j in np.argwhere(np.triu(best, 1) >= ENVELOPES).tolist():
            if lengths[start + j] - lengths[start + i] <= SHIFTS:
                yield block[i], utts[start + j]


def _matrix(envelopes: Sequence[Floats], offset: int, width: int) -> Floats:
    """Envelopes (N, width), each from an offset on."""
    matrix = np.zeros((len(envelopes), width), np.float32)
    for row, envelope in zip(matrix, envelopes, strict=True):
        row[offset : offset + len(envelope)] = envelope
    return matrix


def _correlation(one: Floats, other: Floats) -> float:
    """The correlation of samples at 8 kHz, of either sign, at the best shift up to 0.15 s."""
    shifts = round(SHIFT_SECONDS * RATE_HZ)
    size = scipy.fft.next_fast_len(max(len(one), len(other)) + shifts, real=True)
    low, high = (round(hz * size / RATE_HZ) for hz in BAND_HZ)
    spectra = [scipy.fft.rfft(samples, size) for samples in (one, other)]
    for spectrum in spectra:
        spectrum[:low] = spectrum[high:] = 0
    found = scipy.fft.irfft(spectra[0] * np.conj(spectra[1]), size)
    best = max(np.abs(found[: shifts + 1]).max(), np.abs(found[-shifts:]).max())
    norms = np.prod([np.linalg.norm(spectrum) for spectrum in spectra]) * 2 / size
    return float(best / norms) if norms else 0.0


def tell_same_audio(same: Table, listed: Path) -> None:
    """Warns of audio that occurs twice."""
    pairs = [(first, utt) for utt, first in same.items() if utt != first]
    if pairs:
        logger.warning(
            "%s and %s are the same audio%s; all are in %s, and the audit counts those on "
            "both sides of a fold",
            *pairs[0],
            f", and {len(pairs) - 1} more pairs like them" if len(pairs) > 1 else "",
            listed,
        )


def write_same_audio(folder: Path, same: Table) -> None:
    """Lists the utterances whose audio an earlier one has."""
    lines = (f"{utt}\t{first}\n" for utt, first in same.items() if utt != first)
    write_text(folder / FILE, HEADER + "".join(lines))


def read_same_audio(folder: Path, utts: Sequence[str]) -> Table:
    """What ``same_audio`` found for a data directory of stage 0.

    Raises:
        SerError: Stage 0 was run by a version that compared bytes alone.
    """
    path = folder / FILE
    if not path.exists():
        raise SerError(f"{path}: no such file; expected the list of identical audio; rerun stage 0")
    lines = read_text(path).splitlines()[1:]
    with parsing(path, "not lines of two utterances", "rerun stage 0"):
        return {utt: utt for utt in utts} | dict(line.split("\t") for line in lines)
