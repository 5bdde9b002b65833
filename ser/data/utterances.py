"""The utterances of a feature folder, with targets; features are read when asked for."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser.base.arrays import Doubles, Floats
from ser.base.errors import SerError
from ser.base.files import require_regular
from ser.base.log import logger
from ser.base.record import read_record
from ser.config.features import Normalisation
from ser.feats.definitions import normalise
from ser.feats.speaker_means import shifts
from ser.feats.speed_copies import speed_dir
from ser.kaldi.ark import ArkReader, Matrix
from ser.kaldi.data_dir import DataDir, read_data_dir
from ser.kaldi.table import read_table, same_ids

LONG_FRAMES = 6000  # a minute
GATHERED = "gathered"  # key of the record of what a frozen encoder made of features


@dataclass(frozen=True)
class Utterance:
    """One utterance.

    Attributes:
        utt: Its id.
        num_frames: T, feature frames.
        tokens: CTC targets, empty where none are needed.
        label: Class, or -1 where there is none.
    """

    utt: str
    num_frames: int
    tokens: Sequence[int] = ()
    label: int = -1


class FeatureReader(ArkReader):
    """Features as a model gets them.

    Args:
        scp: ``feats.scp``.
        where: Its file.
        normalisation: Done when features are loaded.
        encoded: Whether they are what a frozen encoder made of features.
        shifts: What is added to each row of an utterance, (F,); None for nothing.
    """

    def __init__(
        self,
        scp: Mapping[str, str],
        where: Path,
        normalisation: Normalisation,
        encoded: bool = False,
        shifts: Mapping[str, Floats] | None = None,
    ) -> None:
        super().__init__(scp, where)
        self.normalisation, self.encoded, self.shifts = normalisation, encoded, shifts

    def shifted(self, shifts: Mapping[str, Floats]) -> "FeatureReader":
        """The same archives, with something added to each row of an utterance, (F,)."""
        return FeatureReader(self.scp, self._where, self.normalisation, self.encoded, shifts)

    def read_normalised(self, utt: str, out: Matrix) -> None:
        """Reads the features of an utterance into (T, F).

        Raises:
            SerError: As for ``read_into``.
        """
        self.read_into(utt, out)
        normalise(out, self.normalisation)
        if self.shifts is not None:
            out += self.shifts[utt]


@dataclass(frozen=True)
class FeatureDir:
    """A folder of stage 1, or of what a frozen encoder made of one.

    Attributes:
        data: Its tables.
        feats: Matrices by utterance.
        num_frames: T of each utterance.
    """

    data: DataDir
    feats: FeatureReader
    num_frames: Mapping[str, int]


def read_feature_dir(path: Path) -> FeatureDir:
    """Reads and validates a folder of stage 1.

    Raises:
        SerError: A table is missing or malformed, or the tables differ in their ids.
    """
    data = read_data_dir(path)
    scp = read_table(path / "feats.scp")
    same_ids(path / "feats.scp", scp, path / "utt2spk", data.utts)
    num_frames = {utt: int(count) for utt, count in data["utt2num_frames"].items()}
    _require_room(path, scp, num_frames)
    # Folders of earlier versions name none.
    config = read_record(path)["config"]
    normalisation = config.get("normalisation", "utterance_mean")
    reader = FeatureReader(scp, path / "feats.scp", normalisation, encoded=GATHERED in config)
    return FeatureDir(data, reader, num_frames)


def _require_room(path: Path, scp: Mapping[str, str], num_frames: Mapping[str, int]) -> None:
    """Checks that the archives can hold the frames announced, before memory is taken."""
    announced = Counter[str]()
    for utt, place in scp.items():
        announced[place.rpartition(":")[0]] += num_frames[utt]
    for ark, count in announced.items():
        size = require_regular(Path(ark)) if Path(ark).exists() else count
        if count > size:
            raise SerError(
                f"{path / 'utt2num_frames'}: {count} frames in {ark} of {size} bytes; expected "
                "those that stage 1 wrote; rerun stage 1"
            )


def read_with_copies(path: Path, speed_factors: Sequence[float]) -> FeatureDir:
    """A folder of stage 1 together with its copies at other speeds, whose ids are prefixed.

    Raises:
        SerError: As for ``read_feature_dir``, of any of the folders.
    """
    parts = [read_feature_dir(speed_dir(path, factor)) for factor in (1.0, *speed_factors)]
    tables = {
        name: {key: value for part in parts for key, value in part.data.tables[name].items()}
        for name in parts[0].data.tables
        if all(name in part.data.tables for part in parts)
    }
    scp = {utt: place for part in parts for utt, place in part.feats.scp.items()}
    num_frames = {utt: number for part in parts for utt, number in part.num_frames.items()}
    own = parts[0].feats
    feats = FeatureReader(scp, path / "feats.scp", own.normalisation, own.encoded)
    return FeatureDir(DataDir(path, tables), feats, num_frames)


def by_speaker(
    features: FeatureDir,
    parts: Sequence[Sequence[str]],
    prior: float,
    training_mean: Doubles | None = None,
) -> FeatureReader:
    """What a frozen encoder gave for some turns, with the means of their speakers taken off.

    Args:
        features: Of vectors: matrices (1, W).
        parts: As of ``ser.feats.speaker_means.shifts``.
        prior: ``speaker_prior``.
        training_mean: As ``around`` there.
    """
    spk_of, feats = features.data["utt2spk"], features.feats
    return feats.shifted(shifts(parts, spk_of, lambda utt: feats[utt][0], prior, training_mean))


def select(
    features: FeatureDir,
    utts: Collection[str],
    tokens: Mapping[str, Sequence[int]] | None = None,
    labels: Mapping[str, int] | None = None,
) -> list[Utterance]:
    """The chosen utterances with their targets, in the folder's order.

    Raises:
        SerError: An utterance is not in the folder, or none is chosen.
    """
    path = features.data.path
    if unknown := set(utts) - features.num_frames.keys():
        raise SerError(
            f"{path}: no features of {len(unknown)} utterances, {min(unknown)} the first; expected "
            "all; rerun stage 1"
        )
    if not utts:
        raise SerError(
            f"{path}: 0 utterances of it are chosen; expected some; see the folds and max_seconds"
        )
    chosen = set(utts)
    return [
        Utterance(
            utt,
            frames,
            tokens[utt] if tokens is not None else (),
            labels[utt] if labels is not None else -1,
        )
        for utt, frames in features.num_frames.items()
        if utt in chosen
    ]


def short_enough(
    features: FeatureDir, utts: Sequence[str], max_seconds: float | None, where: Path
) -> list[str]:
    """Those of some utterances that are not longer than a training allows; the others are logged.

    Args:
        features: Their folder.
        utts: The utterances.
        max_seconds: ``training.max_seconds``; None for no limit.
        where: Of the run, for messages.

    Raises:
        SerError: None is left.
    """
    if max_seconds is None:
        return list(utts)
    seconds = {utt: float(features.data["utt2dur"][utt]) for utt in utts}
    kept = [utt for utt in utts if seconds[utt] <= max_seconds]
    long = [utt for utt in utts if seconds[utt] > max_seconds]
    if not kept:
        raise SerError(
            f"{where}: all {len(long)} training utterances are longer than training.max_seconds "
            f"{max_seconds:g} ({long[0]} has {seconds[long[0]]:g} s); expected some to train on; "
            "write more seconds, or null"
        )
    if long:
        longest = max(long, key=lambda utt: seconds[utt])
        logger.warning(
            "%s: left out of training: %s of %s utterances longer than %g s "
            "(training.max_seconds), %s the longest with %g s",
            *(where, len(long), len(utts), max_seconds, longest, seconds[longest]),
        )
    return kept


def report_lengths(utterances: Sequence[Utterance], min_frames: int, where: str) -> None:
    """Says how many utterances are so short that they are padded, and how many are very long."""
    padded = [u.utt for u in utterances if u.num_frames < min_frames]
    if padded:
        logger.warning(
            "%s: %s utterances shorter than %s frames are padded, %s first",
            where,
            len(padded),
            min_frames,
            padded[0],
        )
    long = [u for u in utterances if u.num_frames > LONG_FRAMES]
    if long:
        logger.warning(
            "%s: %s utterances of more than %s frames, %s first with %s; attention needs "
            "memory by their square: cut them (segments), or leave them out (training.max_seconds)",
            where,
            len(long),
            LONG_FRAMES,
            long[0].utt,
            long[0].num_frames,
        )
