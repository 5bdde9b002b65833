"""Published encoders of Whisper: which, and where their weights come from."""

from typing import Annotated

from pydantic import Field

from ser.config.network import WhisperConfig
from ser.config.section import Section


class PublishedConfig(Section):
    """Where published weights come from.

    ``name`` and ``revision`` are those of the Hugging Face hub; ``note`` is what their own model
    card says that a user of the emotions must know. ``sha256`` is the digest of their
    ``model.safetensors``: whatever else is given is not called by their name. Without it any
    weights of the same shapes are, which is reported.
    """

    name: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    licence: Annotated[str, Field(min_length=1)]
    note: str
    # No part of a record: what was given is recorded with its own digest.
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$", exclude=True)] = None


class ImportConfig(Section):
    """``conf/pretrain/<name>.yaml``: the encoder of a published recogniser."""

    encoder: WhisperConfig
    published: PublishedConfig
