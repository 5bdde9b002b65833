"""The plan of the generated corpus: what tells the class and what does not."""

import random
from collections import Counter, defaultdict
from itertools import combinations

import pytest

from ser.corpus.synthetic.text import (
    CLASSES,
    LEXICON,
    SCRIPT_SHARE,
    SESSIONS,
    Turn,
    plan_dialogues,
    plan_sentences,
)

CLASS_OF_WORD = {word: emotion for emotion, words in LEXICON.items() for word in words}
CLASS_OF_LABEL = {**{emotion: emotion for emotion in CLASSES}, "exc": "hap"}


@pytest.fixture(scope="module")
def full_plan() -> dict[str, list[Turn]]:
    """The turns at the default size, without audio."""
    return plan_dialogues(600, random.Random("1 turns"))


def labelled_turns(plan: dict[str, list[Turn]]) -> list[tuple[str, Turn]]:
    return [(name, turn) for name, turns in plan.items() for turn in turns if turn.cue]


def test_another_seed_plans_other_turns() -> None:
    assert plan_dialogues(80, random.Random("1")) != plan_dialogues(80, random.Random("2"))


def test_script_lines_recur_and_improvised_texts_do_not(full_plan: dict[str, list[Turn]]) -> None:
    script: dict[str, list[Turn]] = defaultdict(list)
    improvised = []
    for name, turns in full_plan.items():
        for turn in turns:
            if "_script" in name:
                script[turn.text].append(turn)
            else:
                improvised.append(turn.text)
    assert len(set(improvised)) == len(improvised)
    assert not set(improvised) & set(script)
    assert sum(map(len, script.values())) == SCRIPT_SHARE * 600
    for line in script.values():
        assert len(line) == len(SESSIONS)
        assert len({turn.sex for turn in line}) == 1
        varies = len({CLASS_OF_LABEL[turn.label] for turn in line}) > 1
        assert varies == (line[0].cue == "prosody")


def test_cues_and_classes_are_balanced_in_every_session(full_plan: dict[str, list[Turn]]) -> None:
    cells = Counter(
        (name[:5], turn.cue, CLASS_OF_LABEL[turn.label]) for name, turn in labelled_turns(full_plan)
    )
    assert len(cells) == len(SESSIONS) * 2 * len(CLASSES)
    assert set(cells.values()) == {15}


def test_the_class_is_in_the_words_or_in_the_voice(full_plan: dict[str, list[Turn]]) -> None:
    sessions_of: dict[str, set[str]] = defaultdict(set)
    for name, turn in labelled_turns(full_plan):
        words = [word for word in turn.text.split() if word in CLASS_OF_WORD]
        if turn.cue == "prosody":
            assert words == []
            assert turn.voiced_as == CLASS_OF_LABEL[turn.label]
        else:
            assert len(set(words)) == len(words) == 2
            assert {CLASS_OF_WORD[word] for word in words} == {CLASS_OF_LABEL[turn.label]}
            assert turn.voiced_as == "neu"
        assert 3 <= len(turn.text.split()) <= 6
        for word in words:
            sessions_of[word].add(name[:5])
    assert set(sessions_of) == set(CLASS_OF_WORD)
    assert min(map(len, sessions_of.values())) >= 2


def test_read_sentences_teach_every_word_and_no_class(full_plan: dict[str, list[Turn]]) -> None:
    sentences = plan_sentences(1500, random.Random("1 sentences"))
    words = Counter(word for sentence in sentences for word in sentence.split())
    spoken = {word for turns in full_plan.values() for turn in turns for word in turn.text.split()}
    assert min(words[word] for word in spoken) >= 15
    assert 150 <= len(words) <= 300
    feelings = [[w for w in sentence.split() if w in CLASS_OF_WORD] for sentence in sentences]
    pairs = [pair for found in feelings for pair in combinations(found, 2)]
    same = sum(CLASS_OF_WORD[first] == CLASS_OF_WORD[second] for first, second in pairs)
    assert same / len(pairs) == pytest.approx(1 / len(CLASSES), abs=0.05)
