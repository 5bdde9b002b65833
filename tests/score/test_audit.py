"""The audit: finds what was planted, and nothing where nothing was."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import call

from ser.base.files import digest_json
from ser.base.record import Record
from ser.base.writing import write_json
from ser.config.protocol import ProtocolConfig
from ser.corpus.fold_files import write_folds
from ser.corpus.same_audio import write_same_audio
from ser.kaldi.data_dir import DataDir, write_data_dir
from ser.score.audit.overlaps import TABLES, audit, near_lines
from ser.score.audit.tables import OVERLAPS, audit_sections
from ser.score.report.document import markdown
from ser.score.report.provenance import read_audit


def corpus(folder: Path, **changed: dict[str, str]) -> DataDir:
    """Two sessions of two people with two turns each; everything differs unless changed."""
    utts = [f"{session}{sex}-{i}" for session in "12" for sex in "FM" for i in "12"]
    tables: dict[str, dict[str, str]] = {
        "utt2spk": {u: u[:2] for u in utts},
        "utt2session": {u: u[0] for u in utts},
        "utt2emo": {u: "ang" if u[-1] == "1" else "sad" for u in utts},
        "utt2scene": {u: f"scene{u}" for u in utts},
        "utt2dialogue": {u: f"dialogue{u}" for u in utts},
        "text": {u: sha256(u.encode()).hexdigest() for u in utts},  # nothing alike
        "wav.scp": {u: str(folder / f"{u}.wav") for u in utts},
        "spk2gender": {u[:2]: u[1].lower() for u in utts},
    }
    write_same_audio(folder, {})
    for name, values in changed.items():
        tables[name.replace("wav_scp", "wav.scp")] |= values
    return DataDir(folder, tables)


def audited(data: DataDir) -> dict[str, Any]:
    fold1 = {u: "test" if u[0] == "1" else "train" for u in data.utts}
    return audit(data, {"1": fold1})


def counts(result: dict[str, Any]) -> dict[str, int]:
    overlaps = result["folds"]["1"]["overlaps"]
    return {name: overlap["num_utts"] for name, overlap in overlaps.items() if overlap["num_utts"]}


def test_a_clean_corpus_has_no_overlap(tmp_path: Path) -> None:
    result = audited(corpus(tmp_path))
    assert counts(result) == {}
    assert result["missing"] == []
    assert result["seen"]["1"]["1F-1"] == {"scene": "no", "line": "no"}


@pytest.mark.parametrize(
    ("table", "value", "found"),
    [
        ("utt2scene", "scene2F-1", "scene"),
        ("utt2dialogue", "dialogue2F-1", "dialogue"),
        ("utt2session", "2", "session"),
        ("utt2spk", "2F", "speaker"),
    ],
)
def test_planted_overlaps_are_found(tmp_path: Path, table: str, value: str, found: str) -> None:
    assert counts(audited(corpus(tmp_path, **{table: {"1F-1": value}}))) == {found: 1}


def test_same_and_nearly_same_lines(tmp_path: Path) -> None:
    line = "WELL I NEVER SAID THAT TO ANYBODY"
    data = corpus(
        tmp_path, text={"1F-1": line, "1M-1": line[:-1], "1M-2": "WELL THAT", "2M-2": line}
    )
    result = audited(data)
    assert counts(result) == {"line": 1, "near line": 1}
    seen = result["seen"]["1"]
    assert [seen[u]["line"] for u in ("1F-1", "1M-1", "1M-2")] == ["yes", "near", "no"]


def test_same_audio_under_another_name(tmp_path: Path) -> None:
    data = corpus(tmp_path)
    write_same_audio(tmp_path, {"2F-1": "1M-2"})
    result = audited(data)
    assert counts(result) == {"audio": 1}
    assert "**by name, but 1 test recordings are**" in markdown(audit_sections(result))


def test_validation_counts_as_heard(tmp_path: Path) -> None:
    data = corpus(tmp_path, utt2scene={"1F-1": "scene2F-1"})
    parts = {u: "test" if u[0] == "1" else "train" for u in data.utts} | {"2F-1": "valid"}
    audited = audit(data, {"1": parts})
    assert audited["folds"]["1"]["overlaps"]["scene"]["num_utts"] == 1


def test_what_training_has_is_not_what_validation_has(tmp_path: Path) -> None:
    """Neither a system nor a baseline learns from turns of validation."""
    lines = {"1F-1": "OH NO", "1F-2": "I SEE", "2F-1": "OH NO"}
    data = corpus(tmp_path, text=lines, utt2scene={"1F-1": "scene2F-1"})
    parts = {u: "test" if u[0] == "1" else "train" for u in data.utts}
    before, after = (audit(data, {"1": p}) for p in (parts, parts | {"2F-1": "valid"}))
    assert before["seen"]["1"]["1F-1"] == {"scene": "yes", "line": "yes"}
    assert after["seen"]["1"]["1F-1"] == {"scene": "no", "line": "no"}
    assert after["baselines"]["words"] != before["baselines"]["words"]


def test_a_speaker_on_both_sides_is_told(tmp_path: Path) -> None:
    result = audited(corpus(tmp_path, utt2spk={"1F-1": "2F"}))
    assert "**Speaker-dependent**" in markdown(audit_sections(result))


@pytest.mark.parametrize("speaker_dependent", [False, True])
def test_the_program_refuses_it_unless_the_protocol_says_so(
    tmp_path: Path, speaker_dependent: bool
) -> None:
    (tmp_path / "data").mkdir()
    data = corpus(tmp_path / "data")
    write_data_dir(data.path, {**data.tables, "utt2dur": dict.fromkeys(data.utts, "1.0")})
    folds = tmp_path / "exp" / "folds"
    folds.mkdir(parents=True)
    tested = ("1F-1", "1M-1", "1M-2")
    write_folds(folds, {"1": {u: "test" if u in tested else "train" for u in data.utts}})
    protocol = {
        **{"fold_unit": "session", "num_folds": 2, "validation": "none", "selection": "last"},
        "speaker_dependent": speaker_dependent,
    }
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(protocol))
    told = ProtocolConfig.model_validate(protocol).model_dump()
    Record(folds, 0, told, {}).finish([folds / "fold1"], digest="")
    said = call("audit", data.path, tmp_path / "exp", "--protocol", tmp_path / "p.yaml")
    assert said.status == (not speaker_dependent), said.err
    assert ("in fold 1 the speaker 1F is both in" in said.err) == (not speaker_dependent)


@pytest.mark.parametrize("part", ["train", "valid"])
def test_an_audit_that_counted_validation_as_training_is_told(
    tmp_path: Path, log: Any, part: str
) -> None:
    """As earlier versions wrote it; where nothing validates it is the same."""
    data = corpus(tmp_path)
    parts = {u: "test" if u[0] == "1" else "train" for u in data.utts} | {"2F-1": part}
    (tmp_path / "folds").mkdir()
    write_folds(tmp_path / "folds", {"1": parts})
    found = audit(data, {"1": parts}) | {"fold_digest": digest_json({"1": parts})}
    for told in (False, part == "valid"):
        write_json(tmp_path / "audit.json", found)
        assert read_audit(tmp_path) == found
        assert bool(log.find("of an earlier version: 'in training' there is of valid")) == told
        found.pop("seen_in", None)


def test_what_is_not_known_is_left_out_and_said(tmp_path: Path) -> None:
    data = corpus(tmp_path)
    bare = {n: t for n, t in data.tables.items() if n not in ("utt2scene", "utt2dialogue")}
    result = audited(DataDir(tmp_path, bare | {"text": dict.fromkeys(data.utts, "")}))
    assert result["missing"] == ["dialogue", "scene", "line"]
    assert list(result["baselines"]) == ["constant", "majority"]
    assert result["seen"]["1"]["1F-1"] == {}
    text = markdown(audit_sections(result))
    assert "does not tell: dialogue, scene, line" in text
    assert "nearly" not in text


def test_near_lines() -> None:
    assert near_lines(["ABCDEFGHIJ", "XY"], ["ABCDEFGHIK"]) == {"ABCDEFGHIJ"}
    assert near_lines(["ABCDEFGHIJ"], ["ABCDEFGXYZ"]) == set()
    many = [f"{i}" * 10 for i in range(1000)]
    assert near_lines(many, [many[0], many[700], many[999]]) == {many[0], many[700], many[999]}
    assert near_lines(["A"], []) == near_lines([], ["A"]) == set()


def test_all_that_is_counted_is_shown() -> None:
    assert OVERLAPS.keys() == {*TABLES, "near line", "audio"}
