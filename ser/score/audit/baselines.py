"""Baselines that use no audio, under the same folds."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from ser.base.arrays import Doubles
from ser.metrics.classification import confusion_matrix, unweighted_accuracy, weighted_accuracy


def majority(train_labels: Sequence[str]) -> str:
    """The most frequent class; of equal ones the first by name."""
    counts = Counter(train_labels)
    return min(counts, key=lambda label: (-counts[label], label))


def by_scene(
    train_scenes: Sequence[str], train_labels: Sequence[str], test_scenes: Sequence[str]
) -> list[str]:
    """The most frequent class of the scene in training; for a new one, or none (``""``), of all."""
    labels_of: dict[str, list[str]] = {}
    for scene, label in zip(train_scenes, train_labels, strict=True):
        if scene:
            labels_of.setdefault(scene, []).append(label)
    best = {scene: majority(labels) for scene, labels in labels_of.items()}
    fallback = majority(train_labels)
    return [best.get(scene, fallback) for scene in test_scenes]


def by_words(
    train_texts: Sequence[str], train_labels: Sequence[str], test_texts: Sequence[str]
) -> list[str]:
    """The class that the words suggest; without words in training the majority."""
    classes, probabilities = word_posteriors(train_texts, train_labels, test_texts)
    return [classes[best] for best in probabilities.argmax(axis=1)]


def word_posteriors(
    train_texts: Sequence[str], train_labels: Sequence[str], test_texts: Sequence[str]
) -> tuple[list[str], Doubles]:
    """TF-IDF of words and word pairs with a linear classifier (multinomial logistic regression).

    Returns:
        The classes of training by name, and their probabilities (N, C) for the test texts; where
        training has no words or a single class, the shares of training.
    """
    classes = sorted(set(train_labels))
    if not any(text.strip() for text in train_texts) or len(classes) < 2:
        shares = np.array([train_labels.count(label) for label in classes]) / len(train_labels)
        return classes, np.tile(shares, (len(test_texts), 1))
    # scikit-learn takes seconds to import.
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, tokenizer=str.split, token_pattern=None
        ),
        LogisticRegression(C=10.0, max_iter=1000),
    )
    with threadpool_limits(1):  # so small a problem is ten times as slow on several threads
        model.fit(train_texts, train_labels)
        return classes, model.predict_proba(test_texts)


def accuracies(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> tuple[float, float]:
    """WA and UA of hypotheses by utterance."""
    code = {
        label: i for i, label in enumerate(sorted({*references.values(), *hypotheses.values()}))
    }
    confusion = confusion_matrix(
        np.array([code[references[utt]] for utt in hypotheses]),
        np.array([code[label] for label in hypotheses.values()]),
        len(code),
    )
    return weighted_accuracy(confusion), unweighted_accuracy(confusion)
