"""Cross-validation folds: which utterances train, validate and test."""

import random
import string
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from ser.base.errors import SerError, first_few
from ser.base.log import logger
from ser.config.protocol import ProtocolConfig
from ser.corpus.fold_files import TEST, TRAIN, VALID, in_part, shorter_first
from ser.corpus.speaker_leak import require_speakers_apart
from ser.kaldi.data_dir import DataDir
from ser.kaldi.table import Table


def make_folds(data: DataDir, protocol: ProtocolConfig) -> dict[str, Table]:
    """Fold name -> part (``train``, ``valid`` or ``test``) of every utterance in it.

    Units (sessions, speakers, scenes) that are as many as the folds give them their names; more
    are dealt into groups ``1`` to ``num_folds``. An utterance that the protocol leaves out of a
    fold is not in its table.

    Raises:
        SerError: The corpus lacks a table or does not fit the protocol, or a speaker is on both
            sides of a fold that should keep speakers apart.
    """
    utts = _utterances_of(data, protocol)
    if not utts:
        raise SerError(
            f"{data.path}: only_types and leave_out_labels of the protocol leave 0 of "
            f"{len(data.utts)} utterances; expected some; shorten the lists"
        )
    if protocol.fold_unit == "parts":
        given = _by_scene_groups(data, "1", _given_parts(data, protocol, utts), protocol)
        return _with_validation(data, given, protocol)
    fold_of = _test_folds(data, protocol, utts)
    names = sorted(set(fold_of.values()), key=shorter_first)
    if len(names) != protocol.num_folds:
        remedy = f"write num_folds: {len(names)} in the protocol"
        if len(names) == 1:
            remedy = "hold out another fold_unit in the protocol (session, speaker, scene, random)"
        raise SerError(
            f"{data.path}: {len(names)} folds by {protocol.fold_unit}; expected num_folds "
            f"{protocol.num_folds}; {remedy}, or restore the corpus"
        )
    following = dict(zip(names, names[1:] + names[:1], strict=True))
    folds: dict[str, Table] = {}
    for name in names:
        parts = {utt: TEST if fold == name else TRAIN for utt, fold in fold_of.items()}
        if protocol.validation == "next_fold":
            parts |= {utt: VALID for utt, f in fold_of.items() if f == following[name]}
        elif protocol.validation == "other_speaker":
            parts |= dict.fromkeys(_other_speaker(data, name, parts), VALID)
        folds |= _by_scene_groups(data, name, parts, protocol)
    if protocol.test_folds:
        unknown = [name for name in protocol.test_folds if name not in folds]
        if unknown:
            raise SerError(
                f"{data.path}: test_folds names the fold {unknown[0]}; expected some of "
                f"{' '.join(folds)}; change the protocol"
            )
        folds = {name: folds[name] for name in protocol.test_folds}
    return _with_validation(data, folds, protocol)


def _with_validation(
    data: DataDir, folds: dict[str, Table], protocol: ProtocolConfig
) -> dict[str, Table]:
    """Folds that are held to the protocol, with the random share that it takes from training."""
    for name, parts in folds.items():
        if protocol.validation == "random_share":
            parts |= dict.fromkeys(_random_share(data, name, parts, protocol), VALID)
        _check_parts(data, name, parts, protocol)
    return folds


def _given_parts(data: DataDir, protocol: ProtocolConfig, utts: Sequence[str]) -> Table:
    """The part of each utterance as the protocol reads it off a table; some may be in none."""
    values = _table(data, protocol.parts_table, "fold_unit parts", utts)
    part_of: dict[str, str] = {v: part for part, some in protocol.parts.items() for v in some}
    absent = part_of.keys() - {values[utt] for utt in utts}
    path, there = data.path / protocol.parts_table, (values[utt] for utt in utts)
    _refuse_absent(path, absent, there, "fold_unit parts lists")
    unlisted = Counter(values[utt] for utt in utts if values[utt] not in part_of)
    known = {value.casefold(): value for value in part_of}
    if misspelt := [value for value in unlisted if value.casefold() in known]:
        raise SerError(
            f"{path}: {unlisted[misspelt[0]]} utterances have '{misspelt[0]}', and fold_unit parts "
            f"lists '{known[misspelt[0].casefold()]}'; expected one spelling; correct the table"
        )
    if unlisted:
        logger.warning(
            "%s: in no part, and left out: %s",
            path,
            ", ".join(f"{value} {count}" for value, count in sorted(unlisted.items())),
        )
    return {utt: part_of[values[utt]] for utt in utts if values[utt] in part_of}


