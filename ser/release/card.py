"""The model card of a package: what it says, from what the stages recorded."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NotRequired

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import Field
from typing_extensions import TypedDict

from ser.base.errors import SerError, first_few
from ser.base.files import digest_file, read_json_as
from ser.base.log import logger
from ser.base.paths import run_of_table
from ser.base.record import Stage, first_difference, rerun_hint
from ser.infer.loading import read_run
from ser.score.report.document import code, escape, percent, with_interval
from ser.score.stats.intervals import LEVEL_TEXT

# Licences by the hub's names, as far as models have them; any other is "other" there.
HUB_LICENCES = set(
    "apache-2.0 mit bsd-2-clause bsd-3-clause gpl-3.0 lgpl-3.0 agpl-3.0 mpl-2.0 cc0-1.0 cc-by-4.0 "
    "cc-by-sa-4.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-sa-4.0 cc-by-nc-nd-4.0 openrail".split()
)
MAX_SPEAKERS = 30  # that a card lists one by one
TASK = {"type": "audio-classification", "name": "Speech emotion recognition"}
Interval = Annotated[list[float], Field(min_length=2, max_length=2)]


class _Row(TypedDict):
    """A system in ``results.json``, as far as the card has it."""

    wa: float
    ua: float
    wa_interval: Interval | None
    ua_interval: Interval | None
    num_utts: int
    seeds: dict[str, Any]
    by: NotRequired[dict[str, dict[str, Any]]]
    by_speaker: NotRequired[dict[str, Any]]


class _Results(TypedDict):
    """``results.json``, as far as the card reads it."""

    systems: dict[str, _Row]
    digests: dict[str, str]


def write_card(**values: Any) -> str:
    """The card's text, with what the Hugging Face hub reads of a model in front."""
    environment = Environment(
        loader=PackageLoader("ser.release", ""),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Markdown, not HTML
    )
    environment.filters |= {"text": escape, "code": code, "quoted": shlex.quote}
    metadata = yaml.safe_dump(_metadata(values), sort_keys=False, allow_unicode=True)
    return environment.get_template("card.md").render(metadata=metadata, **values)


def _metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the hub knows a model by."""
    licence = values["licence"].lower()
    published = values["published"] or {"name": ""}
    known = licence in HUB_LICENCES
    datasets = [name.strip() for name in values["data"].split(",")]
    datasets = [name for name in datasets if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name)]
    stated = {
        "license": licence if known else "other",
        "license_name": "" if known else re.sub(r"[^a-z0-9.]+", "-", licence).strip("-"),
        "language": list(values["languages"]),
        "datasets": datasets,
        "base_model": published["name"] if published.get("is_published", True) else "",
        "pipeline_tag": TASK["type"],
        "library_name": "ser",
        "tags": ["speech-emotion-recognition"],
        "metrics": ["accuracy", "recall"] if values["row"] else [],
        "model-index": _model_index(values) if values["row"] else [],
    }
    return {key: value for key, value in stated.items() if value}


def _model_index(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures with the protocol that they are from."""
    protocol, row = values["protocol"], values["row"]
    heard = "heard in training" if protocol["speaker_dependent"] else "not heard in training"
    how = (
        f"single models, each on the test part of its fold; folds by {protocol['fold_unit']}, "
        f"test speakers {heard}"
        + "; the mean of a test speaker's turns taken off them"
        * bool(values["speaker_prior"])
    )
    metrics = [
        {"type": kind, "value": row["percent"][key], "name": f"{name}, %; {how}"}
        for kind, key, name in (
            ("accuracy", "wa", "WA (accuracy)"),
            ("recall", "ua", "UA (mean recall of the classes)"),
        )
    ]
    dataset = {"name": values["data"], "type": values["recipe"], "args": protocol}
    result = {"task": TASK, "dataset": dataset, "metrics": metrics}
    return [{"name": values["name"], "results": [result]}]


def recipe_name(system: Path) -> str:
    """The name of the recipe that a system's folder is in, wherever in it."""
    above = (Path.cwd() / system).parents  # by name, not where a link to another disk leads
    return next((path.resolve().name for path in above if (path / "conf").is_dir()), "not known")


def table_row(system: Path, seed: int, made_by: Mapping[str, Any]) -> dict[str, Any] | None:
    """The system's figures in ``results.json``, as the card has them.

    Args:
        system: Its folder.
        seed: Of the runs that are packed.
        made_by: What these runs share.

    Returns:
        None where stage 6 has not scored these runs.

    Raises:
        SerError: The figures are of other predictions than those that are there now, or of runs
            that are made otherwise than those that are packed.
    """
    exp_dir = system.parent
    path = exp_dir / "results.json"
    if not path.exists():
        return None
    results = read_json_as(path, _Results, "stage 6")
    row, digests = results["systems"].get(system.name), results["digests"]
    if row is None or str(seed) not in row["seeds"]:
        return None
    for name, digest in digests.items():
        if not name.startswith(f"predictions/{system.name}/"):
            continue
        table = exp_dir / name
        if not (table.is_file() and digest_file(table) == digest):
            raise SerError(
                f"{path}: of another {name} than the one that is there now; "
                f"run {rerun_hint(Stage.SCORE)}"
            )
        if table.suffix != ".tsv" or not ((folder := run_of_table(table)) / "run.json").exists():
            continue
        if difference := first_difference(read_run(folder).made_by, made_by):
            raise SerError(
                f"{path}: has figures of {folder} too: {difference} in what is packed; "
                f"expected runs that are made alike; run {rerun_hint(Stage.FINETUNE, folder)}"
            )
    if by_speaker := list(_by_speaker(row)):
        logger.info(
            "the card gives figures of %s; where names are private, use codes from stage 0 on",
            first_few(group["name"] for group in by_speaker),
        )
    return {
        "wa": with_interval(row["wa"], row["wa_interval"]),
        "ua": with_interval(row["ua"], row["ua_interval"]),
        "level": LEVEL_TEXT,
        "has_intervals": bool(row["wa_interval"] or row["ua_interval"]),
        "percent": {name: round(100 * row[name], 1) for name in ("wa", "ua")},
        "num_speakers": len(row.get("by_speaker", {})),
        "groups": [*_by_sex(row), *by_speaker],
        "num_utts": row["num_utts"],
        "seeds": " ".join(row["seeds"]),
    }


def _by_sex(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    sexes = row.get("by", {}).get("gender", {})
    yield from (_group({"f": "women", "m": "men"}.get(k.lower(), k), g) for k, g in sexes.items())


def _by_speaker(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Figures of each; of many speakers the worst, the middle one and the best."""
    speakers = row.get("by_speaker", {})
    if len(speakers) <= MAX_SPEAKERS:
        yield from (_group(f"speaker {name}", group) for name, group in speakers.items())
        return
    ranked = sorted(speakers.items(), key=lambda one: one[1]["wa"])
    places = {"lowest": 0, "median": len(ranked) // 2, "highest": -1}
    for what, place in places.items():
        yield _group(f"speaker {ranked[place][0]}, {what} WA", ranked[place][1])


def _group(name: str, group: Mapping[str, Any]) -> dict[str, Any]:
    figures = {key: percent(group[key]) for key in ("wa", "ua")}
    return {"name": name, "num_utts": group["num_utts"], **figures}
