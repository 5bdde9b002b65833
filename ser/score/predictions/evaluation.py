"""Predictions as arrays, which scoring and statistics share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ser.base.arrays import Doubles
from ser.metrics.classification import Codes
from ser.score.predictions.experiment import Predictions
from ser.score.predictions.table import PredictionRow
from ser.score.stats.clusters import Clusters, find_clusters

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """N utterances, each held out once, predicted by every system with each of R seeds.

    Attributes:
        labels: The C classes in their order.
        utts: Ids.
        ref: (N,) class of each utterance.
        fold: (N,) code of the fold that held it out.
        session: (N,) code of its session.
        speaker: (N,) code of its speaker.
        clusters: What is independent of the rest; a part of the utterances keeps those of all.
        hyp: (R, N) class that each seed's model gives, by system.
        posteriors: (R, N, C), by system.
    """

    labels: tuple[str, ...]
    utts: tuple[str, ...]
    ref: Codes
    fold: Codes
    session: Codes
    speaker: Codes
    clusters: Clusters
    hyp: Mapping[str, Codes]
    posteriors: Mapping[str, Doubles]

    def correct(self, system: str) -> Doubles:
        """(N,) share of the seeds that are right on each utterance."""
        share: Doubles = (self.hyp[system] == self.ref).mean(axis=0)
        return share

    def only(self, mask: Mask) -> "Evaluation":
        """The utterances of a mask (N,)."""
        return replace(
            self,
            utts=tuple(utt for utt, kept in zip(self.utts, mask, strict=True) if kept),
            ref=self.ref[mask],
            fold=self.fold[mask],
            session=self.session[mask],
            speaker=self.speaker[mask],
            clusters=replace(self.clusters, code=self.clusters.code[mask]),
            hyp={system: hyp[:, mask] for system, hyp in self.hyp.items()},
            posteriors={system: p[:, mask] for system, p in self.posteriors.items()},
        )


def encode(predictions: Predictions) -> Evaluation:
    """Predictions as arrays; utterances in the order of the folds."""
    systems = {
        system: [[p for fold in folds.values() for p in fold] for folds in seeds.values()]
        for system, seeds in predictions.folds.items()
    }
    first: list[PredictionRow] = next(iter(systems.values()))[0]
    some_seed = next(iter(next(iter(predictions.folds.values())).values()))
    code = {label: i for i, label in enumerate(predictions.labels)}
    fold = np.repeat(np.arange(len(some_seed)), [len(fold) for fold in some_seed.values()])
    session = np.unique([p.session for p in first], return_inverse=True)[1]
    speaker = np.unique([p.spk for p in first], return_inverse=True)[1]
    return Evaluation(
        labels=predictions.labels,
        utts=tuple(p.utt for p in first),
        ref=np.array([code[p.ref] for p in first]),
        fold=fold,
        session=session,
        speaker=speaker,
        clusters=find_clusters(session, speaker, fold),
        hyp={s: np.array([[code[p.hyp] for p in seed] for seed in r]) for s, r in systems.items()},
        posteriors={
            s: np.array([[p.posteriors for p in seed] for seed in rows])
            for s, rows in systems.items()
        },
    )
