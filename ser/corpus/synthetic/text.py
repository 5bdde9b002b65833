"""What is said in the generated corpus: lexicon, grammar, and the plan of turns and sentences.

Every text is drawn from shuffled decks, so that the words of a slot occur about equally often. The
decks of prosody turns, of excluded turns and of read sentences know nothing of the class.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ser.base.errors import SerError

CLASSES = ("ang", "hap", "neu", "sad")
SESSIONS = (1, 2, 3, 4, 5)
SCRIPT_SHARE = 0.2  # of the turns; the others are improvised, each text once in the corpus
EXCITED_PROB = 0.6  # that a turn of class hap is labelled exc
EXCLUDED_LABELS = ("fru", "sur", "fea", "dis", "oth", "xxx")
EXCLUDED_SHARE = 0.04  # turns with such a label, on top of the others; voice and words are neutral
NUM_IMPROVISED_SCENES = 6  # in a session
MIN_TURNS, MIN_SENTENCES = 80, 60  # for every class in every session, every emotion word read

LEXICON: dict[str, tuple[str, ...]] = {
    "ang": tuple(
        "furious angry bitter cruel hateful rotten stupid outraged jealous hostile nasty brutal "
        "violent disgraceful unfair monstrous spiteful vicious savage rude disgusting "
        "insulting shameful wicked".split()
    ),
    "hap": tuple(
        "happy joyful radiant cheerful wonderful charming thrilled excited glad splendid golden "
        "perfect lucky brilliant fantastic blissful delighted lovely magic sunny merry playful "
        "grateful proud".split()
    ),
    "neu": tuple(
        "normal average regular usual simple plain public standard common typical medium "
        "practical routine general neutral official ordinary formal basic local annual square "
        "digital central".split()
    ),
    "sad": tuple(
        "lonely sorry heartbroken gloomy hopeless mournful ruined painful wretched empty defeated "
        "dying grieving tragic homesick abandoned sorrowful weeping broken bleak tearful "
        "helpless orphaned doomed".split()
    ),
}
FILLERS: dict[str, tuple[str, ...]] = {
    "subject": ("i", "you", "we", "they"),
    "modal": ("can", "will", "could", "should", "might", "must"),
    "verb": tuple("need want see hear keep take bring call move leave".split()),
    "object": ("it", "that", "this", "them", "him", "her"),
    "when": tuple("now today here there again tonight already tomorrow".split()),
    "thing": tuple("day night room place story house letter morning".split()),
}
TURN_TEMPLATES: dict[str, tuple[str, ...]] = {
    "prosody": (
        "{subject} {verb} {object} {when}",
        "{subject} {modal} {verb} {object}",
        "{subject} don't {verb} {object}",
        "{subject} {modal} {verb} {object} {when}",
        "{subject} {modal} {verb} {object} at home",
    ),
    "words": (
        "{feeling} and {feeling}",
        "so {feeling} and {feeling}",
        "that {feeling} {feeling} {thing}",
        "it was {feeling} and {feeling}",
        "{subject} look {feeling} and {feeling}",
    ),
}
READ_ONLY: dict[str, tuple[str, ...]] = {
    "person": tuple("farmer doctor teacher captain sister brother lawyer painter".split()),
    "past": tuple("opened found carried painted watched counted remembered bought".split()),
    "noun": tuple("window garden basket picture ticket mirror candle piano".split()),
    "where": tuple("near behind beside under".split()),
    "site": tuple("river market station village mountain kitchen".split()),
}
# Two or three emotion words a sentence: an hour must teach them to a small recogniser.
READ_TEMPLATES = (
    "the {feeling} {person} {past} the {feeling} {noun}",
    "{feeling} and {feeling} {where} the {feeling} {site}",
    "{subject} {modal} {verb} the {feeling} {feeling} {noun} {when}",
    "the {feeling} {person} {past} {object} {where} the {feeling} {site}",
    "it was {feeling} and {feeling} and {feeling}",
    "that {feeling} {feeling} {thing} {where} the {feeling} {site}",
    "so {feeling} and {feeling} {when}",
    "{subject} look {feeling} and {feeling} at home {when}",
    "{subject} don't {verb} the {feeling} {person} {when}",
    "{subject} {modal} {verb} {object} {when}",
)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One turn of a dialogue."""

    text: str  # the words, lower case
    label: str  # the corpus's own: hap and exc, excluded labels too
    cue: str | None  # prosody or words; None for an excluded label
    voiced_as: str  # the class that the voice shows; neu unless the cue is prosody
    sex: str  # F or M, the speaker of the session


class _Slots:
    """Fills templates; each slot has a deck of its words, reshuffled when it is used up."""

    def __init__(self, words: Mapping[str, Sequence[str]], rng: random.Random) -> None:
        self._decks = {slot: _deck(choices, rng) for slot, choices in words.items()}

    def fill(self, template: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda slot: next(self._decks[slot[1]]), template)


def _deck(words: Sequence[str], rng: random.Random) -> Iterator[str]:
    while True:
        yield from rng.sample(words, len(words))


