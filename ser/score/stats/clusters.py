"""What is independent of the rest of an evaluation: the unit of intervals and permutations."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ser.metrics.classification import Codes

ALMOST_ALL = 0.9  # of the utterances


@dataclass(frozen=True)
class Clusters:
    """Groups of utterances that are statistically independent.

    Attributes:
        code: (N,) cluster of each utterance, 0 to G - 1.
        unit: What a cluster is, in the plural.
        share_models: Whether one trained model tests several of them. Then their spread does not
            hold that of training, and intervals speak of these very models.
    """

    code: Codes
    unit: str
    share_models: bool

    @property
    def number(self) -> int:
        """G."""
        return int(self.code.max()) + 1


def find_clusters(session: Codes, speaker: Codes, fold: Codes) -> Clusters:
    """Sessions; where one model tests several of them, all that it tests.

    A session that several folds test is one cluster as well: these folds play the same people.
    Where all folds, or almost, hang together by sessions (numbers that recur under each speaker),
    folds that share speakers are one. Where these hang together too (a random protocol, or a single
    fold) the clusters are the sessions, those that share speakers as one; a single session is its
    speakers.
    Where this joins almost all (a cast of few people, or numbers that recur), each session is one
    though speakers recur, or each speaker where there are not fewer.

    Args:
        session: (N,) codes.
        speaker: (N,) codes.
        fold: (N,) codes of the fold, and so of the model, that tests each utterance.
    """
    return _of_many_models(session, speaker, fold) or _of_one_model(session, speaker)


def _of_many_models(session: Codes, speaker: Codes, fold: Codes) -> Clusters | None:
    """What is joined by the model that tests it; None where that joins almost all."""
    for codes, name in ((session, _name_of_sessions(session, speaker)), (speaker, "speakers")):
        joined = _joined(codes, fold)
        if not joined.any() or _is_cast(fold[_largest(joined)], len(fold)):
            continue
        number, unit = joined.max() + 1, name
        if number < _number(codes):
            are_folds = number == _number(fold)
            unit = "folds" if are_folds else f"groups of folds that share {name}"
        if unit in ("folds", "sessions") and _num_pairs(joined, speaker) > _number(speaker):
            unit += " that share speakers"
        return Clusters(joined, unit, share_models=False)
    return None


def _of_one_model(session: Codes, speaker: Codes) -> Clusters:
    """Sessions, joined by the speakers that they share unless that joins almost all."""
    num_sessions, num_speakers = _number(session), _number(speaker)
    if num_sessions == 1:
        return Clusters(_numbered(speaker), "speakers", share_models=True)
    joined = _joined(session, speaker)
    if joined.max() + 1 == num_sessions:
        return Clusters(joined, _name_of_sessions(session, speaker), share_models=True)
    if not _is_cast(speaker[_largest(joined)], len(speaker)):
        are_speakers = joined.max() + 1 == num_speakers
        unit = "speakers" if are_speakers else "groups of sessions that share speakers"
        return Clusters(joined, unit, share_models=True)
    if num_speakers >= num_sessions:
        return Clusters(_numbered(speaker), "speakers that share sessions", share_models=True)
    return Clusters(_numbered(session), "sessions that share speakers", share_models=True)


def _name_of_sessions(session: Codes, speaker: Codes) -> str:
    """``speakers`` where each has a session of their own: the reader thinks of these."""
    is_one = _number(session) == _number(speaker) == _num_pairs(session, speaker)
    return "speakers" if is_one else "sessions"


def _number(codes: Codes) -> int:
    """How many different ones there are."""
    return len(np.unique(codes))


def _numbered(codes: Codes) -> Codes:
    """The same from 0 on, without gaps."""
    return np.unique(codes, return_inverse=True)[1]


def _largest(joined: Codes) -> npt.NDArray[np.bool_]:
    """(N,) which utterances are in the largest cluster."""
    return np.asarray(joined == np.bincount(joined).argmax())


def _num_pairs(one: Codes, other: Codes) -> int:
    """How many different pairs there are of two kinds."""
    return len(np.unique(np.stack([one, other]), axis=1).T)


def _is_cast(codes: Codes, num_utts: int) -> bool:
    """Whether the utterances of some speakers or folds, not of one alone, are almost all."""
    return _number(codes) > 1 and len(codes) >= ALMOST_ALL * num_utts


def _joined(one: Codes, other: Codes) -> Codes:
    """(N,) one code for all sessions, speakers or folds of two kinds that hang together."""
    of_one = _numbered(one)
    of_other = _numbered(other) + of_one.max() + 1
    num_nodes = of_other.max() + 1
    edges = coo_array((np.ones(len(of_one)), (of_one, of_other)), (num_nodes, num_nodes))
    component: Codes = connected_components(edges, directed=False)[1][of_one]
    return _numbered(component)
