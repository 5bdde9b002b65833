"""Whether what a call of ``run.sh`` takes from earlier stages is there, whole and not stale."""

from collections.abc import Callable, Iterator
from pathlib import Path

from ser.base.errors import SerError
from ser.base.log import logger
from ser.base.paths import MOVED_ASIDE
from ser.base.record import (
    Record,
    Stage,
    StageRecord,
    earlier_record,
    first_difference,
    identity_of,
    read_record,
    read_started,
    require,
    require_outputs,
)
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.made_with import (
    difference,
    require_bpe,
    require_encoder,
    require_features,
    require_labels_of_data,
    require_subsets,
)
from ser.config.pretraining import start_of
from ser.config.protocol import ProtocolConfig, under_protocol
from ser.config.schema import SCRATCH, PretrainConfig
from ser.config.systems import load_system
from ser.doctor.findings import attempt
from ser.doctor.options import HERE, READ, SER, RunOptions
from ser.feats.speed_copies import speed_dir, speed_factors
from ser.kaldi.data_dir import require_data_dir
from ser.train.training_folder import has_begun

OTHER_DATA = f"trained on another {SER}"


def earlier_stages(asked: RunOptions) -> None:
    """What the first stages that are asked for read of those before them: whole and not stale."""

    def reads(made_by: int, *stages: int) -> bool:
        return asked.stage > made_by and any(map(asked.runs, stages))

    if asked.runs(0) and (SER / "run.json").exists():
        attempt(_replaced, asked)
    if reads(0, 1):
        for part in asked.parts:
            attempt(require_data_dir, Path("data") / part)
    if reads(0, 4, 5, 6) and (SER / "run.json").exists():
        attempt(_labels, asked)
    if asked.read_speech and reads(0, 2):
        attempt(require_data_dir, READ)
    speeds = speed_factors(asked.conf, asked.system_names)
    feats = {
        part: [speed_dir(asked.dump / part, factor) for factor in (1.0, *speeds.get(part, []))]
        for part in ("ser", "asr_train", "asr_valid")
    }
    if reads(1, 4, 5) and asked.networks:
        for folder in feats["ser"]:
            attempt(require, folder, Stage.FEATURES)
    if reads(1, 3, 4, 5, 6):
        for folder in (folder for part in asked.parts for folder in feats[part]):
            attempt(_as_configured, require_features, folder, asked.conf)
    if asked.trains_encoder and reads(1, 3):
        for folder in (*feats["asr_train"], *feats["asr_valid"]):
            attempt(require, folder, Stage.FEATURES)
    if asked.trains_encoder and asked.stage > 0 and any(map(asked.runs, (1, 2, 3))):
        for name, config in asked.encoders.items():
            if isinstance(config, PretrainConfig):
                path = asked.conf / "pretrain" / f"{name}.yaml"
                attempt(require_subsets, READ, config, path)
    if asked.recogniser == HERE:
        if (asked.trains_encoder and reads(2, 3)) or (asked.heads and reads(2, 4, 5)):
            attempt(require, asked.bpe, Stage.BPE)
            attempt(_as_configured, require_bpe, asked.bpe, asked.conf)
        if reads(3, 4, 5):
            systems = (load_system(asked.conf, name) for name in asked.system_names)
            for start in sorted({start_of(system) for system in systems} - {SCRATCH}):
                folder = asked.pretrain / start
                attempt(require, folder, Stage.PRETRAIN)
                attempt(_as_configured, require_encoder, folder, asked.conf)
    if reads(5, 6) and (asked.exp_dir / "folds" / "run.json").exists():
        attempt(_folds, asked)
    if asked.runs(4) and not asked.force:
        attempt(_runs_of_another_configuration, asked)
    if reads(5, 6):
        attempt(require, asked.exp_dir / "predictions", Stage.PREDICT)
    if asked.whole:
        tops = {Path("data"), Path("dump"), asked.experiment, asked.exp_dir}
        records = {path.resolve(): path for top in tops for path in top.rglob("run.json")}
        for path in sorted(records.values()):
            attempt(_as_written, path.parent)


