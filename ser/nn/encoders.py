"""The encoders by the ``type`` of their configuration; how to add one: ``encoder_base.py``."""

from ser.config.network import EncoderConfig
from ser.nn.encoder_base import Encoder
from ser.nn.transformer import TransformerEncoder
from ser.nn.whisper import WhisperEncoder

ENCODERS = {"transformer": TransformerEncoder, "whisper": WhisperEncoder}


def build_encoder(config: EncoderConfig) -> Encoder:
    """An encoder with new weights."""
    encoder: Encoder = ENCODERS[config.type](config)
    return encoder
