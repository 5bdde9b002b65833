"""What is independent of the rest of an evaluation: the unit of intervals and permutations."""

from dataclasses import dataclass

import numpy as np
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
    num_sessions, num_speakers = len(np.unique(session)), len(np.unique(speaker))
    num_pairs = _num_pairs(session, speaker)
    # Where each speaker has a session of their own, the reader thinks of speakers.
    sessions = "speakers" if num_sessions == num_speakers == num_pairs else "sessions"
    for codes, unit in ((session, sessions), (speaker, "speakers")):
        joined = _joined(codes, fold)
        if joined.max() > 0 and not _is_cast(
            fold[joined == np.bincount(joined).argmax()], len(fold)
        ):
            if joined.max() + 1 < len(np.unique(codes)):
                alone = joined.max() + 1 == len(np.unique(fold))
                unit = "folds" if alone else f"groups of folds that share {unit}"
            if unit in ("folds", "sessions") and _num_pairs(joined, speaker) > num_speakers:
                unit += " that share speakers"
            return Clusters(joined, unit, share_models=False)
    if num_sessions == 1:
        return Clusters(np.unique(speaker, return_inverse=True)[1], "speakers", share_models=True)
    joined = _joined(session, speaker)
    if joined.max() + 1 == num_sessions:
        unit = sessions
    elif _is_cast(speaker[joined == np.bincount(joined).argmax()], len(joined)):
        codes, unit = session, "sessions that share speakers"
        if num_speakers >= num_sessions:
            codes, unit = speaker, "speakers that share sessions"
        joined = np.unique(codes, return_inverse=True)[1]
    else:
        alone = joined.max() + 1 == num_speakers
        unit = "speakers" if alone else "groups of sessions that share speakers"
    return Clusters(joined, unit, share_models=True)


def _num_pairs(one: Codes, other: Codes) -> int:
    """How many different pairs there are of two kinds."""
    return len(np.unique(np.stack([one, other]), axis=1).T)


def _is_cast(codes: Codes, num_utts: int) -> bool:
    """Whether the utterances of some speakers or folds, not of one alone, are almost all."""
    return len(np.unique(codes)) > 1 and len(codes) >= ALMOST_ALL * num_utts


def _joined(one: Codes, other: Codes) -> Codes:
    """(N,) one code for all sessions, speakers or folds of two kinds that hang together."""
    of_one = np.unique(one, return_inverse=True)[1]
    of_other = np.unique(other, return_inverse=True)[1] + of_one.max() + 1
    num_nodes = of_other.max() + 1
    edges = coo_array((np.ones(len(of_one)), (of_one, of_other)), (num_nodes, num_nodes))
    component: Codes = connected_components(edges, directed=False)[1][of_one]
    return np.unique(component, return_inverse=True)[1]
