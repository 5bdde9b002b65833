"""Every shipped file of the configuration loads, fits its recipe, and differs in what it says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tracked import ROOT, own

from ser.base.record import flatten
from ser.config.baselines import FunctionalsConfig, WordsConfig
from ser.config.features import FbankConfig, load_features
from ser.config.labels import CountsConfig, LabelsConfig
from ser.config.load import load_config
from ser.config.network import TransformerConfig
from ser.config.pretraining import encoders_needed, load_pretraining, needs_read_speech
from ser.config.protocol import ProtocolConfig
from ser.config.schema import BpeConfig, PretrainConfig, SystemConfig
from ser.config.section import Section
from ser.config.systems import load_system, load_trained_system
from ser.config.yaml_file import read_yaml
from ser.corpus.cross import CrossConfig

EGS = ROOT / "egs"
MODELS: dict[str, type[BaseModel]] = {
    "fbank.yaml": FbankConfig,
    "bpe.yaml": BpeConfig,
    "labels.yaml": LabelsConfig,
    "counts.yaml": CountsConfig,
    "cross.yaml": CrossConfig,
    "encoder.yaml": TransformerConfig,
    "protocol/*.yaml": ProtocolConfig,
    "pretrain/*.yaml": PretrainConfig,
    "systems/*.yaml": SystemConfig,
    "tuning/*.yaml": SystemConfig,
}
CONFS = own(EGS, "*/conf", "*/conf/plus")
# Those that start from a published encoder.
PUBLISHED = own(EGS, "*/conf/whisper*")
SHIPPED = [
    (path, model)
    for conf in CONFS
    for pattern, model in MODELS.items()
    for path in own(conf, pattern)
]
ELSEWHERE = {"paper_results.yaml"}  # read by ser.score
CONTROLS = own(EGS, "*/conf/baselines/*.yaml", "*/conf/ablations/*.yaml")
VARIANTS = own(EGS, "*/conf/tuning/*.yaml")


@pytest.mark.parametrize(
    ("path", "model"), [pytest.param(*s, id=str(s[0].relative_to(EGS))) for s in SHIPPED]
)
def test_shipped_file_loads(path: Path, model: type[BaseModel]) -> None:
    load_config(path, model)


@pytest.mark.parametrize("conf", CONFS, ids=lambda path: str(path.relative_to(EGS)))
def test_no_shipped_file_is_forgotten(conf: Path) -> None:
    known = {path for path, _ in SHIPPED}
    files = {path for path in own(conf, "**/*.yaml") if path.name not in ELSEWHERE}
    files -= {path for path in files if any(other in path.parents for other in PUBLISHED)}
    files -= set(CONTROLS)
    assert files <= known
    absent = {pattern for pattern in MODELS if not own(conf, pattern)}
    assert absent <= {"counts.yaml", "cross.yaml", "tuning/*.yaml"}


def test_every_key_stands_in_a_shipped_file() -> None:
    """Whoever looks for an option finds it in use."""

    def subclasses(model: type[Section]) -> Iterator[type[Section]]:
        for sub in model.__subclasses__():
            yield sub
            yield from subclasses(sub)

    lines = (path.read_text() for path in own(EGS, "*/conf/**/*.yaml"))
    shown = {key for text in lines for key in re.findall(r"^ *-? *(\w+):", text, re.MULTILINE)}
    models = [m for m in subclasses(Section) if m.__module__.startswith("ser.config.")]
    models.append(CrossConfig)  # packages and ONNX files have sections of their own
    assert {f"{m.__name__}.{key}" for m in models for key in set(m.model_fields) - shown} == set()


@pytest.mark.parametrize("conf", CONFS, ids=lambda path: str(path.relative_to(EGS)))
def test_the_files_of_a_recipe_fit_together(conf: Path) -> None:
    fbank = load_config(conf / "fbank.yaml", FbankConfig)
    systems = {path.stem: load_config(path, SystemConfig) for path in own(conf, "systems/*.yaml")}
    for system in systems.values():
        assert system.model.num_mel_bins == fbank.num_mel_bins
        if system.init != "scratch":
            pretrain = load_config(conf / "pretrain" / f"{system.init}.yaml", PretrainConfig)
            assert system.model == pretrain.encoder


@pytest.mark.parametrize("conf", PUBLISHED, ids=lambda path: str(path.relative_to(EGS)))
def test_what_starts_from_a_published_encoder_fits_together(conf: Path) -> None:
    """All that is there loads, is of the encoder's size, and is made for Whisper's features."""
    features = load_features(conf)
    assert (features.type, features.normalisation) == ("whisper", "none")
    load_config(conf / "bpe.yaml", BpeConfig)
    assert load_config(conf / "labels.yaml", LabelsConfig) == load_config(
        conf.parent / "labels.yaml", LabelsConfig
    )
    for path in own(conf, "protocol/*.yaml"):
        load_config(path, ProtocolConfig)
    folders = ("systems", "baselines", "ablations", "tuning")
    names = [path.stem for folder in folders for path in own(conf / folder, "*.yaml")]
    assert {"transformer", "transformer_tl", "whisper_probe"} <= set(names)
    for name in names:
        system = load_system(conf, name)
        encoders = encoders_needed(conf, [name])
        if isinstance(system, SystemConfig):
            assert system.model.num_mel_bins == features.num_mel_bins
            assert all(encoder.encoder == system.model for encoder in encoders.values())
    for path in own(conf, "pretrain/*.yaml"):
        assert load_pretraining(conf, path.stem).encoder.num_mel_bins == features.num_mel_bins
    # What runs unless --systems names others takes minutes and needs the weights alone.
    assert [path.stem for path in own(conf, "systems/*.yaml")] == ["transformer_tl"]
    assert not needs_read_speech(conf, ["transformer_tl"])
    assert load_system(conf, "transformer_tl").optimizer.frozen == ["encoder"]


@pytest.mark.parametrize("conf", CONFS, ids=lambda path: str(path.relative_to(EGS)))
def test_transformers_differ_in_init_and_alpha_alone(conf: Path) -> None:
    names = ("transformer", "transformer_tl", "transformer_tl_mtl")
    files = [read_yaml(conf / "systems" / f"{name}.yaml") for name in names]
    told = [(file.pop("init"), file.pop("ctc_alpha") > 0) for file in files]
    if conf.name == "plus":  # of use to a pre-trained encoder alone
        assert [file["optimizer"].pop("layer_lr_decay", 1.0) < 1 for file in files] == [
            False,
            True,
            True,
        ]
    assert told == [("scratch", False), (told[1][0], False), (told[1][0], True)]
    assert told[1][0] != "scratch"
    assert files[0] == files[1] == files[2]


def test_plus_differs_from_the_paper_in_training_alone() -> None:
    """The same features, tokens, classes and networks; what the paper leaves off is on."""
    conf = EGS / "iemocap" / "conf"
    for name in ("fbank.yaml", "bpe.yaml", "labels.yaml", "encoder.yaml", "protocol/paper.yaml"):
        assert read_yaml(conf / "plus" / name) == read_yaml(conf / name)
    for name in (path.name for path in own(conf, "systems/*.yaml")):
        paper, plus = (
            load_config(folder / "systems" / name, SystemConfig) for folder in (conf, conf / "plus")
        )
        assert (paper.model, paper.ctc_alpha) == (plus.model, plus.ctc_alpha)
        assert paper.training.batch_size_utts == plus.training.batch_size_utts
        for training in (paper.training, plus.training):
            on = training is plus.training
            assert (training.spec_augment is not None) == on
            assert training.speed_factors == ([0.9, 1.1] if on else [])
            assert training.precision == ("bfloat16" if on else "float32")
            assert (training.average_epochs > 1) == on


@pytest.mark.parametrize("path", CONTROLS, ids=lambda path: str(path.relative_to(EGS)))
def test_controls_differ_from_their_system_in_what_their_name_says(path: Path) -> None:
    conf, name = path.parents[1], path.stem
    control = load_system(conf, name)
    if name == "words_of_mtl":
        assert control == WordsConfig(words_of="transformer_tl_mtl")
        return
    if name == "egemaps_svm":
        assert isinstance(control, FunctionalsConfig)
        return
    assert isinstance(control, SystemConfig)
    system = load_trained_system(
        conf, "transformer_tl" if name[:2] == "tl" else "transformer_tl_mtl"
    )
    differing = {
        key: value
        for key, value in flatten(control.model_dump()).items()
        if value != flatten(system.model_dump())[key]
    }
    differing.pop("ctc.max_too_short_prob", None)
    kind, _, number = name.removeprefix("mtl_").partition("_")
    expected: dict[str, Any] = {
        "shuffled": {"ctc.targets": "shuffled"},
        "random": {"ctc.targets": "random"},
        "tl": {"init": "shuffled"},
        "token": {},
        "utterance": {"ctc.normalisation": "per_utterance"},
    }[kind]
    if number.isdecimal():
        expected["ctc_alpha"] = int(number) / 10
    if expected.get("ctc_alpha") == system.ctc_alpha:
        del expected["ctc_alpha"]
    assert differing == expected
    if control.init == "shuffled":
        real, shuffled = (
            load_config(conf / "pretrain" / f"{n}.yaml", PretrainConfig)
            for n in ("ctc", "shuffled")
        )
        assert shuffled.ctc.targets == "shuffled"
        assert shuffled.model_copy(update={"ctc": real.ctc}) == real


@pytest.mark.parametrize("path", VARIANTS, ids=lambda path: str(path.relative_to(EGS)))
def test_variants_differ_from_their_system_in_what_their_name_says(path: Path) -> None:
    name, factor, what = path.stem.rsplit("_", 2)
    variant = load_trained_system(path.parents[1], path.stem).model_dump()
    system = load_trained_system(path.parents[1], name).model_dump()
    section, key = {
        "rate": ("optimizer", "learning_rate"), "epochs": ("training", "max_epochs")
    }[what]  # fmt: skip
    system[section][key] *= {"half": 0.5, "double": 2, "triple": 3}[factor]
    assert variant == system


def test_counts_of_iemocap_are_the_published_ones() -> None:
    path = EGS / "iemocap" / "conf" / "counts.yaml"
    counts = load_config(path, CountsConfig)
    labels = load_config(path.with_name("labels.yaml"), LabelsConfig)

    def total(key: str) -> int:
        return sum(row[key] for row in counts.sessions.values())

    assert {key: total(key) for key in ("ang", "hap", "exc", "neu", "sad")} == {
        "ang": 1103,
        "hap": 595,
        "exc": 1041,
        "neu": 1708,
        "sad": 1084,
    }
    for row in counts.sessions.values():
        assert sum(row[key] for key in labels.class_of) == row["female"] + row["male"]
    assert total("female") + total("male") == 5531
    assert counts.labelled_utterances == 10039
