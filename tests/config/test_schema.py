"""What the models of the configuration refuse and accept."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from tiny import ctc_config, system_config, training_config

import ser
from ser.base.errors import SerError
from ser.config.features import FbankConfig
from ser.config.labels import CountsConfig, LabelsConfig
from ser.config.load import load_config
from ser.config.network import WhisperConfig
from ser.config.pretraining import require_same_head
from ser.config.protocol import ProtocolConfig
from ser.config.schema import BpeConfig, CtcConfig, PretrainConfig, SystemConfig, TrainingConfig
from ser.config.systems import load_system, load_trained_system
from ser.config.yaml_file import NAMED, read_yaml
from ser.corpus.cross import CrossConfig

EGS = Path(ser.__file__).parents[1] / "egs"


def test_maps_of_the_user_s_names_are_not_merged() -> None:
    models = [LabelsConfig, CountsConfig, ProtocolConfig, CrossConfig, SystemConfig, PretrainConfig]
    maps = {
        name
        for model in (*models, FbankConfig, BpeConfig)
        for name, field in model.model_fields.items()
        if str(field.annotation).startswith("dict[")
    }
    assert maps == NAMED


def test_a_system_that_is_neither_here_nor_there_is_named() -> None:
    conf = EGS / "mini" / "conf"
    with pytest.raises(
        SerError, match=r"systems/none.yaml: no such system; expected .*tl_shuffled"
    ):
        load_system(conf, "none")
    with pytest.raises(
        SerError, match="words_of_mtl: a baseline, which stage 5 fits; name a system that"
    ):
        load_trained_system(conf, "words_of_mtl")


FBANK = read_yaml(EGS / "iemocap" / "conf" / "fbank.yaml")
LABELS: dict[str, Any] = {"classes": {"ang": ["ang"], "hap": ["hap", "exc"]}, "exclude": ["xxx"]}
WHISPER = read_yaml(EGS / "ravdess" / "conf" / "whisper" / "encoder.yaml")
CTC = ctc_config().model_dump()
PROTOCOL = {"fold_unit": "session", "num_folds": 5, "validation": "none", "selection": "last"}


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        (FbankConfig, FBANK | {"high_freq_hz": 8000.1}, "expected low < high <= 8000.0, half"),
        (FbankConfig, FBANK | {"low_freq_hz": 8000.0}, "low_freq_hz 8000.0 and high_freq_hz 8000"),
        (FbankConfig, FBANK | {"num_mel_bins": 0}, "num_mel_bins"),
        (
            TrainingConfig,
            training_config().model_dump() | {"speed_factors": [1.1, 1.1000001]},
            "expected each once, to ",
        ),
        (
            TrainingConfig,
            training_config().model_dump() | {"average_epochs": 1000},
            "average_epochs 1000 of max_epochs",
        ),
        (WhisperConfig, WHISPER | {"d_model": 2, "num_heads": 1}, "greater than or equal to 4"),
        (CtcConfig, CTC | {"head": {"kernel_sizes": [4]}}, "a kernel of 4; expected an odd number"),
        (LabelsConfig, LABELS | {"exclude": ["exc"]}, r"labels \['exc'\] occur twice"),
        (LabelsConfig, LABELS | {"classes": {"a": ["x"], "b": ["x"]}}, r"\['x'\] occur twice"),
        (LabelsConfig, LABELS | {"classes": {"ang": ["ang"]}}, "1 classes; expected two or more"),
        (ProtocolConfig, PROTOCOL | {"selection": "best_valid_ua"}, "nothing is selected on a tes"),
        (ProtocolConfig, PROTOCOL | {"num_folds": 1}, "num_folds"),
        (
            ProtocolConfig,
            PROTOCOL | {"validation": "next_fold", "num_folds": 2},
            "leaves 0 folds to train on; expected 3 or more",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    model: type[BaseModel], values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        model.model_validate(values)


def test_what_they_were_made_of_is_accepted() -> None:
    FbankConfig.model_validate(FBANK)
    labels = LabelsConfig.model_validate(LABELS)
    assert labels.names == ("ang", "hap")
    assert labels.class_of == {"ang": "ang", "hap": "hap", "exc": "hap"}
    ProtocolConfig.model_validate(PROTOCOL)
    ProtocolConfig.model_validate(PROTOCOL | {"validation": "next_fold", "num_folds": 3})


@pytest.mark.parametrize(("key", "value"), [("init", "ctc"), ("ctc_alpha", 0.6)])
def test_the_baseline_has_no_pretraining_and_no_ctc(tmp_path: Path, key: str, value: str) -> None:
    text = (EGS / "mini" / "conf" / "systems" / "cnn_blstm_sa.yaml").read_text()
    text, count = re.subn(rf"(?m)^{key}: .*$", f"{key}: {value}", text)
    assert count == 1
    path = tmp_path / "cnn_blstm_sa.yaml"
    path.write_text(text)
    with pytest.raises(SerError, match="has neither pre-training nor a CTC head") as error:
        load_config(path, SystemConfig)
    assert str(error.value).startswith(f"{path}: cnn_blstm_sa with ")


def test_what_0_1_0_did_not_have_is_recorded_where_it_is_on() -> None:
    """Or its finished runs would count as others."""
    assert "label_smoothing_prob" not in system_config("transformer").model_dump()
    smoothed = system_config("transformer", label_smoothing_prob=0.1).model_dump()
    assert SystemConfig.model_validate(smoothed).label_smoothing_prob == 0.1
    assert "head" not in ctc_config().model_dump()
    convolutional = ctc_config(head={"kernel_sizes": [5]}).model_dump()
    assert CtcConfig.model_validate(convolutional).head.kernel_sizes == [5]


def test_a_ctc_head_needs_a_recogniser_to_start_from() -> None:
    require_same_head("tl", system_config("transformer_tl"), None)
    mtl = system_config("transformer_tl_mtl")
    assert mtl.ctc_alpha
    require_same_head("mtl", mtl, mtl.ctc.head)
    with pytest.raises(SerError, match=r"mtl: ctc_alpha .* gives an encoder without a CTC head"):
        require_same_head("mtl", mtl, None)