class _TurnTexts:
    """Draws the texts of turns, none of them twice."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._fillers = _Slots(FILLERS, rng)
        # A text takes two words of a deck of even size, which are therefore never the same word.
        self._lexicons = {
            emotion: _Slots({**FILLERS, "feeling": words}, rng)
            for emotion, words in LEXICON.items()
        }
        self._used: set[str] = set()

    def draw(self, cue: str, emotion: str) -> str:
        """Draws a new text, which depends on the class only if the cue is `words`."""
        slots = self._lexicons[emotion] if cue == "words" else self._fillers
        while True:
            text = slots.fill(self._rng.choice(TURN_TEMPLATES[cue]))
            if text not in self._used:
                self._used.add(text)
                return text


def plan_sentences(num_sentences: int, rng: random.Random) -> list[str]:
    """Draws read sentences in which words of all classes stand in the same places.

    Raises:
        SerError: If there are too few for every emotion word.
    """
    if num_sentences < MIN_SENTENCES:
        raise SerError(
            f"num_read_sentences: {num_sentences} leave emotion words unread; "
            f"expected at least {MIN_SENTENCES}; ask for more"
        )
    feelings = [word for words in LEXICON.values() for word in words]
    slots = _Slots({**FILLERS, **READ_ONLY, "feeling": feelings}, rng)
    templates = _deck(READ_TEMPLATES, rng)
    return [slots.fill(next(templates)) for _ in range(num_sentences)]


def plan_dialogues(num_turns: int, rng: random.Random) -> dict[str, list[Turn]]:
    """Draws the turns of all sessions.

    Args:
        num_turns: Turns of the five labels in all sessions; excluded turns come on top.
        rng: Source of all choices.

    Returns:
        Dialogue name, such as `Ses01F_impro01`, to its turns.

    Raises:
        SerError: If there are too few turns for every class in every session.
    """
    if num_turns < MIN_TURNS:
        raise SerError(
            f"num_emotion_turns: {num_turns} leave sessions without a class; "
            f"expected at least {MIN_TURNS}; ask for more"
        )
    texts = _TurnTexts(rng)
    num_lines = round(SCRIPT_SHARE * (num_turns // len(SESSIONS)))
    lines = [
        (texts.draw(cue, emotion), rng.choice("FM"))
        for cue, emotion in _script_cells(num_lines, SESSIONS[0], rng)
    ]
    num_excluded = max(len(EXCLUDED_LABELS), round(EXCLUDED_SHARE * num_turns))
    dialogues: dict[str, list[Turn]] = {}
    for session in SESSIONS:
        cells = _script_cells(num_lines, session, rng)
        for index, ((text, sex), cell) in enumerate(zip(lines, cells, strict=True)):
            name = _script_name(session, index, num_lines)
            dialogues.setdefault(name, []).append(_turn(text, *cell, sex, rng))
        num_session = num_turns // len(SESSIONS) + (session <= num_turns % len(SESSIONS))
        improvised = _improvise(num_session, cells, texts, rng)
        for index in range(session - 1, num_excluded, len(SESSIONS)):
            label = EXCLUDED_LABELS[index % len(EXCLUDED_LABELS)]
            text, sex = texts.draw("prosody", "neu"), rng.choice("FM")
            improvised.append(Turn(text=text, label=label, cue=None, voiced_as="neu", sex=sex))
        rng.shuffle(improvised)
        for scene in range(1, NUM_IMPROVISED_SCENES + 1):
            suffix = "a" if (session, scene) == (3, 5) else ""
            name = _dialogue_name(session, "impro0", scene, suffix)
            dialogues[name] = improvised[scene - 1 :: NUM_IMPROVISED_SCENES]
    return dialogues


def _script_cells(num_lines: int, session: int, rng: random.Random) -> list[tuple[str, str]]:
    """Cue and class of each script line: fixed for words, dealt anew to each session for prosody.

    Dealt, not rotated: with four classes in five sessions, the class that a line never had in
    the training sessions would give away the one in the test session.
    """
    dealt = [CLASSES[(index + session) % len(CLASSES)] for index in range(num_lines // 2)]
    rng.shuffle(dealt)
    return [
        ("prosody", dealt[index // 2])
        if index % 2
        else ("words", CLASSES[index // 2 % len(CLASSES)])
        for index in range(num_lines)
    ]


def _improvise(
    num_turns: int, script_cells: list[tuple[str, str]], texts: _TurnTexts, rng: random.Random
) -> list[Turn]:
    """Fills a session up so that all pairs of cue and class are equally frequent in it."""
    kinds = [(cue, emotion) for cue in TURN_TEMPLATES for emotion in CLASSES]
    wanted = Counter(kinds[index % len(kinds)] for index in range(num_turns))
    cells = sorted((wanted - Counter(script_cells)).elements())
    assert len(cells) == num_turns - len(script_cells)
    return [
        _turn(texts.draw(cue, emotion), cue, emotion, "FM"[index % 2], rng)
        for index, (cue, emotion) in enumerate(cells)
    ]


def _turn(text: str, cue: str, emotion: str, sex: str, rng: random.Random) -> Turn:
    label = "exc" if emotion == "hap" and rng.random() < EXCITED_PROB else emotion
    voiced_as = emotion if cue == "prosody" else "neu"
    return Turn(text=text, label=label, cue=cue, voiced_as=voiced_as, sex=sex)


def _script_name(session: int, index: int, num_lines: int) -> str:
    """The lines make two scripts; session 5 plays the first one in two parts, the second `b`."""
    if 2 * index >= num_lines:
        return _dialogue_name(session, "script0", 2, "_1")
    suffix = "_1b" if session == 5 and 4 * index >= num_lines else "_1"
    return _dialogue_name(session, "script0", 1, suffix)


def _dialogue_name(session: int, scene: str, number: int, suffix: str) -> str:
    """The letter is who wore the markers, not who speaks."""
    return f"Ses{session:02d}{'MF'[(session + number) % 2]}_{scene}{number}{suffix}"
