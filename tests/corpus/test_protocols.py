"""Protocols: what each of them holds out, and those that the recipes ship."""

from pathlib import Path
from typing import Any

import pytest
from tracked import ROOT, own

from ser.base.errors import SerError
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.corpus.fold_files import TEST, TRAIN, VALID
from ser.corpus.folds import make_folds
from ser.kaldi.data_dir import DataDir
from ser.kaldi.table import Table

EGS = ROOT / "egs"
SCENES = [f"impro0{i}" for i in range(1, 9)] + [f"script0{i}_{k}" for i in "123" for k in "123"]
LABELS = {"ang": "ang", "hap": "hap", "exc": "hap", "neu": "neu", "sad": "sad"}


def iemocap() -> DataDir:
    """Five sessions of two people; each says every label twice in every scene."""
    tables: dict[str, Table] = {
        name: {} for name in ("utt2spk", "utt2session", "utt2scene", "utt2type", "utt2emo_raw")
    }
    for session in "12345":
        for sex in "FM":
            for scene in SCENES:
                for i, label in enumerate(list(LABELS) * 2):
                    utt = f"Ses0{session}{sex}-{scene}_{i}"
                    tables["utt2spk"][utt] = f"Ses0{session}{sex}"
                    tables["utt2session"][utt] = session
                    tables["utt2scene"][utt] = scene
                    tables["utt2type"][utt] = "improvised" if scene[0] == "i" else "scripted"
                    tables["utt2emo_raw"][utt] = label
    tables["utt2emo"] = {utt: LABELS[raw] for utt, raw in tables["utt2emo_raw"].items()}
    tables["spk2gender"] = {spk: spk[-1].lower() for spk in tables["utt2spk"].values()}
    return DataDir(Path("data/ser"), tables)


def ravdess() -> DataDir:
    utts = {f"{actor:02d}-{i}": f"{actor:02d}" for actor in range(1, 25) for i in range(4)}
    tables = {
        "utt2spk": utts,
        "utt2session": utts,
        "utt2emo": dict.fromkeys(utts, "ang"),
        "spk2gender": {spk: "fm"[int(spk) % 2] for spk in utts.values()},
    }
    return DataDir(Path("data/ser"), tables)


CORPUS = iemocap()


def protocol(**keys: Any) -> ProtocolConfig:
    values = {"fold_unit": "session", "num_folds": 5, "validation": "none", "selection": "last"}
    return ProtocolConfig.model_validate(values | keys)


def values_of(fold: Table, part: str, table: str, data: DataDir = CORPUS) -> set[str]:
    return {data[table][utt] for utt, belongs in fold.items() if belongs == part}


SHIPPED = [
    path for name in ("iemocap", "mini", "ravdess") for path in own(EGS, f"{name}/conf/protocol/*")
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: f"{p.parts[-4]}-{p.stem}")
def test_shipped_protocols_hold_their_speakers_out(path: Path) -> None:
    config = load_config(path, ProtocolConfig)
    data = ravdess() if "ravdess" in path.parts else CORPUS
    folds = make_folds(data, config)
    tested = [utt for fold in folds.values() for utt, part in fold.items() if part == TEST]
    assert len(tested) == len(set(tested)) > 0
    for fold in folds.values():
        heard = values_of(fold, TRAIN, "utt2spk", data) | values_of(fold, VALID, "utt2spk", data)
        assert (not heard.isdisjoint(values_of(fold, TEST, "utt2spk", data))) == (
            config.speaker_dependent
        )
        assert (VALID in fold.values()) == (config.validation != "none")
        assert TRAIN in fold.values()


def test_scene_groups_are_new_in_speaker_and_scene() -> None:
    folds = make_folds(CORPUS, protocol(num_scene_groups=3))
    assert list(folds) == [f"{k}{g}" for k in "12345" for g in "abc"]
    for name, fold in folds.items():
        assert values_of(fold, TEST, "utt2session") == {name[0]}
        assert values_of(fold, TRAIN, "utt2session") == set("12345") - {name[0]}
        tested = values_of(fold, TEST, "utt2scene")
        assert tested.isdisjoint(values_of(fold, TRAIN, "utt2scene"))
        assert tested | values_of(fold, TRAIN, "utt2scene") == set(SCENES)
    tested_utts = [u for fold in folds.values() for u, part in fold.items() if part == TEST]
    assert sorted(tested_utts) == sorted(CORPUS.utts)


def test_scene_groups_are_of_like_size() -> None:
    folds = make_folds(CORPUS, protocol(fold_unit="scene", num_folds=5, speaker_dependent=True))
    sizes = [len(values_of(fold, TEST, "utt2scene")) for fold in folds.values()]
    assert sum(sizes) == len(SCENES)
    assert max(sizes) - min(sizes) <= 1


