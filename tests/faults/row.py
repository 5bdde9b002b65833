"""A row of the table of faults, and the files that many rows are about."""

from dataclasses import dataclass
from errno import ENOSPC

from damage import Fault, both, cut, failing, flipped, gone, holds, key, nothing
from experiment import SYSTEM

WAV = "corpus/wavs/1F-ang.wav"
CHAPTER = "corpus/LibriSpeech/train-clean-5/1/1"
TSV = f"exp/predictions/{SYSTEM}/seed1_fold1.tsv"
CSV, PAPER, BPE = "corpus/corpus.csv", "conf/protocol/paper.yaml", "conf/bpe.yaml"
SYSTEM_YAML, CTC = f"conf/systems/{SYSTEM}.yaml", "conf/pretrain/ctc.yaml"


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        call: Of the experiment: what meets it.
        what: The fault, for people.
        fault: Makes it.
        said: Regular expression of the line on standard error.
        words: Further words of the call.
        mend: Calls that correct it, as the line says; without any the files are put back.
        remove: What is removed first, as the line says.
        anew: Whether what the call writes is taken away before.
        left: Regular expression of what the refused call may have written.
        status: Of its exit.
    """

    call: str
    what: str
    fault: Fault
    said: str
    words: tuple[str, ...] = ()
    mend: tuple[str, ...] = ()
    remove: str = ""
    anew: bool = True
    left: str = "(?!)"
    status: int = 1


def word(call: str, words: str, said: str, **more: object) -> Row:
    """A wrong option."""
    return Row(call, words, nothing, said, tuple(words.split("|")), **more)  # type: ignore[arg-type]


def full(
    call: str, part: str, left: str, what: str = "disk full", said: str = "No space left"
) -> Row:
    """The disk is full when the call writes to a path with this part."""
    return Row(call, what, failing(part, ENOSPC), said, left=left)


def foreign(call: str, folder: str) -> Row:
    """The folder that the call writes is there, with a file of somebody else's."""
    fault = both(gone(folder), holds(f"{folder}/mine", b""))
    said = f"{folder}: is there and was not written by this program"
    return Row(call, "foreign folder", fault, said, anew=False)


def misspelt(call: str, file: str, wrong: str, right: str) -> Row:
    """A configuration has a key that is nearly one."""
    said = f"unknown key '{wrong}'; did you mean '{right}'"
    return Row(call, "unknown key", key(file, **{wrong: 1}), said)


def damaged(reader: str, folder: str, names: str, maker: str, stage: int) -> list[Row]:
    """Files that a stage wrote, and its record, are lost, cut and changed."""
    again, rows = f"--stage {stage} --stop-stage {stage}", []
    for name in names.split():
        for what, fault, said in (
            ("gone", gone, "is missing"),
            ("cut", cut, r"has \d+ bytes instead of \d+"),
            ("a bit flipped", flipped, "was changed"),
        ):
            line = rf"^error: {folder}: {name} {said}; expected what stage {stage} wrote.*{again}"
            shown, made = f"{folder}/{name} {what}", fault(f"{folder}/{name}")
            rows.append(Row(reader, shown, made, line, (), (maker,)))
    record = f"{folder}/run.json"
    line = rf"^error: {folder}: not there or not whole \(no run.json\).*stage {stage}.*"
    rows.append(Row(reader, f"{record} gone", gone(record), line, (), (maker,), folder))
    line = rf"^error: {record}:\d+: not JSON .*rerun the stage that writes it"
    rows.append(Row(reader, f"{record} cut", cut(record), line, (), (maker,)))
    return rows
