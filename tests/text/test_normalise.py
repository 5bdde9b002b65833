"""Transcripts in LibriSpeech's form."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.text.normalise import normalise_transcript


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Excuse me.", "EXCUSE ME"),
        ("[LAUGHTER] I can't  believe it!", "I CAN'T BELIEVE IT"),
        ("Yes [BREATHING] no {LG} maybe <sigh>", "YES NO MAYBE"),
        ("<s>Yes</s> <breath noise> <笑> <2s pause> < laugh > <*cough*> <!-- x -->no", "YES NO"),
        ("5 < 6 but 7 > 2, I <3 you, and you > me", "5 6 BUT 7 2 I 3 YOU AND YOU ME"),
        ("so[LAUGHTER]so", "SO SO"),  # markup parts words
        ("don\u2019t \u2018em it\u02bcs rock `n\u00b4 roll", "DON'T 'EM IT'S ROCK 'N' ROLL"),
        ("he\x92s \x91em\x85 so", "HE'S 'EM SO"),  # Windows-1252 read as Latin-1
        ("\u2018Hi,\u2019 he said, \u2018I don\u2019t.\u2019", "HI HE SAID I DON'T"),  # quotation
        ("\u2018Cause I\u2019m goin\u2019 \u2018n\u2019 so", "'CAUSE I'M GOIN' 'N' SO"),
        ("can\uff07t \u2018em", "CAN'T 'EM"),
        ("well-known -- twenty\u2013one\u2014two", "WELL KNOWN TWENTY ONE TWO"),
        ("wait...what?", "WAIT WHAT"),
        ("U.S.A.", "U S A"),
        ("a \u2026 b\u00a0c\td\ne", "A B C D E"),
        ("3 pieces, 50%", "3 PIECES 50"),
        ("caf\u00e9 cafe\u0301", "CAF\u00c9 CAF\u00c9"),  # one spelling of both
        ("stra\u00dfe", "STRASSE"),
        ("\u043d\u0435\u0442, \u0434\u0430!", "\u041d\u0415\u0422 \u0414\u0410"),  # Cyrillic
        ("\u4f60\u597d\u3002\u4e16\u754c", "\u4f60\u597d \u4e16\u754c"),
        ("\u0939\u093f\u0928\u094d", "\u0939\u093f\u0928\u094d"),  # combining marks stay
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u0937"),  # a joiner parts no word
        ("co\u00adoperate", "COOPERATE"),  # nor does a soft hyphen
        ("\u0149", "'N"),  # upper case brings an apostrophe of its own
        ("'' ' hello '", "HELLO"),  # quotation marks alone are no words
        ("[LAUGHTER]", ""),
        (" ... {LG} - ", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_known_answers(text: str, words: str) -> None:
    assert normalise_transcript(text) == words


@given(st.text())
def test_form(text: str) -> None:
    words = normalise_transcript(text)
    assert words == " ".join(words.split())
    assert all(c in "' " or unicodedata.category(c)[0] in "LMN" for c in words)
    assert words == words.upper()
    assert normalise_transcript(words) == words


@given(st.lists(st.text("ABCXYZ'", min_size=1).filter(lambda word: word.strip("'"))))
def test_librispeech_stays_as_it_is(words: list[str]) -> None:
    assert normalise_transcript(" ".join(words)) == " ".join(words)