def test_the_other_speaker_of_the_session_validates() -> None:
    config = protocol(fold_unit="speaker", num_folds=10, validation="other_speaker")
    folds = make_folds(CORPUS, config)
    assert list(folds) == sorted(set(CORPUS["utt2spk"].values()))
    for name, fold in folds.items():
        partner = name[:-1] + {"F": "M", "M": "F"}[name[-1]]
        assert values_of(fold, TEST, "utt2spk") == {name}
        assert values_of(fold, VALID, "utt2spk") == {partner}
        assert name[:-1] not in {spk[:-1] for spk in values_of(fold, TRAIN, "utt2spk")}


def test_a_random_share_of_each_class_validates_and_is_drawn_alike_again() -> None:
    config = protocol(validation="random_share", validation_share=0.2)
    folds = make_folds(CORPUS, config)
    assert folds == make_folds(CORPUS, config)
    assert folds != make_folds(CORPUS, config.model_copy(update={"seed": 1}))
    for fold in folds.values():
        for label in set(LABELS.values()):
            of_class = [p for u, p in fold.items() if CORPUS["utt2emo"][u] == label and p != TEST]
            assert of_class.count(VALID) == pytest.approx(0.2 * len(of_class), abs=0.5)


def test_kinds_and_labels_are_left_out() -> None:
    for fold in make_folds(CORPUS, protocol(only_types=["improvised"])).values():
        assert {CORPUS["utt2type"][utt] for utt in fold} == {"improvised"}
    for fold in make_folds(CORPUS, protocol(leave_out_labels=["exc"])).values():
        assert {CORPUS["utt2emo_raw"][utt] for utt in fold} == set(LABELS) - {"exc"}


def test_one_fold_is_run_alone() -> None:
    assert list(make_folds(CORPUS, protocol(test_folds=["5"]))) == ["5"]


def test_sessions_are_dealt_into_fewer_groups() -> None:
    folds = make_folds(CORPUS, protocol(num_folds=2))
    assert values_of(folds["1"], TEST, "utt2session") == {"1", "3", "5"}
    assert values_of(folds["2"], TEST, "utt2session") == {"2", "4"}


