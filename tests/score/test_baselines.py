"""Baselines that hear nothing."""

from ser.score.audit.baselines import by_scene, by_words, majority


def test_majority_is_deterministic() -> None:
    assert majority(["b", "a", "b", "a", "c"]) == "a"
    assert majority(["b", "a", "b"]) == "b"


def test_scene_decides_and_a_new_scene_falls_back() -> None:
    assert by_scene(["x", "x", "y"], ["sad", "sad", "ang"], ["y", "x", "z"]) == [
        "ang",
        "sad",
        "sad",
    ]


def test_words_decide() -> None:
    texts = ["I HATE YOU", "HATE THIS", "SO SAD", "VERY SAD DAY"] * 3
    labels = ["ang", "ang", "sad", "sad"] * 3
    assert by_words(texts, labels, ["HATE HATE", "SAD"]) == ["ang", "sad"]


def test_without_words_the_majority_is_left() -> None:
    assert by_words(["", ""], ["ang", "sad"], ["X"]) == ["ang"]
    assert by_words(["A", "B"], ["sad", "sad"], ["X"]) == ["sad"]
