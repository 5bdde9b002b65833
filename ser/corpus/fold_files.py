"""Fold lists: the part of every utterance in a fold; stage 0 writes them, the others read them."""

from collections.abc import Mapping
from pathlib import Path

from ser.base.errors import SerError
from ser.base.files import digest_file
from ser.base.names import FOLD
from ser.base.options import distinct_words
from ser.base.record import Stage, StageRecord, read_record, require, rerun_hint
from ser.config.made_with import difference
from ser.config.protocol import ProtocolConfig
from ser.kaldi.table import Table, read_table, write_table

TRAIN, VALID, TEST = "train", "valid", "test"
DIGEST_DIGITS = 16  # of a fold list's SHA-256, as prediction tables name it


def write_folds(folder: Path, folds: Mapping[str, Table]) -> None:
    """Writes one table a fold, ``fold<name>``.

    Raises:
        SerError: A name cannot be that of a file.
    """
    for name, parts in folds.items():
        if fault := FOLD.fault(name):
            raise SerError(f"{fault}: it is that of a speaker, session or scene")
        write_table(folder / f"fold{name}", parts)


def read_fold(folder: Path, name: str) -> Table:
    """The part of every utterance in one fold.

    Raises:
        SerError: There is no such fold.
    """
    path = folder / f"fold{name}"
    if not path.exists():
        known = ", ".join(fold_names(folder))
        raise SerError(f"--folds {name}: no such fold; expected some of: {known}")
    return read_table(path)


def in_part(fold: Mapping[str, str], part: str) -> list[str]:
    """The utterances of one part of a fold."""
    return [utt for utt, its in fold.items() if its == part]


def fold_names(folder: Path) -> list[str]:
    """The folds that stage 0 wrote into a folder; a copy of a list beside them is none."""
    sealed = read_record(folder).get("outputs") if (folder / "run.json").exists() else None
    listed = list(sealed or (path.name for path in folder.glob("fold*")))
    return sorted((name.removeprefix("fold") for name in listed), key=shorter_first)


def choose_folds(folder: Path, asked: str) -> list[str]:
    """The folds that ``--folds`` names; with an empty text all that the folder holds.

    Raises:
        SerError: The folder has none, or lacks one that is named, or one is named twice.
    """
    names = fold_names(folder)
    if not names:
        raise SerError(
            f"{folder}: no fold lists; expected those of a protocol; run {rerun_hint(Stage.DATA)}"
        )
    if not asked.strip():
        return names
    wanted = distinct_words("--folds", asked)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise SerError(
            f"--folds {' '.join(unknown)}: no such fold; expected some of: {' '.join(names)}"
        )
    return wanted


def require_folds(folder: Path, protocol: ProtocolConfig, path: Path) -> StageRecord:
    """The record of the fold lists, which must be those of a protocol.

    Args:
        folder: Holds them.
        protocol: What ``path`` says.
        path: ``conf/protocol/<name>.yaml``.

    Raises:
        SerError: They are not there, not whole, or those of another protocol.
    """
    record = require(folder, Stage.DATA)
    if changed := difference(record["config"], protocol):
        raise SerError(
            f"{folder}: the folds of another protocol than {path} ({changed}); expected one "
            "protocol a folder; pass the --protocol that they were made with or an --exp-dir for "
            "this one, or make them anew, and with them all that was trained: "
            f"{rerun_hint(Stage.DATA)}"
        )
    return record


def fold_list_name(folder: Path, name: str) -> str:
    """A fold list as prediction tables name it: ``fold1@`` and the beginning of its SHA-256."""
    return f"fold{name}@{digest_file(folder / f'fold{name}')[:DIGEST_DIGITS]}"


def shorter_first(name: str) -> tuple[int, str]:
    """Sorts shorter names first, so ``2`` before ``10``."""
    return len(name), name
