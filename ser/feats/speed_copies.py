"""Speed perturbation (Ko et al., 2015): copies of a data directory at other speeds, as in Kaldi.

Here are their names and tables; ``ser.audio.reading.read_audio`` resamples the audio.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ser.config.pretraining import encoders_needed
from ser.config.schema import PretrainConfig
from ser.config.systems import trained_systems
from ser.kaldi.table import Table

ANY_PREFIX = re.compile(r"\Asp[0-9.]+-")


def speed_prefix(factor: float) -> str:
    """The prefix of the ids of utterances and speakers: ``sp0.9-``; none of the original."""
    return "" if factor == 1.0 else f"sp{factor:g}-"


def original_utt(utt: str, factors: Sequence[float]) -> str:
    """The utterance that a copy at one of some speeds was made from; of an original itself."""
    prefixes = map(speed_prefix, factors)
    return next((utt.removeprefix(p) for p in prefixes if utt.startswith(p)), utt)


def of_any_speed(utt: str) -> str:
    """The same where the speeds are not known, as of somebody's table."""
    return ANY_PREFIX.sub("", utt)


def speed_dir(feats: Path, factor: float) -> Path:
    """The features of a copy, beside those of the original: ``asr_train_sp0.9``."""
    return feats if factor == 1.0 else feats.with_name(f"{feats.name}_sp{factor:g}")


def speed_tables(tables: Mapping[str, Table], factor: float) -> dict[str, Table]:
    """The tables of a copy: prefixed ids, durations divided by the factor, the rest as it is.

    Args:
        tables: Of the data directory; ``spk2utt`` is left out, for it is made from ``utt2spk``.
        factor: Above 1 for faster, shorter and higher speech.
    """
    prefix = speed_prefix(factor)
    copy = {
        name: {prefix + key: value for key, value in table.items()}
        for name, table in tables.items()
        if name != "spk2utt"
    }
    copy["utt2spk"] = {utt: prefix + spk for utt, spk in copy["utt2spk"].items()}
    copy["utt2dur"] = {utt: f"{float(s) / factor:.4f}" for utt, s in copy["utt2dur"].items()}
    return copy


def speed_factors(conf: Path, systems: Sequence[str]) -> dict[str, list[float]]:
    """The speeds at which some systems, and the encoders they start from, want training data.

    Args:
        conf: The recipe's configuration.
        systems: Their names.

    Returns:
        The factors for the data directories ``ser`` and ``asr_train``, each once.

    Raises:
        SerError: A configuration is missing or wrong.
    """
    wanted = trained_systems(conf, systems).values()
    encoders = encoders_needed(conf, systems).values()
    trained = [encoder for encoder in encoders if isinstance(encoder, PretrainConfig)]
    return {
        "ser": _union(system.training.speed_factors for system in wanted),
        "asr_train": _union(recogniser.training.speed_factors for recogniser in trained),
    }


def _union(factors: Iterable[Sequence[float]]) -> list[float]:
    return sorted({factor for some in factors for factor in some})
