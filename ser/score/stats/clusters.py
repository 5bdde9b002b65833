"""What is independent of the rest of an evaluation: the unit of intervals and permutations."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ser.metrics.classification import Codes


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
    Where all hangs together (a random protocol, or a single fold) the clusters are the sessions,
    and where there is one session alone its speakers.

    Args:
        session: (N,) codes.
        speaker: (N,) codes.
        fold: (N,) codes of the fold, and so of the model, that tests each utterance.
    """
    num_sessions, num_speakers = len(np.unique(session)), len(np.unique(speaker))
    num_pairs = len(np.unique(np.stack([session, speaker]), axis=1).T)
    # Where each speaker has a session of their own, the reader thinks of speakers.
    sessions = "speakers" if num_sessions == num_speakers == num_pairs else "sessions"
    joined = _joined(session, fold)
    if joined.max() > 0:
        if joined.max() + 1 == num_sessions:
            return Clusters(joined, sessions, share_models=False)
        alone = joined.max() + 1 == len(np.unique(fold))
        unit = "folds" if alone else f"groups of folds that share {sessions}"
        return Clusters(joined, unit, share_models=False)
    unit, codes = (sessions, session) if num_sessions > 1 else ("speakers", speaker)
    return Clusters(np.unique(codes, return_inverse=True)[1], unit, share_models=True)


def _joined(session: Codes, fold: Codes) -> Codes:
    """(N,) one code for all sessions and folds that hang together."""
    of_session = np.unique(session, return_inverse=True)[1]
    of_fold = np.unique(fold, return_inverse=True)[1] + of_session.max() + 1
    num_nodes = of_fold.max() + 1
    edges = coo_array((np.ones(len(of_session)), (of_session, of_fold)), (num_nodes, num_nodes))
    component: Codes = connected_components(edges, directed=False)[1][of_session]
    return np.unique(component, return_inverse=True)[1]
