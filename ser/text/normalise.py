"""Transcripts in LibriSpeech's form: upper case, no punctuation but the apostrophe."""

import re
import unicodedata

_MARKUP = re.compile(r"\[[^\]]*\]|\{[^}]*\}|<[^>]*>")
_APOSTROPHES = str.maketrans("\u2019\u2018\u02bc\u0060\u00b4", "'''''")


def normalise_transcript(text: str) -> str:
    """Removes markup such as ``[LAUGHTER]`` or ``{LG}`` and punctuation; upper case.

    Letters, combining marks and digits of any script stay, as does an apostrophe inside or at the
    edge of a word (``DON'T``, ``'EM``); whatever else stands between words parts them.

    Returns:
        Words joined by single blanks; empty where nothing was spoken.
    """
    text = _MARKUP.sub(" ", unicodedata.normalize("NFC", text)).translate(_APOSTROPHES)
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" or c == "'" else " " for c in text)
    return " ".join(word for word in kept.upper().split() if word.strip("'"))
