"""Cross-validation folds: which utterances train, validate and test."""

from collections.abc import Mapping
from pathlib import Path

from ser.base.errors import SerError
from ser.config.schema import ProtocolConfig
from ser.kaldi.data_dir import DataDir
from ser.kaldi.table import Table, read_table, write_table

TRAIN, VALID, TEST = "train", "valid", "test"


def make_folds(data: DataDir, protocol: ProtocolConfig) -> dict[str, Table]:
    """Fold name -> part (``train``, ``valid`` or ``test``) of every utterance.

    With ``fold_unit: session`` each session is a fold, by its name. With ``speaker`` the
    speakers, women and men in turn so that both are spread evenly, are dealt into ``num_folds``
    groups.

    Raises:
        SerError: There are fewer units than folds, or a speaker is on both sides of a fold.
    """
    utt2fold = _units(data, protocol)
    names = sorted(set(utt2fold.values()), key=lambda name: (len(name), name))
    if len(names) != protocol.num_folds:
        raise SerError(
            f"{data.path}: {len(names)} folds by {protocol.fold_unit}; expected num_folds "
            f"{protocol.num_folds}; change the protocol, or restore the corpus"
        )
    following = dict(zip(names, names[1:] + names[:1], strict=True))
    folds = {}
    for name in names:
        parts = {utt: TEST if fold == name else TRAIN for utt, fold in utt2fold.items()}
        if protocol.validation == "next_fold":
            valid = {utt: VALID for utt, fold in utt2fold.items() if fold == following[name]}
            parts |= valid
        _assert_disjoint(data, name, parts)
        folds[name] = parts
    return folds


def _units(data: DataDir, protocol: ProtocolConfig) -> Table:
    """The fold in which each utterance is tested."""
    if protocol.fold_unit == "session":
        return data["utt2session"]
    gender = data["spk2gender"]
    speakers = sorted(gender, key=lambda spk: (gender[spk], spk))
    fold_of = {spk: str(i % protocol.num_folds + 1) for i, spk in enumerate(speakers)}
    return {utt: fold_of[spk] for utt, spk in data["utt2spk"].items()}


def _assert_disjoint(data: DataDir, fold: str, parts: Mapping[str, str]) -> None:
    spoken: dict[str, str] = {}
    for utt, part in parts.items():
        spk = data["utt2spk"][utt]
        if spoken.setdefault(spk, part) != part:
            raise SerError(
                f"{data.path}: in fold {fold} the speaker {spk} is both in {spoken[spk]} and in "
                f"{part} ({utt}); expected speaker-disjoint parts; change the fold unit"
            )


def write_folds(folder: Path, folds: Mapping[str, Table]) -> None:
    """Writes one table a fold, ``fold<name>``."""
    for name, parts in folds.items():
        write_table(folder / f"fold{name}", parts)


def read_fold(folder: Path, name: str) -> Table:
    """The part of every utterance in one fold.

    Raises:
        SerError: There is no such fold.
    """
    path = folder / f"fold{name}"
    if not path.exists():
        known = ", ".join(sorted(p.name.removeprefix("fold") for p in folder.glob("fold*")))
        raise SerError(f"--folds {name}: no such fold; expected some of: {known}")
    return read_table(path)
