"""The utterances that a fine-tuning run trains and validates on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.config.schema import SystemConfig
from ser.corpus.fold_files import TRAIN, VALID
from ser.data.utterances import (
    FeatureDir,
    Utterance,
    by_speaker,
    read_with_copies,
    select,
    short_enough,
)
from ser.feats.speed_copies import speed_prefix
from ser.kaldi.table import Table
from ser.text.bpe import Tokenizer
from ser.train.ctc_targets import choose_targets, encode_transcripts
from ser.train.encoded import encode_features
from ser.train.engine.distributed import Distributed
from ser.train.frozen import encoding_of
from ser.train.resolve import ResolvedRun


@dataclass(frozen=True)
class Split:
    """What a run trains and validates on.

    Attributes:
        features: Of stage 1, or what a frozen encoder made of them.
        train: Training utterances, with classes and, for a CTC head, tokens.
        valid: Validation utterances; none where the protocol has none.
    """

    features: FeatureDir
    train: list[Utterance]
    valid: list[Utterance]


def load_split(
    resolved: ResolvedRun, system: SystemConfig, tokenizer: Tokenizer | None, world: Distributed
) -> Split:
    """The utterances of a run's fold.

    Args:
        resolved: The run.
        system: Its configuration, or that of its head alone.
        tokenizer: Gives the tokens; None for a system without CTC head.
        world: Its first process runs a frozen encoder over the features where one is wanted.

    Raises:
        SerError: A class is missing, or a CTC head has no words to learn.
        StoppedError: The time was up before the encoder had run over the features.
    """
    run, labels, factors = resolved.run, resolved.labels, system.training.speed_factors
    encoding = encoding_of(run, system)
    if encoding:
        world.on_first(partial(encode_features, encoding, world.device, run.deadline))
    features = read_with_copies(encoding.folder if encoding else run.feats, factors)
    in_part = partial(_part, features, resolved.fold, labels=labels)
    train = in_part(
        TRAIN, tokenizer=tokenizer, speed_factors=factors, max_seconds=system.training.max_seconds
    )
    if tokenizer:
        if not any(u.tokens for u in train):
            raise SerError(
                f"{run.feats}: no words in {len(train)} training utterances, and {run.system} has "
                f"ctc_alpha {system.ctc_alpha}; expected transcripts; leave this system out "
                "(--systems)"
            )
        train = choose_targets(train, system.ctc.targets, tokenizer.vocab_size, factors, run.seed)
    valid = [] if resolved.protocol.validation == "none" else in_part(VALID)
    if prior := system.readout.speaker_prior:
        parts = [[u.utt for u in part] for part in (train, valid)]
        features = replace(features, feats=by_speaker(features, parts, prior))
    return Split(features, train, valid)


def _part(
    features: FeatureDir,
    fold: Table,
    part: str,
    labels: LabelsConfig,
    tokenizer: Tokenizer | None = None,
    speed_factors: Sequence[float] = (),
    max_seconds: float | None = None,
) -> list[Utterance]:
    """The utterances of one part of a fold, with their classes and, where asked, tokens.

    Each has its copies at other speeds beside it; longer ones than ``max_seconds`` are left out.
    """
    classes = label_indices(features, labels)
    prefixes = map(speed_prefix, (1.0, *speed_factors))
    utts = [p + utt for p in prefixes for utt, belongs in fold.items() if belongs == part]
    utts = short_enough(features, utts, max_seconds, features.data.path)
    tokens = encode_transcripts(features, tokenizer) if tokenizer else None
    chosen = select(features, utts, tokens, classes)
    absent = set(range(len(labels.names))) - {u.label for u in chosen}
    if absent and part == TRAIN:
        raise SerError(
            f"{features.data.path}: no {labels.names[min(absent)]} in the {part} part of a fold; "
            "expected every class; change the protocol or labels.yaml"
        )
    return chosen


def label_indices(features: FeatureDir, labels: LabelsConfig) -> Mapping[str, int]:
    """Class index of every utterance.

    Raises:
        SerError: ``utt2emo`` holds a class that ``labels.yaml`` does not name.
    """
    index = {name: i for i, name in enumerate(labels.names)}
    for utt, name in features.data["utt2emo"].items():
        if name not in index:
            raise SerError(
                f"{features.data.path / 'utt2emo'}: {utt} has the class '{name}'; expected one of "
                f"{', '.join(labels.names)} (labels.yaml); rerun from stage 0"
            )
    return {utt: index[name] for utt, name in features.data["utt2emo"].items()}
