"""What ``results.json`` and ``audit.json`` must hold for a report to be made from them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Names = Annotated[list[str], Field(min_length=1)]


class _Stated(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class Accuracies(_Stated):
    """WA and UA."""

    wa: Fraction
    ua: Fraction


class TrainingTime(_Stated):
    """Of the runs of a system."""

    num_runs: Count
    wall_seconds: Seconds


class LastEpoch(_Stated):
    """Of a recogniser."""

    num_epochs: Count
    valid_loss: float | None
    valid_wer: float | None
    wall_seconds: Seconds


class Published(_Stated):
    """Where a published encoder comes from."""

    name: str
    revision: str
    licence: str
    note: str
    sha256: dict[str, str]


class StatedRun(_Stated):
    """How the predictions came about (``ser.score.report.training.describe_run``)."""

    command: str
    git_commit: str
    finished: str
    versions: dict[str, str]
    protocol: dict[str, Any]
    seeds: Names
    folds: Names
    finetune: dict[str, TrainingTime]
    pretrain: dict[str, LastEpoch]
    published: dict[str, Published] = {}


class StatedSystem(_Stated):
    """Of a row of the table what does not come from predictions: the paper's figures."""

    paper: Accuracies | None = None


class StatedResults(_Stated):
    """``results.json``, as far as verification starts from it."""

    run: StatedRun
    systems: dict[str, StatedSystem]
    num_rounds: Annotated[int, Field(gt=0)]
    digests: dict[str, str]
    figures: dict[str, str]


class Overlap(_Stated):
    """Test utterances that training has something of."""

    num_utts: Count


class AuditedFold(_Stated):
    """The audit of one fold."""

    num_test: Count
    overlaps: dict[str, Overlap]
    priors: dict[str, dict[str, Count]]


class Audited(_Stated):
    """``audit.json``."""

    folds: Annotated[dict[str, AuditedFold], Field(min_length=1)]
    baselines: dict[str, Accuracies]
    missing: list[str]
    seen: dict[str, dict[str, dict[str, str]]]
    fold_digest: str
