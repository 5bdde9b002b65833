"""Linear classifiers of one vector an utterance, under the folds of the experiment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from ser.base.arrays import Doubles, Floats, Integers
from ser.base.log import logger
from ser.base.record import Record
from ser.base.writing import atomic_folder
from ser.config.baselines import FunctionalsConfig, VectorsConfig
from ser.corpus.fold_files import TEST, TRAIN, in_part, read_fold
from ser.data.utterances import FeatureDir
from ser.feats.speaker_means import shifts
from ser.metrics.classification import confusion_matrix, unweighted_accuracy
from ser.nn.weights import load_weights, save_weights
from ser.predict.prediction import VECTORS, Prediction
from ser.train.resolve import FinetuneRun

if TYPE_CHECKING:  # scikit-learn takes seconds to import: not before it is needed
    from sklearn.pipeline import Pipeline

MakeModel = Callable[[float, tuple[int, ...]], "Pipeline"]  # cost, shape of the training part


def write_vectors(record: Record, values: Mapping[str, Floats], **notes: Any) -> None:
    """Writes a vector for each utterance, whole or not at all, with notes for the record."""
    with atomic_folder(record.folder, stage=record.stage) as folder:
        save_weights(folder / VECTORS, {utt: torch.from_numpy(v) for utt, v in values.items()})
        replace(record, folder=folder).finish(**notes)


def predict_from_vectors(
    run: FinetuneRun,
    config: VectorsConfig,
    names: Sequence[str],
    features: FeatureDir,
    folder: Path,
) -> list[Prediction]:
    """Fits on the training part of the run's fold and predicts its test part.

    A support vector machine for functionals, logistic regression for a probe. The seed plays no
    part.

    Args:
        run: Gives the fold.
        config: The costs to choose from.
        names: Of the classes.
        features: Gives emotions and speakers.
        folder: Of ``write_vectors``.
    """
    values = load_weights(folder / VECTORS, f"remove {folder} and rerun stage 5")
    make_model = svm if isinstance(config, FunctionalsConfig) else logistic
    fold = read_fold(run.exp_dir / "folds", run.fold)
    train, test = in_part(fold, TRAIN), in_part(fold, TEST)
    emotion_of, spk_of = features.data["utt2emo"], features.data["utt2spk"]

    if config.speaker_prior:
        found = shifts([train, test], spk_of, lambda utt: values[utt].numpy(), config.speaker_prior)
        values = {utt: values[utt] + torch.from_numpy(shift) for utt, shift in found.items()}

    def matrix(utts: Sequence[str]) -> Doubles:
        return torch.stack([values[utt] for utt in utts]).double().numpy()

    labels = np.array([names.index(emotion_of[utt]) for utt in train])
    with threadpool_limits(1):
        speakers = [spk_of[utt] for utt in train]
        given = matrix(train)
        cost = best_cost(given, labels, speakers, config, make_model, run.name)
        probs = posteriors(make_model(cost, given.shape).fit(given, labels), matrix(test))
    return [
        Prediction(utt, tuple(map(float, row)), None) for utt, row in zip(test, probs, strict=True)
    ]


def posteriors(model: Any, values: Doubles) -> Doubles:
    """Probabilities (N, C); of a model that has margins alone, their softmax, not calibrated."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(values))
    margins = model.decision_function(values)
    if margins.ndim == 1:  # two classes have one margin
        margins = np.stack([-margins, margins], axis=1)
    return np.asarray(softmax(margins, axis=1))


def best_cost(
    values: Doubles,
    labels: Integers,
    speakers: Sequence[str],
    config: VectorsConfig,
    make_model: MakeModel,
    name: str,
) -> float:
    """The cost with the best UA over training speakers held out in turn; of equals the smallest.

    Args:
        values: Vectors (N, F).
        labels: Classes (N,).
        speakers: N speakers, each on one side of every division.
        config: The costs, and the number of divisions.
        make_model: A classifier for a cost and for vectors of a shape.
        name: What is fitted, for messages.
    """
    from sklearn.model_selection import GroupKFold

    if len(config.costs) == 1:
        return config.costs[0]
    divisions = []
    num_folds = min(config.num_cost_folds, len(set(speakers)))
    if num_folds > 1:
        divisions = list(GroupKFold(num_folds).split(values, labels, speakers))
    if not divisions or any(len(set(labels[train])) == 1 for train, _ in divisions):
        logger.warning(
            "%s: no cost can be chosen: the training part has one speaker, or one class "
            "once some of its speakers are held out; the smallest is taken, %s",
            *(name, min(config.costs)),
        )
        return min(config.costs)
    predicted = {cost: np.empty_like(labels) for cost in sorted(config.costs)}
    for train, held_out in divisions:
        given = values[train]
        prepare = make_model(1.0, given.shape)[:-1]  # which costs most; for it no cost matters
        fitted, prepared = prepare.fit_transform(given), prepare.transform(values[held_out])
        for cost, found in predicted.items():
            classifier = make_model(cost, given.shape)[-1]
            found[held_out] = classifier.fit(fitted, labels[train]).predict(prepared)
    scores = {
        cost: unweighted_accuracy(confusion_matrix(labels, found, labels.max() + 1))
        for cost, found in predicted.items()
    }
    return max(scores, key=lambda cost: scores[cost])


def svm(cost: float, shape: tuple[int, ...]) -> "Pipeline":
    """A linear support vector machine over standardised values, of whatever shape."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    return make_pipeline(
        StandardScaler(), LinearSVC(C=cost, class_weight="balanced", random_state=0, max_iter=5000)
    )


def logistic(cost: float, shape: tuple[int, ...]) -> "Pipeline":
    """Multinomial logistic regression over standardised values.

    Its weights lie in the span of the training vectors. Where those are few these are first written
    in a basis of theirs, which changes no probability: of 1,200 vectors of 3,840 values the basis
    takes 2.3 s, and the fit to each cost 0.9 s instead of 2.4 s. Where they are many, the basis
    takes longer than it saves.

    Args:
        cost: The inverse of the weight of the L2 penalty.
        shape: (N, F) of the training vectors.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    num_utts, num_values = shape
    return make_pipeline(
        StandardScaler(),
        PCA(svd_solver="full") if 2 * num_utts <= num_values else "passthrough",
        LogisticRegression(C=cost, class_weight="balanced", max_iter=2000),
    )
