"""What ``results.json`` and ``audit.json`` must hold for a report to be made from them."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Names = Annotated[list[str], Field(min_length=1)]


class _Schema(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class Accuracies(_Schema):
    """WA and UA."""

    wa: Fraction
    ua: Fraction


class TrainingTime(_Schema):
    """Of the runs of a system."""

    num_runs: Count
    wall_seconds: Seconds


class LastEpoch(_Schema):
    """Of a recogniser."""

    num_epochs: Count
    valid_loss: float | None
    valid_wer: float | None
    wall_seconds: Seconds


class Published(_Schema):
    """Where a published encoder comes from."""

    name: str
    revision: str
    licence: str
    note: str
    sha256: dict[str, str]
    is_published: bool = True


class RunSchema(_Schema):
    """How the predictions came about (``ser.score.report.provenance.describe_run``)."""

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
    speaker_prior: dict[str, float] = {}
    pretrain_elsewhere: bool = False


class SystemSchema(_Schema):
    """Of a row of the table what does not come from predictions: the paper's figures."""

    paper: Accuracies | None = None


class ResultsSchema(_Schema):
    """``results.json``, as far as verification starts from it."""

    run: RunSchema
    systems: dict[str, SystemSchema]
    num_rounds: Annotated[int, Field(gt=0, le=1_000_000)]
    digests: dict[str, str]
    figures: dict[str, str]


class Overlap(TypedDict):
    """Test utterances that training has something of."""

    num_utts: Count


Overlaps = TypedDict(
    "Overlaps",
    {
        "speaker": Overlap,
        "session": NotRequired[Overlap],
        "dialogue": NotRequired[Overlap],
        "scene": NotRequired[Overlap],
        "line": NotRequired[Overlap],
        "near line": NotRequired[Overlap],
        "audio": NotRequired[Overlap],
    },
)


class Priors(TypedDict):
    """Utterances of each class in training and validation, and in the test."""

    heard: dict[str, Count]
    test: dict[str, Count]


class AuditedFold(TypedDict):
    """The audit of one fold."""

    num_test: Count
    overlaps: Overlaps
    priors: Priors


class Audited(TypedDict):
    """``audit.json``."""

    folds: Annotated[dict[str, AuditedFold], Field(min_length=1)]
    baselines: dict[Literal["constant", "majority", "scene", "words"], Accuracies]
    missing: list[str]
    seen: dict[str, dict[str, dict[str, str]]]
    seen_in: NotRequired[str]
    fold_digest: str
    digest: NotRequired[str]
