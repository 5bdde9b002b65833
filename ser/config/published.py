"""Published encoders: which, and where their weights come from."""

from typing import Annotated

from pydantic import Field

from ser.config.network import WhisperConfig
from ser.config.section import Section


class PublishedConfig(Section):
    """Where published weights come from.

    ``name`` and ``revision`` are those of the Hugging Face hub; ``note`` is what their own model
    card says that a user of the emotions must know.
    """

    name: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    licence: Annotated[str, Field(min_length=1)]
    note: str


class ImportConfig(Section):
    """``conf/pretrain/<name>.yaml``: the encoder of a published recogniser."""

    encoder: WhisperConfig
    published: PublishedConfig