def _runs_of_another_configuration(asked: RunOptions) -> None:
    others = [other for name in asked.networks for other in other_runs(asked, name)]
    if others:
        folder, changed = others[0]
        again = " and rerun from stage 0" if changed == OTHER_DATA else ""
        more = f", and so do {len(others) - 1} more folders" if len(others) > 1 else ""
        raise SerError(
            f"{folder}: holds another run ({changed}){more}; --force moves them aside and "
            f"starts anew; to keep them, undo the change{again}"
        )


def other_runs(asked: RunOptions, system: str) -> Iterator[tuple[Path, str]]:
    """The folders that ``claim_training_folder`` would refuse in stage 4, each with the reason.

    As far as the YAML shows.
    """
    protocol = load_config(asked.protocol, ProtocolConfig)
    config = under_protocol(system, asked.networks[system], protocol, asked.protocol)
    now = {
        "system": config.model_dump(),
        "labels": load_config(asked.conf / "labels.yaml", LabelsConfig).record(),
        "protocol": protocol.model_dump(),
    }
    features = _features_of_today(asked)
    for folder in _begun(asked, system):
        begun = read_started(folder)
        then = {key: begun["config"][key] for key in now if key in begun["config"]}
        same = {key: now[key] for key in then}  # as far as it was noted
        changed = first_difference(then, same)
        trained_on = begun["inputs"].get(str(asked.dump / "ser"), "")
        if not changed and features and trained_on not in ("", features):
            changed = OTHER_DATA
        if changed:
            yield folder, changed


def _features_of_today(asked: RunOptions) -> str:
    """The identity of what stage 1 made, or will make, of today's data; empty where not known."""
    if asked.runs(0):
        return ""
    feats = asked.dump / "ser"
    made, data = earlier_record(feats), earlier_record(SER)
    if made is None or data is None:
        return ""
    inputs = {**made["inputs"], str(SER): identity_of(data)}
    return Record(feats, Stage.FEATURES, made["config"], inputs).identity


def _as_configured(
    compare: Callable[[Path, StageRecord, Path], None], folder: Path, conf: Path
) -> None:
    if (folder / "run.json").exists():  # else ``require`` tells, where it is needed
        compare(folder, read_record(folder), conf)


def _as_written(folder: Path) -> None:
    record = read_record(folder)
    require_outputs(folder, record, record["stage"], whole=True)


def _begun(asked: RunOptions, system: str) -> Iterator[Path]:
    """The folders in which runs that are asked for have trained."""
    wanted = [f"fold{name}" for name in asked.folds.split()]
    for seed in asked.seeds.split():
        for folder in sorted((asked.exp_dir / system / f"seed{seed}").glob("fold*")):
            is_asked = folder.name in wanted if wanted else not MOVED_ASIDE.search(folder.name)
            if is_asked and (folder / "started.json").exists() and has_begun(folder):
                yield folder


def _labels(asked: RunOptions) -> None:
    path = asked.conf / "labels.yaml"
    require_labels_of_data(SER, load_config(path, LabelsConfig), path)


def _replaced(asked: RunOptions) -> None:
    """Stage 0 replaces data of other classes, under all that was trained on them."""
    path, record = asked.conf / "labels.yaml", earlier_record(SER)
    made = record and record["config"].get("labels")
    changed = made and difference(made, load_config(path, LabelsConfig))
    if not changed:
        return
    runs = (
        run for top in (Path("exp"), asked.exp_dir) for run in top.glob("**/seed*/fold*/run.json")
    )
    trained = sorted({str(run.parents[3]) for run in runs})
    if trained:
        logger.warning(
            "%s: other classes than %s has (%s): stage 0 replaces it, and what is trained "
            "under %s can be neither predicted nor scored with it; to keep both, undo the change "
            "and make another recipe: tools/new_recipe.sh",
            *(path, SER, changed, ", ".join(trained)),
        )


def _folds(asked: RunOptions) -> None:
    """Stages 4 and 5 refuse folds of another protocol; the report is of the folds' own."""
    folds = asked.exp_dir / "folds"
    then, now = read_record(folds)["config"], load_config(asked.protocol, ProtocolConfig)
    if changed := difference(then, now):
        logger.warning(
            "%s: of another protocol than %s (%s); the report is of the folds' own",
            *(folds, asked.protocol, changed),
        )
