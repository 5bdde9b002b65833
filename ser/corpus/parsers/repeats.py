"""Rows of a table that say something twice, or that contradict each other."""

import unicodedata
from collections.abc import Mapping

from ser.base.errors import SerError
from ser.corpus.parsers.parsing import likeness, one_person
from ser.corpus.utterance import EmotionUtterance


class SeenRows:
    """What the rows so far have said.

    Attributes:
        num_copies: Rows that said again what another had said.
    """

    def __init__(self) -> None:
        self.num_copies = 0
        self._by_id: dict[str, tuple[int, EmotionUtterance]] = {}
        self._by_audio: dict[object, tuple[int, EmotionUtterance]] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._told: set[tuple[str, str]] = set()  # names that are another's in other letters

    def is_new(self, line: int, row: Mapping[str, str], utterance: EmotionUtterance) -> bool:
        """Whether a row says something that none before it has said.

        Raises:
            SerError: It contradicts one, or has the id of one.
        """
        self._check_name("speaker", row["speaker"], utterance.spk)
        if row.get("session"):
            self._check_name("session", row["session"], utterance.session)
        audio = utterance.wav.resolve(), utterance.clip
        before, other = self._by_audio.setdefault(audio, (line, utterance))
        for what, here, there in (
            ("label", utterance.label, other.label),
            ("speaker", utterance.spk, other.spk),
        ):
            if here != there:
                raise SerError(
                    f"the {what} '{here}' of the audio that has '{there}' in line {before}; "
                    f"expected one {what} of each audio; correct or remove the wrong row"
                )
        before, other = self._by_id.setdefault(utterance.utt, (line, utterance))
        if before == line:
            return True
        if other == utterance:
            self.num_copies += 1
            return False
        raise SerError(
            f"the id {utterance.utt} is also that of line {before}; expected each once; remove "
            "one, or tell them apart in a column 'id'; of several raters make one row, with their "
            "labels in a column 'votes' (E1=happy E2=sad)"
        )

    def _check_name(self, column: str, text: str, word: str) -> None:
        name = unicodedata.normalize("NFC", text)
        first = self._names.setdefault((column, likeness(word)), name)
        if first != name and (column, name) not in self._told:
            self._told.add((column, name))
            raise SerError(one_person(f"{column}s", first, name))
