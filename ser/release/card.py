"""The model card of a package: what it says, from what the stages recorded."""

from pathlib import Path
from typing import Annotated, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import Field
from typing_extensions import TypedDict

from ser.base.errors import SerError
from ser.base.files import digest_file, read_json_as
from ser.base.record import rerun_hint

Interval = Annotated[list[float], Field(min_length=2, max_length=2)]


class _Row(TypedDict):
    """A system in ``results.json``, as far as the card has it."""

    wa: float
    ua: float
    wa_interval: Interval | None
    ua_interval: Interval | None
    num_utts: int
    seeds: list[str]


class _Results(TypedDict):
    """``results.json``, as far as the card reads it."""

    systems: dict[str, _Row]
    digests: dict[str, str]


def write_card(**values: Any) -> str:
    """The card's text."""
    environment = Environment(
        loader=PackageLoader("ser.release", ""),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Markdown, not HTML
    )
    return environment.get_template("card.md").render(**values)


def recipe_of(system: Path) -> str:
    """The name of the recipe that a system's folder is in, wherever in it."""
    above = (Path.cwd() / system).parents  # by name, not where a link to another disk leads
    return next((path.resolve().name for path in above if (path / "conf").is_dir()), "not known")


def table_row(system: Path) -> dict[str, Any] | None:
    """The system's figures in ``results.json``, as the card has them; None where there are none.

    Raises:
        SerError: They are of other predictions than those that are there now.
    """
    exp_dir = system.parent
    path = exp_dir / "results.json"
    if not path.exists():
        return None
    results = read_json_as(path, _Results, "stage 6")
    row, digests = results["systems"].get(system.name), results["digests"]
    if row is None:
        return None
    for name, digest in digests.items():
        table = exp_dir / name
        own = name.startswith(f"predictions/{system.name}/")
        if own and not (table.is_file() and digest_file(table) == digest):
            raise SerError(
                f"{path}: of another {name} than the one that is there now; run {rerun_hint(6)}"
            )
    return {
        "wa": _figure(row["wa"], row["wa_interval"]),
        "ua": _figure(row["ua"], row["ua_interval"]),
        "has_intervals": bool(row["wa_interval"] or row["ua_interval"]),
        "num_utts": row["num_utts"],
        "seeds": " ".join(row["seeds"]),
    }


def _figure(accuracy: float, interval: Interval | None) -> str:
    ends = "" if interval is None else " [{:.1f}, {:.1f}]".format(*(100 * x for x in interval))
    return f"{100 * accuracy:.1f} %{ends}"
