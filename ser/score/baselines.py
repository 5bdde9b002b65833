"""What is reached without listening: baselines that hear no audio, under the same folds."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def majority(train_labels: Sequence[str]) -> str:
    """The most frequent class; of equal ones the first by name."""
    counts = Counter(train_labels)
    return min(counts, key=lambda label: (-counts[label], label))


def by_scene(
    train_scenes: Sequence[str], train_labels: Sequence[str], test_scenes: Sequence[str]
) -> list[str]:
    """The most frequent class of the scene in training; for a new scene that of all."""
    labels_of: dict[str, list[str]] = {}
    for scene, label in zip(train_scenes, train_labels, strict=True):
        labels_of.setdefault(scene, []).append(label)
    best = {scene: majority(labels) for scene, labels in labels_of.items()}
    fallback = majority(train_labels)
    return [best.get(scene, fallback) for scene in test_scenes]


def by_words(
    train_texts: Sequence[str], train_labels: Sequence[str], test_texts: Sequence[str]
) -> list[str]:
    """TF-IDF of words and word pairs with a linear classifier (multinomial logistic regression).

    Falls back on the majority where training has no words or a single class.
    """
    if not any(text.strip() for text in train_texts) or len(set(train_labels)) < 2:
        return [majority(train_labels)] * len(test_texts)
    model = make_pipeline(
        TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, tokenizer=str.split, token_pattern=None
        ),
        LogisticRegression(C=10.0, max_iter=1000),
    )
    model.fit(train_texts, train_labels)
    predicted: list[str] = model.predict(test_texts).tolist()
    return predicted


def accuracies(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> tuple[float, float]:
    """WA and UA of hypotheses by utterance."""
    right = Counter(
        references[utt] for utt, label in hypotheses.items() if references[utt] == label
    )
    counts = Counter(references[utt] for utt in hypotheses)
    ua = sum(right[label] / count for label, count in counts.items()) / len(counts)
    return sum(right.values()) / sum(counts.values()), ua
