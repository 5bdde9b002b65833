"""A name that would be another file, column or line is refused where it enters, or escaped."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from programs import call
from pydantic import ValidationError
from tiny import write_config
from tiny_recipe import CONF, EXP

from ser.base.errors import Faults, SerError
from ser.base.files import read_json, with_digest
from ser.base.log import log_to_console, logger
from ser.base.names import CLASS, CONFIGURATION, ENCODER, EXPERIMENT, FOLD, SYSTEM, UTTERANCE, Name
from ser.base.writing import write_json
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.pretraining import load_pretraining
from ser.config.systems import load_system
from ser.corpus.prepare import prepare_table
from ser.infer.loading import load
from ser.infer.package import MANIFEST
from ser.release.export import export_onnx

HOSTILE = ("nl\nerror: forged.wav", "cr\rx.wav", "esc\x1b[2J.wav", "tab\tx.wav", "\u2028ls.wav")
TURNED = "\u202egnp.wav"


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (
            SYSTEM,
            ("cnn_blstm_sa", "my-net.2", "Ä"),
            ("figures", "Folds", "../x", "a b", ".x", "-x"),
        ),
        (CONFIGURATION, ("whisper",), ("fbank", "bpe", "figures.partial", "")),
        (ENCODER, ("ctc", "bpe"), ("encoded", "../ctc")),
        (FOLD, ("1", "Ses01F", "a.b"), ("", "..", "a/b", "two words", "x" * 201, "a\x00b")),
        (UTTERANCE, ("a-1", "a/b"), ("a b", "a\tb", "a\u2028b", "\udcff")),
        (CLASS, ("very happy", r"$\bad$", "<b>", "c\u00e9\u200d"), ("a\tb", " a", "", "a\x1bb")),
    ],
)
def test_what_names_may_hold(kind: Name, right: tuple[str, ...], wrong: tuple[str, ...]) -> None:
    assert {name: kind.fault(name) for name in right if not kind.fits(name)} == {}
    for name in wrong:
        assert kind.fault(name).startswith(f"the {kind.what} "), name


@pytest.mark.usefixtures("recipe")
def test_a_system_is_not_written_over_what_is_ours() -> None:
    """Every folder that the stages write beside the systems is known."""
    written = {path.name for path in EXP.iterdir() if not path.name.startswith(".")}
    assert written <= EXPERIMENT
    for name in (*written, "../cnn_blstm_sa"):
        place = CONF / "systems" / f"{name}.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CONF / "systems" / "transformer.yaml", place)
        with pytest.raises(SerError, match=r"^conf/systems: the system '.*; rename it$"):
            load_system(CONF, name)
        words = ["--systems", name, "--stage", 4, "--stop-stage", 4]
        said = call("doctor", *words)
        assert said.status == 1 and "rename it" in said.err
    with pytest.raises(SerError, match=r"^conf/pretrain: the encoder 'encoded' is reserved"):
        load_pretraining(CONF, "encoded")
    shutil.copytree(CONF, CONF / "bpe")
    said = call("doctor", "--conf", CONF / "bpe", "--systems", "transformer")
    assert "--conf conf/bpe: the configuration 'bpe' is reserved" in said.err


@pytest.mark.parametrize(
    "classes", [{"a\tng": ["a"], "b": ["b"]}, {"a": ["a\nb"], "b": ["b"]}, {" a": ["a"], "b": []}]
)
def test_classes_and_labels_that_no_table_holds(
    tmp_path: Path, classes: dict[str, list[str]]
) -> None:
    path = tmp_path / "labels.yaml"
    write_config(path, LabelsConfig.model_construct(classes=classes, exclude=[]))
    with pytest.raises(SerError, match=r"labels\.yaml: the (class|label) .* rename it$") as error:
        load_config(path, LabelsConfig)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("scene", "kitchen\tdoor", "utt2scene has 'kitchen\\tdoor'"),
        ("label", "hap\x1b", "the label 'hap\\x1b' holds a character that is not shown"),
        ("votes", "three", "s-hap: utt2votes has 'three'; expected votes such as E1=ang"),
    ],
)
def test_stage_0_refuses_what_stage_6_could_not_read(
    tmp_path: Path, column: str, value: str, message: str
) -> None:
    rows = []
    for label in ("hap", "sad"):
        samples = np.random.default_rng(len(rows)).normal(size=16000)
        soundfile.write(tmp_path / f"{label}.wav", 0.1 * samples, 16000)
        rows.append({"path": f"{label}.wav", "label": label, "speaker": "s", column: ""})
        rows[-1]["label"] = label
    rows[0][column] = value
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    table = tmp_path / "t.csv"
    table.write_text("".join(f"{line}\n" for line in lines))
    labels = LabelsConfig(classes={"hap": ["hap"], "sad": ["sad"]}, exclude=[])
    with pytest.raises(SerError) as error:
        prepare_table(table, tmp_path / "data", labels)
    assert message in str(error.value)
    assert not (tmp_path / "data").exists()


def test_an_error_is_one_line_whatever_it_names() -> None:
    for name in (*HOSTILE, TURNED):
        line = str(SerError(f"{name}: wrong"))
        assert line.isprintable() and len(line.splitlines()) == 1
    faults = Faults()
    for name in HOSTILE:
        faults.add(f"{name}: wrong")
    with pytest.raises(SerError) as error:
        faults.raise_any()
    assert len(str(error.value).splitlines()) == 1 + len(HOSTILE)
    assert "error: forged" in str(error.value) and "\nerror: forged" not in str(error.value)


def test_a_logged_name_makes_no_other_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_console()
    logger.warning("%s: %s of them", Path(HOSTILE[0]), 2)
    assert capsys.readouterr().err == "warning: nl\\nerror: forged.wav: 2 of them\n"


@pytest.mark.parametrize("form", ["table", "tsv", "jsonl"])
def test_ser_predict_prints_a_line_a_file(package: Path, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "names"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in (*HOSTILE, TURNED, "plain é.wav"):
        soundfile.write(folder / name, 0.1 * random.normal(size=16000), 16000)
    (folder / "bad\nerror: forged line.wav").write_bytes(b"no audio")
    said = call("ser_predict", package, folder, "--format", form)
    lines = said.out.splitlines()
    assert len(lines) == len(HOSTILE) + 2 + (form != "jsonl")
    assert all(line.replace("\t", "").isprintable() for line in lines)
    if form == "tsv":
        assert len({line.count("\t") for line in lines}) == 1
    assert "plain é.wav" in said.out
    errors = [line for line in said.err.splitlines() if "error: " in line]
    assert len(errors) == 1 and errors[0].startswith("error: ") and said.status == 1


def test_a_nul_in_a_wav_scp_is_one_line(package: Path, tmp_path: Path) -> None:
    wav = tmp_path / "good.wav"
    soundfile.write(wav, 0.1 * np.random.default_rng(0).normal(size=16000), 16000)
    listed = tmp_path / "list.scp"
    listed.write_bytes(b"a /none/a\0b.wav\nb " + os.fsencode(wav) + b"\n")
    said = call("ser_predict", package, listed, "--format", "tsv")
    assert said.status == 1
    assert (
        f"error: {listed}:1: '/none/a\\x00b.wav'; expected a path, which holds no NUL" in said.err
    )
    assert len(said.out.splitlines()) == 2, "the other one goes on"


@pytest.mark.parametrize(
    "name",
    ["\u0645\u06cc\u200c\u062e\u0646\u062f\u062f", "so\u00a0so", "\U0001f468\u200d\U0001f469"],
)
def test_a_package_takes_the_classes_and_folds_that_training_took(
    name: str, package: Path, tmp_path: Path
) -> None:
    manifest = read_json(package / MANIFEST)
    member = f"fold{name}.safetensors"
    (package / "fold1.safetensors").rename(package / member)
    manifest["digests"][member] = manifest["digests"].pop("fold1.safetensors")
    manifest |= {"labels": [name, *manifest["labels"][1:]], "members": [member]}
    write_json(package / MANIFEST, with_digest(manifest))
    model = load(package)
    assert model.labels[0] == name
    export_onnx(model, tmp_path / "model.onnx", False, False)
    assert load(tmp_path / "model.onnx").labels == model.labels


def test_a_class_has_an_end() -> None:
    values = {"classes": {"a" * 201: ["x"], "b": ["y"]}, "exclude": []}
    with pytest.raises(ValidationError, match="has 201 characters; expected at most 200"):
        LabelsConfig.model_validate(values)