def test_named_groups_are_the_folds() -> None:
    groups = {"a": ["1", "2"], "b": ["3", "4", "5"]}
    folds = make_folds(CORPUS, protocol(num_folds=2, groups=groups))
    for name, group in groups.items():
        assert values_of(folds[name], TEST, "utt2session") == set(group)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"groups": {"a": ["1", "2"], "b": ["3"]}, "num_folds": 2}, "session: 4 is in no group"),
        (
            {"groups": {"a": list("12345"), "b": ["6"]}, "num_folds": 2},
            "session: there is no 6; expected",
        ),
        ({"only_types": ["sung"]}, "no utterance has 'sung', which only_types names"),
        ({"leave_out_labels": ["fru"]}, "no utterance has 'fru', which leave_out_labels names"),
        ({"test_folds": ["6"]}, "test_folds names the fold 6; expected some of 1 2 3 4 5"),
        ({"num_scene_groups": 20}, "17 scenes; expected num_scene_groups 20"),
        (
            {"validation": "other_speaker", "selection": "best_valid_ua"},
            "fold 1 tests 2 speakers, and their session holds 0 more",
        ),
        (
            {"fold_unit": "scene", "num_folds": 5},
            r"in fold 1 the speaker Ses0\d[FM] is both in .* expected speaker-disjoint",
        ),
        (
            {"validation": "random_share", "validation_share": 0.0005},
            "the valid part of fold 1 has 0 of",
        ),
    ],
)
def test_what_does_not_fit_the_corpus_is_named(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(SerError, match=message):
        make_folds(CORPUS, protocol(**keys))


@pytest.mark.parametrize(
    ("keys", "table"),
    [
        ({"num_scene_groups": 3}, "utt2scene"),
        ({"only_types": ["scripted"]}, "utt2type"),
        ({"leave_out_labels": ["exc"]}, "utt2emo_raw"),
    ],
)
def test_a_table_that_the_corpus_lacks_is_named(keys: dict[str, Any], table: str) -> None:
    tables = {name: values for name, values in CORPUS.tables.items() if name != table}
    with pytest.raises(SerError, match=f"data/ser/{table}: no such table; {next(iter(keys))}"):
        make_folds(DataDir(CORPUS.path, tables), protocol(**keys))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"fold_unit": "random"}, "without speaker_dependent: true"),
        ({"groups": {"a": ["1"], "b": ["1"]}, "num_folds": 2}, "groups: 1 occurs twice"),
        ({"groups": {"a": ["1"], "b": []}, "num_folds": 2}, "at least 1"),
        ({"groups": {"a": ["1"]}}, "1 groups with num_folds 5"),
        (
            {"fold_unit": "random", "speaker_dependent": True, "groups": {"a": ["1"], "b": ["2"]},
             "num_folds": 2},
            "groups with fold_unit random",
        ),
        (
            {"fold_unit": "scene", "num_scene_groups": 3, "speaker_dependent": True},
            "num_scene_groups with fold_unit scene",
        ),
        ({"selection": "best_valid_ua"}, "with validation none"),
    ],
)  # fmt: skip
def test_protocols_that_contradict_themselves_are_refused(
    keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        protocol(**keys)


def parts(**keys: Any) -> ProtocolConfig:
    given = {"train": ["1", "2"], "test": ["5"]}
    values = {"fold_unit": "parts", "num_folds": 1, "parts_table": "utt2session", "parts": given}
    return protocol(**(values | keys))


def test_the_parts_of_a_corpus_are_one_fold() -> None:
    (fold,) = make_folds(CORPUS, parts()).values()
    assert values_of(fold, TRAIN, "utt2session") == {"1", "2"}
    assert values_of(fold, TEST, "utt2session") == {"5"}
    assert len(fold) == len(CORPUS.utts) * 3 // 5  # sessions 3 and 4 are in no part
    given = {"train": ["1"], "valid": ["2", "3"], "test": ["5"]}
    (fold,) = make_folds(CORPUS, parts(parts=given, validation="parts")).values()
    assert values_of(fold, VALID, "utt2session") == {"2", "3"}
    (fold,) = make_folds(CORPUS, parts(validation="random_share")).values()
    assert values_of(fold, VALID, "utt2session") == {"1", "2"}


def test_a_part_that_is_not_there() -> None:
    with pytest.raises(SerError, match="utt2session: no utterance has '7', which fold_unit"):
        make_folds(CORPUS, parts(parts={"train": ["1"], "test": ["7"]}))
    data = DataDir(CORPUS.path, {**CORPUS.tables, "spk2utt": {"1F": "1"}})
    for table, said in (("spk2utt", "nothing for"), ("utt2split", "no such table")):
        with pytest.raises(SerError, match=f"{table}: {said}"):
            make_folds(data, parts(parts_table=table))


def test_a_speaker_in_two_parts() -> None:
    data = DataDir(CORPUS.path, CORPUS.tables | {"utt2spk": dict.fromkeys(CORPUS.utts, "Ses01F")})
    with pytest.raises(SerError, match="in fold 1 the speaker Ses01F is both in train and in test"):
        make_folds(data, parts())
    assert make_folds(data, parts(speaker_dependent=True))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"parts": {}}, "fold_unit parts with 0 parts"),
        ({"fold_unit": "session"}, "fold_unit session with 2 parts"),
        ({"num_folds": 2}, "num_folds 2; expected 1 with fold_unit parts"),
        ({"parts": {"train": ["1"]}}, "parts without train or test"),
        ({"parts": {"train": ["1"], "valid": ["2"], "test": ["3"]}}, "validation none with 1 val"),
        ({"validation": "parts"}, "validation parts with 0 values of the part valid"),
        ({"validation": "other_speaker"}, "validation other_speaker with fold_unit parts"),
        ({"validation": "next_fold"}, "num_folds 1 with validation next_fold leaves 0"),
        ({"parts": {"train": ["1", "5"], "test": ["5"]}}, "parts: 5 occurs twice"),
        ({"groups": {"1": ["1"]}}, "groups with fold_unit parts"),
    ],
)
def test_parts_that_cannot_be(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parts(**keys)


def test_a_class_that_only_one_session_has(log: Any) -> None:
    emotion_of = {utt: "fea" if CORPUS["utt2session"][utt] == "3" else "ang" for utt in CORPUS.utts}
    data = DataDir(CORPUS.path, {**CORPUS.tables, "utt2emo": emotion_of})
    with pytest.raises(SerError, match="fold 3 has 0 utterances of the class 'fea' to train on"):
        make_folds(data, protocol())
    folds = make_folds(data, parts(parts={"train": ["3", "4"], "test": ["1"]}))
    assert folds
    assert log.find("fold 1 tests 0 utterances of the class 'fea'")
    given = {"train": ["3", "4"], "valid": ["2"], "test": ["1"]}
    make_folds(data, parts(parts=given, validation="parts"))
    assert log.find("fold 1 validates 0 utterances of the class 'fea'")


def test_one_session_only() -> None:
    data = DataDir(CORPUS.path, {**CORPUS.tables, "utt2session": dict.fromkeys(CORPUS.utts, "1")})
    said = "1 folds by session; expected num_folds 5; hold out another fold_unit in the protocol"
    with pytest.raises(SerError, match=said):
        make_folds(data, protocol())


def test_a_protocol_that_leaves_nothing() -> None:
    labels = sorted(set(CORPUS["utt2emo_raw"].values()))
    with pytest.raises(SerError, match=r"leave_out_labels of the protocol leave 0 of \d+ utter"):
        make_folds(CORPUS, protocol(leave_out_labels=labels))
