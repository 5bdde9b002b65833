"""Files of an utterance that lie in a corpus twice."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from ser.base.errors import Faults
from ser.base.files import digest_file
from ser.base.log import logger
from ser.corpus.utterance import EmotionUtterance


def without_copies(utterances: Iterable[EmotionUtterance]) -> list[EmotionUtterance]:
    """Each utterance once: files that are the same to the byte, as of a nested copy, are logged.

    The one in the fewest folders is kept.

    Raises:
        SerError: An id has files that differ, or rows.
    """
    found: dict[str, EmotionUtterance] = {}
    faults = Faults()
    copies = []
    for u in sorted(utterances, key=lambda u: len(u.wav.parts)):
        other = found.setdefault(u.utt, u)
        if other.wav != u.wav:
            copies.append(u.wav)
            if (other.label, other.spk) != (u.label, u.spk):
                faults.add(
                    f"{u.wav}: {u.label} by {u.spk}, {other.wav}: {other.label} by {other.spk} "
                    f"({u.utt}); expected one label and speaker of an utterance; remove the wrong "
                    "file"
                )
            elif not _same_bytes(other.wav, u.wav):
                faults.add(
                    f"{u.wav}: {other.wav} is another file of the same utterance, and differs; "
                    "expected one; remove the wrong one"
                )
        elif other != u:
            names = [f.name for f in fields(u) if getattr(u, f.name) != getattr(other, f.name)]
            faults.add(
                f"{u.wav}: {u.utt} has two rows that differ ({', '.join(names)}); expected one; "
                "remove the wrong one"
            )
    faults.raise_any()
    if copies:
        logger.warning(
            "%s files are copies of others to the byte (%s the first); each is read once",
            *(len(copies), copies[0]),
        )
    return list(found.values())


def _same_bytes(one: Path, other: Path) -> bool:
    same_size = one.stat().st_size == other.stat().st_size
    return same_size and digest_file(one) == digest_file(other)
