"""What every section of the configuration is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, lt=1)]
# The upper ends are far beyond any use: what lies there is a slip, and would fill memory or time.
Count = Annotated[int, Field(ge=1, le=10_000_000)]
CountOrZero = Annotated[int, Field(ge=0, le=10_000_000)]
Positive = Annotated[float, Field(ge=1e-30, le=1e12)]
# Left out of records where it is null, so that those of earlier versions still match.
SpeakerPrior = Annotated[Positive | None, Field(exclude_if=lambda value: value is None)]
NotNegative = Annotated[float, Field(ge=0, le=1e6)]
NumBands = Annotated[int, Field(ge=23, le=512)]
Milliseconds = Annotated[float, Field(ge=1, le=500)]
SampleRate = Annotated[int, Field(ge=8000, le=192_000)]
Width = Annotated[int, Field(ge=1, le=65_536)]  # of a layer
Depth = Annotated[int, Field(ge=1, le=256)]  # layers, blocks or heads
Small = Annotated[int, Field(ge=1, le=32)]  # of a kernel, a stride or a pool


class Section(BaseModel):
    """A part of a configuration file: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
