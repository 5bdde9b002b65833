"""The classifier of recognised words: fitted on the training part, read on the test part."""

from typing import Any

import pytest
from tiny_recipe import WORDS, finetune_run

from ser.corpus.fold_files import TEST, TRAIN, in_part
from ser.data.utterances import read_feature_dir
from ser.predict import words
from ser.predict.prediction import Prediction
from ser.predict.words import predict_from_words
from ser.train.resolve import resolve

pytestmark = pytest.mark.usefixtures("recipe")


def test_words_of_the_training_part_alone_are_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each emotion has its word in training; in the test part the words mean another one."""
    run = finetune_run("transformer_tl_mtl")
    source, features = resolve(run), read_feature_dir(run.feats)
    emotions, names = features.data["utt2emo"], list(WORDS)
    train, test = in_part(source.fold, TRAIN), in_part(source.fold, TEST)
    turned = dict(zip(names, names[1:] + names[:1], strict=True))
    said = {utt: f"THE {emotions[utt].upper()} WORD" for utt in train}
    said |= {utt: f"THE {turned[emotions[utt]].upper()} WORD" for utt in test}

    def recognised(_: Any, __: Any, parts: tuple[str, ...]) -> list[Prediction]:
        assert parts == (TRAIN, TEST)
        return [Prediction(utt, (0.25,) * 4, text) for utt, text in said.items()]

    monkeypatch.setattr(words, "predict_parts", recognised)
    found = predict_from_words(source, features)
    assert [p.utt for p in found] == test
    for prediction in found:
        best = prediction.posteriors.index(max(prediction.posteriors))
        assert source.labels.names[best] == turned[emotions[prediction.utt]]
        assert sum(prediction.posteriors) == pytest.approx(1)
