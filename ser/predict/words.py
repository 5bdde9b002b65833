"""The baseline of words alone: emotions from the transcripts of a system's CTC head."""

from dataclasses import replace

from ser.base.errors import SerError
from ser.config.baselines import WordsConfig
from ser.config.systems import load_system
from ser.corpus.fold_files import TEST, TRAIN, in_part
from ser.data.utterances import FeatureDir
from ser.predict.networks import predict_parts
from ser.predict.prediction import Prediction
from ser.score.audit.baselines import word_posteriors
from ser.train.resolve import FinetuneRun, ResolvedRun, resolve


def resolve_source(run: FinetuneRun) -> ResolvedRun:
    """The run whose words a reading system is given; of any other system the run itself.

    Raises:
        SerError: The system that is named has no CTC head.
    """
    system = load_system(run.conf, run.system)
    if not isinstance(system, WordsConfig):
        return resolve(run)
    source = resolve(replace(run, system=system.words_of))
    if not source.system.ctc_alpha:
        raise SerError(
            f"{run.system}: words_of names {system.words_of}, which has no CTC head "
            "(ctc_alpha 0); name a system with one"
        )
    return source


def predict_from_words(source: ResolvedRun, features: FeatureDir) -> list[Prediction]:
    """Fits on the fold's own model's transcripts of its training part, and reads the test part.

    The recogniser was trained on the training part: it transcribes it better than the test part,
    which is a handicap of this baseline.
    """
    transcripts = {p.utt: p.words or "" for p in predict_parts(source, features, (TRAIN, TEST))}
    train, test = in_part(source.fold, TRAIN), in_part(source.fold, TEST)
    emotions = features.data["utt2emo"]
    classes, posteriors = word_posteriors(
        [transcripts[utt] for utt in train],
        [emotions[utt] for utt in train],
        [transcripts[u] for u in test],
    )
    column = {name: i for i, name in enumerate(classes)}
    return [
        Prediction(utt, tuple(float(row[column[name]]) for name in source.labels.names), None)
        for utt, row in zip(test, posteriors, strict=True)
    ]
