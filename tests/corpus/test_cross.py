"""Corpora trained and tested on together: one data directory, ids and speakers kept apart."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import plant_audio, plant_crema_d, plant_emodb

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.corpus.cross import CrossConfig
from ser.corpus.fold_files import read_fold
from ser.corpus.prepare import prepare_corpus, prepare_cross, prepare_folds, prepare_table
from ser.kaldi.data_dir import read_data_dir, require_data_dir

FIVE = LabelsConfig(
    classes={e: [e] for e in ("angry", "fearful", "happy", "neutral", "sad")},
    exclude=["bored", "disgust"],
)
FIVE_WITHOUT = LabelsConfig(classes={"happy": ["happy"], "sad": ["sad"]}, exclude=[])
MERGED = LabelsConfig(
    classes={"negative": ["angry", "sad"], "other": ["neutral", "happy"]}, exclude=["fearful"]
)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    plant_crema_d(tmp_path / "CREMA-D")
    plant_emodb(tmp_path / "EmoDB")
    out = {"crema_d": tmp_path / "crema_d" / "ser", "emodb": tmp_path / "emodb" / "ser"}
    prepare_corpus("crema_d", tmp_path / "CREMA-D", out["crema_d"], FIVE)
    prepare_corpus("emodb", tmp_path / "EmoDB", out["emodb"], FIVE)
    return out


def test_train_on_one_and_test_on_the_other(folders: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "data" / "ser"
    prepare_cross(folders, out, MERGED)
    data = read_data_dir(out)
    assert data["utt2corpus"]["crema_d_1002-1002_DFA_ANG_XX"] == "crema_d"
    assert data["utt2emo"]["crema_d_1002-1002_DFA_ANG_XX"] == "negative"
    assert data["utt2spk"]["emodb_03-03a01Fa"] == "emodb_03"
    assert data["spk2gender"]["emodb_03"] == "m"
    assert "utt2intensity" in data.tables  # CREMA-D alone has it
    assert not any("FEA" in utt for utt in data.utts)
    protocol = ProtocolConfig.model_validate(
        {
            "fold_unit": "parts",
            "num_folds": 1,
            "parts_table": "utt2corpus",
            "parts": {"train": ["crema_d"], "test": ["emodb"]},
            "validation": "random_share",
            "selection": "best_valid_ua",
        }
    )
    prepare_folds(out, tmp_path / "folds", protocol)
    fold = read_fold(tmp_path / "folds", "1")
    assert {utt.startswith("emodb") for utt, part in fold.items() if part == "test"} == {True}
    assert {utt.startswith("emodb") for utt, part in fold.items() if part != "test"} == {False}


def test_a_corpus_that_was_prepared_anew_is_noticed(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "data" / "ser"
    prepare_cross(folders, out, MERGED)
    require_data_dir(out)
    four = LabelsConfig(
        classes={name: raw for name, raw in FIVE.classes.items() if name != "happy"},
        exclude=[*FIVE.exclude, "happy"],
    )
    prepare_corpus("emodb", tmp_path / "EmoDB", folders["emodb"], four)
    with pytest.raises(SerError, match=f"{out}: made from another {folders['emodb']} than"):
        require_data_dir(out)


def test_scenes_of_two_corpora_are_apart(tmp_path: Path) -> None:
    folders, labels = {}, LabelsConfig(classes={"hap": ["happy"], "sad": ["sad"]}, exclude=[])
    for name in ("one", "two"):
        for file in ("1.wav", "2.wav"):
            plant_audio(tmp_path / name / file)
        table = tmp_path / name / "corpus.csv"
        table.write_text("path,label,speaker,scene\n1.wav,sad,s,1\n2.wav,happy,s,1\n")
        folders[name] = tmp_path / "data" / name
        prepare_table(table, folders[name], labels)
    prepare_cross(folders, tmp_path / "out", labels)
    scenes = read_data_dir(tmp_path / "out")["utt2scene"]
    assert set(scenes.values()) == {"one_1", "two_1"}


def test_names_keep_the_speakers_of_two_corpora_apart(tmp_path: Path) -> None:
    labels = LabelsConfig(classes={"a": ["a"], "b": ["b"]}, exclude=[])
    folders = {}
    for name, speakers in {"c": ("x_1", "x_2"), "c_x": ("1", "2")}.items():
        (tmp_path / name).mkdir()
        rows = ["path,label,speaker"]
        for i, (spk, label) in enumerate((s, e) for s in speakers for e in "ab"):
            path = tmp_path / name / f"{i}.wav"
            noise = np.random.default_rng([i, len(name)]).normal(size=4000)
            soundfile.write(path, 0.1 * noise, 16000)
            rows.append(f"{path},{label},{spk}")
        table = tmp_path / name / "t.csv"
        table.write_text("\n".join([*rows, ""]))
        folders[name] = tmp_path / "data" / name
        prepare_table(table, folders[name], labels)
    with pytest.raises(SerError, match="c_x_1 would be a speaker or session of c and of c_x"):
        prepare_cross(folders, tmp_path / "out", labels)


def test_one_recording_in_two_corpora_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    twice = {**folders, "emodb_again": folders["emodb"]}
    with pytest.raises(SerError, match=r"\.wav, as does the corpus emodb; expected each record"):
        prepare_cross(twice, tmp_path / "out", MERGED)


def test_a_relative_path_is_read_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_emodb(tmp_path / "EmoDB")
    monkeypatch.chdir(tmp_path)
    prepare_corpus("emodb", Path("EmoDB"), Path("data/ser"), FIVE)
    wavs = read_data_dir(Path("data/ser"))["wav.scp"].values()
    assert all(wav.startswith(f"{tmp_path}/EmoDB/wav/") for wav in wavs)


def test_a_label_that_the_map_lacks(folders: dict[str, Path], tmp_path: Path) -> None:
    labels = LabelsConfig(classes={"negative": ["angry"], "other": ["neutral"]}, exclude=["sad"])
    with pytest.raises(
        SerError, match=r"the label '\w+' of crema_d_1001-\S+ and 19 more: neither in a cl"
    ):
        prepare_cross(folders, tmp_path / "out", labels)


def test_a_corpus_that_is_not_prepared(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(SerError, match="none: not there or not whole"):
        prepare_cross({**folders, "tess": tmp_path / "none"}, tmp_path / "out", MERGED)


def test_one_corpus_is_no_cross(tmp_path: Path) -> None:
    (tmp_path / "cross.yaml").write_text("corpora:\n  emodb: ../emodb/data/ser\n")
    with pytest.raises(SerError, match="corpora"):
        load_config(tmp_path / "cross.yaml", CrossConfig)


def test_dialogues_of_two_corpora_are_not_one(tmp_path: Path) -> None:
    folders = {}
    for name in ("a", "b"):
        lines = ["path,label,speaker,dialogue"]
        for speaker, label in (("ann", "sad"), ("bob", "happy")):
            plant_audio(tmp_path / name / f"{speaker}.wav", seconds=0.2 + len(folders) / 10)
            lines.append(f"{speaker}.wav,{label},{speaker},{'d1' if speaker == 'ann' else ''}")
        (tmp_path / name / "t.csv").write_text("\n".join(lines))
        folders[name] = tmp_path / f"data_{name}"
        prepare_table(tmp_path / name / "t.csv", folders[name], FIVE_WITHOUT)
    prepare_cross(folders, tmp_path / "both", FIVE_WITHOUT)
    dialogues = read_data_dir(tmp_path / "both")["utt2dialogue"]
    assert sorted(set(dialogues.values())) == ["", "a_d1", "b_d1"]
