"""Whether a folder was made with what a configuration file says now: by value and by order."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ser.base.errors import SerError
from ser.base.record import (
    Stage,
    StageRecord,
    first_difference,
    read_record,
    recipe_of,
    require,
    rerun_hint,
)
from ser.config.features import load_features
from ser.config.labels import LabelsConfig
from ser.config.load import load_config, validate
from ser.config.pretraining import load_pretraining
from ser.config.protocol import ProtocolConfig, under_protocol
from ser.config.schema import BpeConfig, PretrainConfig, SystemConfig
from ser.config.section import Section
from ser.config.systems import load_system, system_path


def difference(made: Mapping[str, Any], now: Section) -> str:
    """In what a configuration is another than a record says; empty where it is the same.

    Keys that an earlier version did not have are as they were then, by their default.
    """
    return first_difference(_as_recorded(made, now), _plain(now))


def require_labels_of_features(
    feats: Path, made: StageRecord, labels: LabelsConfig, path: Path
) -> None:
    """Checks classes against those of the data directories that features were made from.

    Args:
        feats: A folder of stage 1.
        made: Its record.
        labels: The classes.
        path: Where they are written, for messages.

    Raises:
        SerError: The data directory has other classes, or another corpus label in one of them.
    """
    for data in _data_of(feats, made):
        require_labels_of_data(data, labels, path)


def _data_of(feats: Path, made: StageRecord) -> list[Path]:
    """The data directories that features were made from, as far as they are still there."""
    folders = [recipe_of(feats) / name for name in made["inputs"]]
    return [folder for folder in folders if (folder / "run.json").exists()]


def labels_of(conf: Path, feats: Path, made: StageRecord) -> LabelsConfig:
    """``<conf>/labels.yaml``, which must be that of features of stage 1.

    Raises:
        SerError: It is wrong, or the features were made with another.
    """
    path = conf / "labels.yaml"
    labels = load_config(path, LabelsConfig)
    require_labels_of_features(feats, made, labels, path)
    return labels


def require_labels_of_data(data: Path, labels: LabelsConfig, path: Path) -> None:
    """Checks classes against those of a data directory of stage 0.

    Raises:
        SerError: It has other classes, or another corpus label in one of them.
    """
    made = read_record(data)["config"].get("labels")
    if made is not None:
        _require(data, Stage.DATA, made, path, labels)


def require_labels_of_run(run: Path, labels: LabelsConfig) -> None:
    """Checks classes against those of the features of a run, where these are still there.

    Raises:
        SerError: They were made with other classes since the run was trained.
    """
    for name, identity in read_record(run)["inputs"].items():
        feats = recipe_of(run) / name
        if (feats / "run.json").exists():
            record = read_record(feats)
            if (record["stage"], record["identity"]) == (Stage.FEATURES, identity):
                for data in _data_of(feats, record):
                    _require_same_labels(run, labels, data)


def _require_same_labels(run: Path, labels: LabelsConfig, data: Path) -> None:
    found = read_record(data)["config"].get("labels")
    if found is not None and (
        changed := first_difference(labels.record(), _as_recorded(found, labels))
    ):
        raise SerError(
            f"{data}: not the classes that {run} was trained on: {changed}; expected the former; "
            "put labels.yaml back and rerun from stage 0, or train again: "
            f"{rerun_hint(Stage.FINETUNE, run)} --force"
        )


def require_labels_of_recipe(run: Path, labels: LabelsConfig) -> None:
    """Checks ``labels.yaml`` of the recipe that a run lies in, if any, against the run's classes.

    Args:
        run: ``exp/<system>/seed1/fold1``, or the same in the experiment of another configuration.
        labels: The classes that it was trained on.

    Raises:
        SerError: They are others.
    """
    experiment, recipe = run.parents[2], recipe_of(run)
    name = experiment.name
    conf = recipe / "conf" if experiment == recipe / "exp" else recipe / "conf" / name
    path = conf / "labels.yaml"
    if experiment in (recipe / "exp", recipe / "exp" / name) and path.exists():
        _require(run, Stage.FINETUNE, _plain(labels), path, load_config(path, LabelsConfig))


def require_system_of_run(run: Path, conf: Path, name: str) -> None:
    """Checks ``<conf>/systems/<name>.yaml`` against a finished run of it.

    Args:
        run: Its folder; of a system without a network the folder of its vectors.
        conf: The recipe's configuration.
        name: The system.

    Raises:
        SerError: It is another system.
    """
    made = read_record(run)["config"]
    if not made:  # nothing was recorded
        return
    path, system = system_path(conf, name), load_system(conf, name)
    if isinstance(system, SystemConfig):
        record = run / "run.json"
        protocol = validate(record, ProtocolConfig, made.get("protocol"))
        trained = under_protocol(name, system, protocol, record)
        _require(run, Stage.FINETUNE, made.get("system", {}), path, trained)
    else:
        _require(run, Stage.PREDICT, made, path, system)


def require_features(feats: Path, made: StageRecord, conf: Path) -> None:
    """Checks ``<conf>/fbank.yaml`` against the record of features of stage 1.

    Raises:
        SerError: They are others.
    """
    _require(feats, Stage.FEATURES, made["config"], conf / "fbank.yaml", load_features(conf))


def require_bpe(bpe: Path, made: StageRecord, conf: Path) -> None:
    """Checks ``<conf>/bpe.yaml`` against the record of stage 2, where this recipe made it.

    Raises:
        SerError: It is another one.
    """
    path = conf / "bpe.yaml"
    if _same_recipe(bpe, conf) and path.exists():
        _require(bpe, Stage.BPE, made["config"], path, load_config(path, BpeConfig))


def require_encoder(encoder: Path, made: StageRecord, conf: Path) -> None:
    """Checks ``<conf>/pretrain/<name>.yaml`` against the record of stage 3, where it is of here.

    Raises:
        SerError: It is another one.
    """
    path = conf / "pretrain" / f"{encoder.name}.yaml"
    if _same_recipe(encoder, conf) and path.exists():
        now = load_pretraining(conf, encoder.name)
        _require(encoder, Stage.PRETRAIN, made["config"], path, now)


def require_subsets(data: Path, config: PretrainConfig, path: Path) -> None:
    """Checks ``data/asr_train`` against the subsets that a pre-training expects.

    Args:
        data: The data directory.
        config: The pre-training.
        path: Its ``conf/pretrain/<name>.yaml``.

    Raises:
        SerError: Some are missing, and the configuration does not allow it.
    """
    missing = require(data, Stage.DATA)["notes"].get("missing_subsets", [])
    if missing and not config.allow_missing_subsets:
        raise SerError(
            f"{data}: LibriSpeech's {', '.join(missing)} are missing; {path} expects all; restore "
            "them and rerun from stage 0, or set allow_missing_subsets: true"
        )


def _same_recipe(folder: Path, conf: Path) -> bool:
    """Whether a folder lies in the recipe of ``conf``, or in the current folder's recipe."""
    return recipe_of(folder).resolve() in (recipe_of(conf).resolve(), Path.cwd())


def _require(folder: Path, stage: int, made: Mapping[str, Any], path: Path, now: Section) -> None:
    if changed := difference(made, now):
        force = " --force" if stage in (Stage.PRETRAIN, Stage.FINETUNE) else ""  # a training stays
        raise SerError(
            f"{path}: {changed}; expected the former, with which stage "
            f"{stage} made {folder}; put it back, or make the folder anew: "
            f"{rerun_hint(stage, folder)}{force}"
        )


def _plain(config: Section) -> dict[str, Any]:
    return config.record() if isinstance(config, LabelsConfig) else config.model_dump()


def _as_recorded(made: Mapping[str, Any], now: Section) -> dict[str, Any]:
    """What a record says, with the keys that an earlier version did not have as they were then."""
    known = {key: value for key, value in made.items() if key in type(now).model_fields}
    try:
        return _plain(type(now).model_validate(known))
    except ValidationError:  # of another type
        return known
