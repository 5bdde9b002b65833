"""A corpus without words trains everything but CTC, and says so."""

from pathlib import Path
from typing import Any

import pytest
from tiny import SYSTEMS, system_config, write_config

from ser.base.errors import SerError
from ser.config.baselines import FunctionalsConfig, WordsConfig
from ser.data.trainable import trainable_systems

CONTROLS = ("words_of_mtl", "egemaps_svm")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for name in SYSTEMS:
        write_config(tmp_path / "systems" / f"{name}.yaml", system_config(name))
    write_config(
        tmp_path / "baselines" / "words_of_mtl.yaml", WordsConfig(words_of="transformer_tl_mtl")
    )
    svm = FunctionalsConfig(functionals="eGeMAPSv02", costs=[1.0], num_cost_folds=2)
    write_config(tmp_path / "baselines" / "egemaps_svm.yaml", svm)
    return tmp_path


def feats(folder: Path, text: str) -> Path:
    (folder / "text").write_text(text)
    return folder


def test_without_words(conf: Path, tmp_path: Path, log: Any) -> None:
    silent = feats(tmp_path, "a-1\na-2\n")
    kept = trainable_systems(conf, [*SYSTEMS, *CONTROLS], silent)
    assert kept == ["cnn_blstm_sa", "transformer", "transformer_tl", "egemaps_svm"]
    (line,) = log.lines
    assert "no words; left out: transformer_tl_mtl words_of_mtl" in line
    assert trainable_systems(conf, ["transformer"], silent) == ["transformer"]
    assert len(log.lines) == 1
    with pytest.raises(SerError, match="no words; needed for transformer_tl_mtl"):
        trainable_systems(conf, ["transformer_tl_mtl"], silent)


def test_with_some_words_or_before_stage_1(conf: Path, tmp_path: Path) -> None:
    assert trainable_systems(conf, SYSTEMS, feats(tmp_path, "a-1\na-2 HI\n")) == list(SYSTEMS)
    assert trainable_systems(conf, SYSTEMS, tmp_path / "none") == list(SYSTEMS)