def _utterances_of(data: DataDir, protocol: ProtocolConfig) -> list[str]:
    """The utterances that the protocol does not leave out altogether."""
    utts = list(data.utts)
    for key, table, wanted, keep in (
        ("only_types", "utt2type", protocol.only_types, True),
        ("leave_out_labels", "utt2emo_raw", protocol.leave_out_labels, False),
    ):
        if wanted:
            values = _table(data, table, f"{key} {wanted}", utts)
            there = set(values.values())  # of turns too that another key leaves out
            _refuse_absent(data.path / table, set(wanted) - there, there, f"{key} names")
            utts = [utt for utt in utts if (values[utt] in wanted) == keep]
    return utts


def _refuse_absent(path: Path, absent: Collection[str], there: Iterable[str], who: str) -> None:
    if absent:
        raise SerError(
            f"{path}: no utterance has '{min(absent)}', which {who}; expected some of "
            f"{' '.join(sorted(set(there)))}; change the protocol"
        )


def _table(data: DataDir, name: str, why: str, utts: Iterable[str]) -> Table:
    if name not in data.tables:
        raise SerError(
            f"{data.path / name}: no such table; {why} in the protocol needs it; use another "
            "protocol, or let local/data.sh write the table"
        )
    table = data[name]
    lacking = [utt for utt in utts if not table.get(utt)]
    if lacking:
        raise SerError(
            f"{data.path / name}: nothing for {first_few(lacking)}; {why} in the protocol needs a "
            "value of each utterance; use another table"
        )
    return table


def _test_folds(data: DataDir, protocol: ProtocolConfig, utts: Sequence[str]) -> Table:
    """The fold in which each utterance is tested."""
    if protocol.fold_unit == "random":
        shuffled = list(utts)
        random.Random(protocol.seed).shuffle(shuffled)
        return {utt: str(i % protocol.num_folds + 1) for i, utt in enumerate(shuffled)}
    if protocol.fold_unit == "scene":
        unit_of = _table(data, "utt2scene", "fold_unit scene", utts)
    else:
        unit_of = data["utt2spk" if protocol.fold_unit == "speaker" else "utt2session"]
    units = _in_turn(data, protocol, {unit_of[utt] for utt in utts})
    if protocol.groups:
        group_of = {unit: fold for fold, group in protocol.groups.items() for unit in group}
        stray = [unit for unit in units if unit not in group_of]
        unknown = sorted(group_of.keys() - set(units))
        if stray or unknown:
            what = f"{stray[0]} is in no group" if stray else f"there is no {unknown[0]}"
            raise SerError(
                f"{data.path}: {protocol.fold_unit}: {what}; expected the protocol's groups to "
                "name each once; change the protocol, or restore the corpus"
            )
    elif len(units) == protocol.num_folds:
        group_of = {unit: unit for unit in units}
    elif protocol.fold_unit == "scene":
        group_of = _even_groups(Counter(unit_of[utt] for utt in utts), protocol.num_folds)
    else:
        group_of = {unit: str(i % protocol.num_folds + 1) for i, unit in enumerate(units)}
    return {utt: group_of[unit_of[utt]] for utt in utts}


def _in_turn(data: DataDir, protocol: ProtocolConfig, units: Collection[str]) -> list[str]:
    """Units in the order in which they are dealt: speakers of one sex after those of the other."""
    if protocol.fold_unit == "speaker":
        gender = data.tables.get("spk2gender", {})
        return sorted(units, key=lambda spk: (gender.get(spk, ""), spk))
    return sorted(units, key=shorter_first)


