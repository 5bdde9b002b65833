"""Where the configuration of a system, a baseline, an ablation or a setting to choose stands."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ser.base.errors import SerError
from ser.base.log import logger
from ser.base.names import SYSTEM
from ser.config.baselines import FunctionalsConfig, ProbeConfig, WordsConfig
from ser.config.load import validate
from ser.config.schema import SystemConfig
from ser.config.yaml_file import read_yaml

AnySystem = SystemConfig | WordsConfig | FunctionalsConfig | ProbeConfig
BASELINES: dict[str, type[AnySystem]] = {
    "words_of": WordsConfig,
    "functionals": FunctionalsConfig,
    "probe_of": ProbeConfig,
}  # by the key that each of them has alone
FOLDERS = ("systems", "baselines", "ablations", "tuning")
RENAMED = {"controls": "baselines or ablations", "variants": "tuning"}  # read for one version more


def load_system(conf: Path, name: str) -> AnySystem:
    """``conf/systems/<name>.yaml``, or else that of another of ``FOLDERS``.

    Raises:
        SerError: It is missing or wrong, or its name cannot be that of its folder in ``exp``.
    """
    path = system_path(conf, name)
    if path.parent.name in RENAMED:
        _tell_renamed(path)
    values = read_yaml(path)
    keys = values if isinstance(values, dict) else {}
    kind = next((config for key, config in BASELINES.items() if key in keys), SystemConfig)
    return validate(path, kind, values)


def system_path(conf: Path, name: str) -> Path:
    """Where ``load_system`` finds a system.

    Raises:
        SerError: Nowhere, or its name cannot be that of its folder in ``exp``.
    """
    if fault := SYSTEM.fault(name):
        raise SerError(f"{conf / FOLDERS[0]}: {fault}")
    folders = [*FOLDERS, *RENAMED]
    paths = [conf / folder / f"{name}.yaml" for folder in folders]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        known = sorted(p.stem for folder in folders for p in (conf / folder).glob("*.yaml"))
        raise SerError(f"{paths[0]}: no such system; expected one of {' '.join(known)}")
    return path


@cache
def _tell_renamed(path: Path) -> None:
    new = RENAMED[path.parent.name]
    logger.warning("%s: the folder is called %s now; move the file there", path, new)


def load_trained_system(conf: Path, name: str) -> SystemConfig:
    """A system that stage 4 trains.

    Raises:
        SerError: It is missing, or it is a baseline.
    """
    system = load_system(conf, name)
    if not isinstance(system, SystemConfig):
        raise SerError(f"{name}: a baseline, which stage 5 fits; name a system that stage 4 trains")
    return system


def trained_systems(conf: Path, names: Sequence[str]) -> dict[str, SystemConfig]:
    """Those of some systems that stage 4 trains, by name."""
    systems = {name: load_system(conf, name) for name in names}
    return {n: system for n, system in systems.items() if isinstance(system, SystemConfig)}
