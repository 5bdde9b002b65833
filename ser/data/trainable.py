"""Which systems a corpus without words can train."""

from collections.abc import Sequence
from pathlib import Path

from ser.base.errors import SerError
from ser.base.log import logger
from ser.base.record import Stage, read_record, require_outputs
from ser.config.baselines import WordsConfig
from ser.config.schema import SystemConfig
from ser.config.systems import load_system
from ser.kaldi.table import read_table


def trainable_systems(conf: Path, names: Sequence[str], feats: Path) -> list[str]:
    """Those of some systems that a corpus can train: without words none that has a CTC head.

    What is left out is logged.

    Args:
        conf: The recipe's configuration.
        names: The systems that were asked for.
        feats: Features of the emotional speech; its ``text`` holds the words.

    Raises:
        SerError: None is left, or the features are not as stage 1 wrote them.
    """
    text = feats / "text"
    if (feats / "run.json").exists():
        require_outputs(feats, read_record(feats), Stage.FEATURES)
    if not text.exists() or any(read_table(text).values()):
        return list(names)
    kept = [name for name in names if not _needs_words(conf, name)]
    left_out = [name for name in names if name not in kept]
    if not kept:
        raise SerError(
            f"{text}: no words; needed for {' '.join(left_out)}; expected transcripts; pass other "
            "systems (--systems)"
        )
    if left_out:
        logger.warning("%s: no words; left out: %s", text, " ".join(left_out))
    return kept


def _needs_words(conf: Path, name: str) -> bool:
    system = load_system(conf, name)
    if isinstance(system, SystemConfig):
        return system.ctc_alpha > 0
    return isinstance(system, WordsConfig)