def _even_groups(sizes: Mapping[str, int], num_groups: int) -> dict[str, str]:
    """Group of each unit: the largest unit first, each to the group that is smallest so far."""
    filled = dict.fromkeys(map(str, range(1, num_groups + 1)), 0)
    group_of = {}
    for unit in sorted(sizes, key=lambda unit: (-sizes[unit], unit)):
        group = min(filled, key=lambda name: (filled[name], name))
        filled[group] += sizes[unit]
        group_of[unit] = group
    return {unit: group for unit, group in group_of.items() if filled[group]}


def _other_speaker(data: DataDir, fold: str, parts: Mapping[str, str]) -> list[str]:
    """The utterances in the tested speaker's session of the one other speaker there."""
    spk_of, session_of = data["utt2spk"], data["utt2session"]
    tested = {spk_of[utt] for utt in in_part(parts, TEST)}
    sessions = {session_of[utt] for utt in in_part(parts, TEST)}
    others = {spk_of[utt] for utt in parts if session_of[utt] in sessions} - tested
    if len(tested) != 1 or len(others) != 1:
        raise SerError(
            f"{data.path}: fold {fold} tests {len(tested)} speakers, and their session holds "
            f"{len(others)} more; validation other_speaker expects 1 and 1; use fold_unit speaker "
            "with as many folds as speakers, or another validation"
        )
    return [utt for utt in parts if spk_of[utt] in others and session_of[utt] in sessions]


def _by_scene_groups(
    data: DataDir, name: str, parts: Table, protocol: ProtocolConfig
) -> dict[str, Table]:
    """The fold as it is, or one for each group of scenes, which are tested there and only there."""
    if not protocol.num_scene_groups:
        return {name: parts}
    scene_of = _table(data, "utt2scene", f"num_scene_groups {protocol.num_scene_groups}", parts)
    sizes = Counter(scene_of[utt] for utt in parts)
    group_of = _even_groups(sizes, protocol.num_scene_groups)
    groups = sorted(set(group_of.values()), key=shorter_first)
    if len(groups) != protocol.num_scene_groups:
        raise SerError(
            f"{data.path / 'utt2scene'}: {len(sizes)} scenes; expected num_scene_groups "
            f"{protocol.num_scene_groups} or more; change the protocol"
        )
    folds = {}
    for group, letter in zip(groups, string.ascii_lowercase, strict=False):
        inside = {utt for utt in parts if group_of[scene_of[utt]] == group}
        folds[name + letter] = {
            utt: part for utt, part in parts.items() if (utt in inside) == (part == TEST)
        }
    return folds


def _random_share(
    data: DataDir, fold: str, parts: Mapping[str, str], protocol: ProtocolConfig
) -> list[str]:
    """A share of the training part, of each class alike."""
    by_class: dict[str, list[str]] = defaultdict(list)
    for utt in in_part(parts, TRAIN):
        by_class[data["utt2emo"][utt]].append(utt)
    draw = random.Random(f"{protocol.seed} {fold}")
    chosen = []
    for label in sorted(by_class):
        utts = by_class[label]
        chosen += draw.sample(utts, round(protocol.validation_share * len(utts)))
    return chosen


def _check_parts(
    data: DataDir, fold: str, parts: Mapping[str, str], protocol: ProtocolConfig
) -> None:
    """Checks that no part is empty, training has all classes, and the speakers are disjoint.

    Raises:
        SerError: A part is not so.
    """
    wanted = [TRAIN, TEST, *([] if protocol.validation == "none" else [VALID])]
    empty = [part for part in wanted if part not in parts.values()]
    if empty:
        raise SerError(
            f"{data.path}: the {empty[0]} part of fold {fold} has 0 of {len(parts)} utterances; "
            "expected some; change the protocol"
        )
    emotions = data["utt2emo"]
    for label in sorted(set(emotions.values())):
        found = {part for utt, part in parts.items() if emotions[utt] == label}
        if TRAIN not in found:
            raise SerError(
                f"{data.path}: fold {fold} has 0 utterances of the class '{label}' to train on; "
                "expected some; merge classes in labels.yaml, or hold out less"
            )
        for part, verb in ((TEST, "tests"), (VALID, "validates")):
            if part in wanted and part not in found:
                logger.warning(
                    "fold %s %s 0 utterances of the class '%s': its recall cannot be known there",
                    fold,
                    verb,
                    label,
                )
    require_speakers_apart(data, fold, parts, protocol)
