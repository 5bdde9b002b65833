"""Transcripts in LibriSpeech's form: upper case, no punctuation but the apostrophe."""

import re
import unicodedata

_MARKUP = re.compile(r"\[[^\]]*\]|\{[^}]*\}|<(?!\s*\d+\s)[^<>]*>")  # but not "5 < 6", nor "<3 "
_INVISIBLE = "Cf"  # soft hyphens, joiners: inside words, and heard by nobody
# The last two are those of Windows-1252 that was read as Latin-1, as in MELD.
_APOSTROPHES = str.maketrans("\u2019\u2018\u02bc\uff07\u0060\u00b4\x91\x92", "''''''''")
# Between marks of quotation, of which the last follows punctuation: after a letter it may be an
# apostrophe.
_QUOTED = re.compile(
    r"(?<!\w)[\u2018\x91](\w(?:[^\u2018\u2019\x91\x92]|(?<=\w)[\u2019\x92](?=\w))*[,.?!\u2026\u2014-])[\u2019\x92]"
)


def normalise_transcript(text: str) -> str:
    """Removes markup such as ``[LAUGHTER]`` or ``{LG}`` and punctuation; upper case.

    Letters, combining marks and digits of any script stay, as does an apostrophe inside or at the
    edge of a word (``DON'T``, ``'EM``); invisible marks inside words vanish; whatever else stands
    between words parts them.

    Returns:
        Words joined by single spaces; empty where nothing was spoken.
    """
    text = "".join(c for c in text if unicodedata.category(c) != _INVISIBLE)
    # Upper case may part a letter into several, so it comes before the composed form.
    text = unicodedata.normalize("NFC", _MARKUP.sub(" ", text).upper())
    text = _QUOTED.sub(r"\1", text).translate(_APOSTROPHES)
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" or c == "'" else " " for c in text)
    return " ".join(word for word in kept.split() if word.strip("'"))
