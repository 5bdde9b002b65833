"""Kaldi data directories: validated whenever they are read or written."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ser.base.errors import SerError
from ser.base.files import digest_file, digest_json
from ser.base.names import CLASS, SPEAKER, UTTERANCE, is_line
from ser.base.record import Stage, require, rerun_hint
from ser.kaldi.table import Table, c_order, invert, read_table, same_ids, write_table

VOTES = re.compile(r"([^\s=]+=[^\s=]+( |$))*")  # ser.score.stats.agreement.parse_votes reads them
SELF_REPORT = re.compile(r"[FM]\d+")  # an annotator: IEMOCAP's actors vote on themselves
REQUIRED = ("wav.scp", "text", "utt2spk", "spk2utt", "utt2dur")
MAX_FRAMES = 10**8  # of an utterance: eleven days of 10 ms
NO_WORDS = frozenset(("<s>", "</s>", "#0"))  # Kaldi's own symbols


@dataclass(frozen=True)
class DataDir:
    """A Kaldi data directory in memory.

    Attributes:
        path: Where it lies.
        tables: Each table by file name: ``wav.scp`` (audio file), ``text`` (transcript, may be
            empty), ``utt2spk``, ``spk2utt``, ``utt2dur`` (seconds), and for emotional speech
            ``utt2emo`` (class), ``utt2emo_raw`` (the corpus's label), ``utt2session``,
            ``utt2orig`` (the published id) and whatever else a corpus knows of its utterances.
    """

    path: Path
    tables: Mapping[str, Table]

    def __getitem__(self, name: str) -> Table:
        if name not in self.tables:
            raise SerError(f"{self.path / name}: no such file; a stage needs it; rerun stage 0")
        return self.tables[name]

    @property
    def utts(self) -> list[str]:
        """The utterance ids in the order of the C locale."""
        return list(self["utt2spk"])


def is_table(name: str) -> bool:
    """Whether a file of a data directory is a table of ours."""
    return name in REQUIRED or name.startswith(("utt2", "spk2"))


def read_data_dir(path: Path) -> DataDir:
    """Reads and validates a data directory.

    Raises:
        SerError: As for ``validate``.
    """
    if not path.is_dir():
        raise SerError(f"{path}: no such data directory; expected the output of stage 0; run it")
    names = sorted(p.name for p in path.iterdir() if is_table(p.name))
    data = DataDir(path, {name: read_table(path / name) for name in names})
    validate(data)
    return data


def write_data_dir(path: Path, tables: Mapping[str, Table]) -> DataDir:
    """Validates and writes a data directory; ``spk2utt`` is made from ``utt2spk``.

    Raises:
        SerError: As for ``validate``.
    """
    ordered = {
        name: {key: table[key] for key in sorted(table, key=c_order)}
        for name, table in tables.items()
    }
    ordered["spk2utt"] = invert(tables["utt2spk"])
    data = DataDir(path, ordered)
    validate(data)
    for name, table in data.tables.items():
        write_table(path / name, table)
    return data


def validate(data: DataDir) -> None:
    """What Kaldi's ``validate_data_dir.sh`` asks, and what our stages rely on.

    Raises:
        SerError: A file is missing, two tables differ in their ids, ``utt2spk`` and ``spk2utt``
            disagree, a speaker is no prefix of its utterance, or a value is not of its table.
    """
    utts = data["utt2spk"]
    if not utts:
        raise SerError(f"{data.path}: no utterances; expected at least one; check the corpus path")
    for name in dict.fromkeys((*REQUIRED, *data.tables)):
        by_utt = not name.startswith("spk2")
        reference = "utt2spk" if by_utt else "speakers of utt2spk"
        expected = utts if by_utt else set(utts.values())
        same_ids(data.path / name, data[name], data.path / reference, expected)
        _check_values(data.path / name, data[name])
    if data["spk2utt"] != invert(utts):
        raise SerError(
            f"{data.path / 'spk2utt'}: disagrees with utt2spk; expected its inverse; rerun stage 0"
        )
    if fault := speaker_fault(utts):
        raise SerError(f"{data.path / 'utt2spk'}: {fault}")


def speaker_fault(utt2spk: Table) -> str:
    """What Kaldi finds wrong with the ids and speakers of a sorted table; empty if nothing."""
    for utt, spk in utt2spk.items():
        if not utt.startswith(spk):
            return (
                f"the speaker {spk} is no prefix of {utt}; Kaldi expects the speaker in front; "
                "name the utterance <speaker>-<utterance>"
            )
    by_speaker = sorted(utt2spk, key=lambda utt: (c_order(utt2spk[utt]), c_order(utt)))
    if by_speaker != list(utt2spk):
        first = next(a for a, b in zip(utt2spk, by_speaker, strict=True) if a != b)
        return (
            f"{first} stands elsewhere when sorted by speaker; Kaldi expects both orders to agree; "
            "join speaker and utterance by '-', with letters and digits in the speaker"
        )
    return ""


def _check_values(path: Path, table: Table) -> None:
    """Ids are words; values are lines, and of the form that Kaldi asks of this table."""
    is_right, expected = VALUES.get(path.name, (is_line, "one line without tabs"))
    for key, value in table.items():
        if fault := UTTERANCE.fault(key):
            raise SerError(f"{path}: {fault}")
        if not is_right(value):
            raise SerError(
                f"{path}: {key} has {value!r}; expected {expected}; correct the corpus and rerun "
                "stage 0"
            )


def _is_transcript(value: str) -> bool:
    words = value.split(" ")
    one_each = all(word.split() == [word] for word in words)
    return value == "" or (one_each and is_line(value) and NO_WORDS.isdisjoint(words))


def is_positive(number: str) -> bool:
    """Whether a text is a finite number above 0."""
    try:
        return 0 < float(number) < math.inf
    except ValueError:
        return False


def _is_count(number: str) -> bool:
    return number.isdecimal() and len(number) < 20 and 0 < int(number) <= MAX_FRAMES


# What Kaldi asks of a value, and the words for it.
VALUES: dict[str, tuple[Callable[[str], bool], str]] = {
    "wav.scp": (
        lambda value: value.strip() == value != "" and value[0] != "~" and is_line(value),
        "the path of an audio file, without ~ and characters that are not shown",
    ),
    "text": (_is_transcript, "words separated by single spaces, without <s>, </s> and #0"),
    "utt2spk": (SPEAKER.fits, "a speaker, one word"),
    "utt2dur": (is_positive, "seconds above 0"),
    "utt2num_frames": (_is_count, f"frames above 0, at most {MAX_FRAMES}"),
    "spk2gender": (lambda value: value in ("f", "m"), "f or m"),
    "utt2emo": (CLASS.fits, "a class"),
    "utt2votes": (
        lambda value: VOTES.fullmatch(value) is not None,
        "votes such as E1=ang E2=neu,sad",
    ),
}


def require_data_dir(path: Path) -> str:
    """The identity of a data directory of stage 0.

    Raises:
        SerError: It is not whole, or tables were changed, or added, after it was made.
    """
    record = require(path, Stage.DATA)  # which does not see what was added
    if record["inputs"].get("tables") != digest_data_dir(path):
        raise SerError(
            f"{path}: its tables are not those that stage 0 wrote; expected them unchanged; "
            f"run {rerun_hint(Stage.DATA)}"
        )
    return str(record["identity"])


def digest_data_dir(path: Path) -> str:
    """Digest of all tables of a data directory."""
    return digest_json({p.name: digest_file(p) for p in path.iterdir() if is_table(p.name)})
