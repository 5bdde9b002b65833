"""Folds: speakers are never on both sides, and every utterance is tested once."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.base.errors import SerError
from ser.base.record import Record
from ser.config.protocol import ProtocolConfig
from ser.corpus.fold_files import fold_names, read_fold, write_folds
from ser.corpus.folds import make_folds
from ser.kaldi.data_dir import DataDir


def protocol(unit: str = "session", num_folds: int = 5, validation: str = "none") -> ProtocolConfig:
    values = {"fold_unit": unit, "num_folds": num_folds, "validation": validation}
    return ProtocolConfig.model_validate({**values, "selection": "last"})


def corpus(speakers: dict[str, tuple[str, str]], num_utts: int = 3) -> DataDir:
    """Sex and session of each speaker; each says so many utterances."""
    utts = {f"{spk}-{i}": spk for spk in speakers for i in range(num_utts)}
    return DataDir(
        Path("data/ser"),
        {
            "utt2spk": utts,
            "utt2session": {utt: speakers[spk][1] for utt, spk in utts.items()},
            "utt2emo": dict.fromkeys(utts, "ang"),
            "spk2gender": {spk: sex for spk, (sex, _) in speakers.items()},
        },
    )


IEMOCAP = corpus({f"Ses0{s}{sex}": (sex.lower(), f"{s}") for s in range(1, 6) for sex in "FM"})
ACTORS = corpus({f"{a:02d}": ("m" if a % 2 else "f", f"{a}") for a in range(1, 25)})


def by_part(fold: dict[str, str]) -> dict[str, set[str]]:
    return {part: {u for u, p in fold.items() if p == part} for part in set(fold.values())}


def test_one_session_is_left_out() -> None:
    folds = make_folds(IEMOCAP, protocol())
    assert list(folds) == ["1", "2", "3", "4", "5"]
    for name, fold in folds.items():
        parts = by_part(fold)
        assert set(parts) == {"train", "test"}
        assert parts["test"] == {u for u in IEMOCAP.utts if u.startswith(f"Ses0{name}")}
        assert set(fold) == set(IEMOCAP.utts)


def test_the_next_fold_validates() -> None:
    folds = make_folds(IEMOCAP, protocol(validation="next_fold"))
    for name, following in zip("12345", "23451", strict=True):
        parts = by_part(folds[name])
        assert {u[4] for u in parts["test"]} == {name}
        assert {u[4] for u in parts["valid"]} == {following}
        assert {u[4] for u in parts["train"]} == set("12345") - {name, following}


@settings(max_examples=50)
@given(
    sexes=st.lists(st.sampled_from("fm"), min_size=1, max_size=18),
    num_folds=st.integers(3, 6),
    validation=st.sampled_from(["none", "next_fold"]),
)
def test_speakers_are_spread_evenly(sexes: list[str], num_folds: int, validation: str) -> None:
    speakers = {f"{i:02d}{sex}": (sex, "1") for i, sex in enumerate(sexes)}
    data = corpus(speakers)
    if len(speakers) < num_folds:
        with pytest.raises(SerError, match=f"{len(speakers)} folds by speaker; expected num_fol"):
            make_folds(data, protocol("speaker", num_folds, validation))
        return
    folds = make_folds(data, protocol("speaker", num_folds, validation))
    tested = Counter(u for fold in folds.values() for u in by_part(fold)["test"])
    assert tested == dict.fromkeys(data.utts, 1)
    for sex in "fm":
        counts = [
            len({u.split("-")[0] for u in by_part(fold)["test"] if u[2] == sex})
            for fold in folds.values()
        ]
        assert max(counts) - min(counts) <= 1
    for fold in folds.values():
        heard = [{u.split("-")[0] for u in utts} for utts in by_part(fold).values()]
        assert sum(map(len, heard)) == len(set().union(*heard)) == len(speakers)


def test_ravdess_actors_by_speaker() -> None:
    folds = make_folds(ACTORS, protocol("speaker"))
    sizes = sorted(len({u[:2] for u in by_part(fold)["test"]}) for fold in folds.values())
    assert sizes == [4, 5, 5, 5, 5]


@pytest.mark.parametrize(
    ("unit", "num_folds", "said"),
    [
        ("session", 6, "data/ser: 5 folds by session; expected num_folds 6"),
        (
            "speaker",
            11,
            "data/ser: 10 folds by speaker; expected num_folds 11; write num_folds: 10",
        ),
    ],
)
def test_another_number_of_folds_is_refused(unit: str, num_folds: int, said: str) -> None:
    with pytest.raises(SerError, match=said):
        make_folds(IEMOCAP, protocol(unit, num_folds))


def test_a_speaker_in_two_sessions_is_refused() -> None:
    tables: dict[str, Any] = {name: dict(table) for name, table in IEMOCAP.tables.items()}
    tables["utt2session"]["Ses02M-1"] = "3"
    moved = DataDir(IEMOCAP.path, tables)
    with pytest.raises(SerError, match=r"in fold \d the speaker Ses02M is both in .*Ses02M-"):
        make_folds(moved, protocol())
    make_folds(moved, protocol("speaker"))  # where the speaker is the unit it does no harm


def test_missing_tables_are_named() -> None:
    bare = DataDir(Path("data/ser"), {"utt2spk": {"a-1": "a"}})
    with pytest.raises(SerError, match="data/ser/utt2session: no such file"):
        make_folds(bare, protocol())


def test_utterances_without_a_scene_are_no_scene() -> None:
    """All that lack one would be held to be of the same, and heard in training."""
    scenes = {utt: "" if utt.endswith("0") else utt[-1] for utt in ACTORS.utts}
    known = DataDir(ACTORS.path, {**ACTORS.tables, "utt2scene": scenes})
    with pytest.raises(SerError, match=r"data/ser/utt2scene: nothing for 01-0; .*each utterance"):
        make_folds(known, protocol("scene", 3))


def test_scenes_of_turns_that_are_left_out_make_no_groups() -> None:
    types = {utt: "scripted" if utt.endswith("0") else "improvised" for utt in IEMOCAP.utts}
    scenes = {utt: "" if utt.endswith("0") else utt[-1] for utt in IEMOCAP.utts}
    data = DataDir(IEMOCAP.path, {**IEMOCAP.tables, "utt2type": types, "utt2scene": scenes})
    values = protocol().model_dump() | {"only_types": ["improvised"], "num_scene_groups": 2}
    folds = make_folds(data, ProtocolConfig.model_validate(values))
    labels = {utt: "fru" if utt.endswith("0") else "ang" for utt in IEMOCAP.utts}
    both = DataDir(data.path, {**data.tables, "utt2emo_raw": labels})
    values["leave_out_labels"] = ["fru"]  # which scripted turns alone have
    assert make_folds(both, ProtocolConfig.model_validate(values)) == folds
    assert list(folds) == [f"{session}{letter}" for session in range(1, 6) for letter in "ab"]


def test_written_folds_are_read(tmp_path: Path) -> None:
    folds = make_folds(IEMOCAP, protocol(validation="next_fold"))
    write_folds(tmp_path, folds)
    for name, fold in folds.items():
        assert read_fold(tmp_path, name) == fold
    with pytest.raises(SerError, match="--folds 6: no such fold; expected some of: 1, 2, 3, 4, 5"):
        read_fold(tmp_path, "6")


def test_a_copy_of_a_fold_list_is_no_fold(tmp_path: Path) -> None:
    write_folds(tmp_path, make_folds(IEMOCAP, protocol()))
    Record(tmp_path, 0, {}, {}).finish()
    shutil.copyfile(tmp_path / "fold1", tmp_path / "fold1.bak")
    assert fold_names(tmp_path) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "two words"])
def test_a_fold_whose_name_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(SerError, match=f"^the fold .*{name}.*: it is that of"):
        write_folds(tmp_path, {name: {"a-1": "test"}})
    assert not list(tmp_path.iterdir())


def test_turns_in_no_part_are_told_and_misspelt_parts_refused(log: Any) -> None:
    data = corpus({f"{i}": ("f", "1") for i in range(4)})
    split = dict(zip(data.utts, ["train", "test", "left", "train"] * 99, strict=False))
    given = DataDir(data.path, {**data.tables, "utt2split": split})
    parts = ProtocolConfig.model_validate(
        {
            "fold_unit": "parts",
            "num_folds": 1,
            "parts_table": "utt2split",
            "parts": {"train": ["train"], "test": ["test"]},
            "validation": "none",
            "selection": "last",
            "speaker_dependent": True,
        }
    )
    make_folds(given, parts)
    num_left = list(split.values()).count("left")
    assert any(f"in no part, and left out: left {num_left}" in line for line in log.lines)
    split[data.utts[0]] = "Train"
    with pytest.raises(SerError, match=r"1 utterances have 'Train', and .* lists 'train'"):
        make_folds(given, parts)
