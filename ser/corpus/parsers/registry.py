"""The corpora whose published layout has a parser, by the name that ``prepare_corpus`` takes.

How to add one: ``egs/README.md``.
"""

from collections.abc import Callable
from pathlib import Path

from ser.corpus.parsers.crema_d import read_crema_d
from ser.corpus.parsers.emodb import read_emodb
from ser.corpus.parsers.esd import read_esd
from ser.corpus.parsers.meld import read_meld
from ser.corpus.parsers.msp_podcast import read_msp_podcast
from ser.corpus.parsers.ravdess import read_ravdess
from ser.corpus.parsers.savee import read_savee
from ser.corpus.parsers.tess import read_tess
from ser.corpus.utterance import EmotionCorpus

READERS: dict[str, Callable[[Path], EmotionCorpus]] = {
    "crema_d": read_crema_d,
    "emodb": read_emodb,
    "esd": read_esd,
    "meld": read_meld,
    "msp_podcast": read_msp_podcast,
    "ravdess": read_ravdess,
    "savee": read_savee,
    "tess": read_tess,
}

# Utterances of each corpus as it was published, silent and missing ones counted too. Those of
# MSP-Podcast differ by release.
NUM_PUBLISHED = {
    "crema_d": 7442,
    "emodb": 535,
    "esd": 35000,
    "meld": 13708,
    "ravdess": 1440,
    "savee": 480,
    "tess": 2800,
}
