"""The networks: encoders, how the emotions are read off them, and the baseline."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ser.config.section import Count, Probability, Section


class SubsamplingConfig(Section):
    """Two convolutions in front of the encoder (section 4.2)."""

    num_channels: Count
    kernel_sizes: Annotated[list[Count], Field(min_length=2, max_length=2)]
    strides: Annotated[list[Count], Field(min_length=2, max_length=2)]


class TransformerConfig(Section):
    """``conf/encoder.yaml``: the paper's front end and encoder, shared by all stages."""

    type: Literal["transformer"]
    num_mel_bins: Annotated[int, Field(ge=23)]
    subsampling: SubsamplingConfig
    d_model: Annotated[int, Field(ge=2, multiple_of=2)]
    num_blocks: Count
    num_heads: Count
    head_dim: Count
    ffn_dim: Count
    dropout_prob: Probability
    attention_dropout_prob: Probability
    layer_norm: Literal["post", "pre"]
    initialisation: Literal["xavier", "depth_scaled"]

    @property
    def activation(self) -> Literal["relu", "gelu"]:
        """Of the feed-forward layers."""
        return "relu"

    @model_validator(mode="after")
    def _bands_are_left(self) -> "TransformerConfig":
        bands = self.num_mel_bins
        for kernel, stride in zip(
            self.subsampling.kernel_sizes, self.subsampling.strides, strict=True
        ):
            if bands < kernel:
                raise ValueError(
                    f"subsampling.kernel_sizes {self.subsampling.kernel_sizes}: a kernel of "
                    f"{kernel} over {bands} bands; expected kernels that fit {self.num_mel_bins} "
                    "num_mel_bins"
                )
            bands = (bands - kernel) // stride + 1
        return self


class WhisperConfig(Section):
    """``conf/encoder.yaml``: the encoder of Whisper, in any of its sizes."""

    type: Literal["whisper"]
    num_mel_bins: Annotated[int, Field(ge=23)]
    d_model: Annotated[int, Field(ge=2, multiple_of=2)]
    num_blocks: Count
    num_heads: Count
    ffn_dim: Count
    dropout_prob: Probability
    attention_dropout_prob: Probability

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "WhisperConfig":
        if self.d_model % self.num_heads:
            raise ValueError(
                f"d_model {self.d_model} over {self.num_heads} num_heads; expected a multiple"
            )
        return self

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        return self.d_model // self.num_heads

    @property
    def layer_norm(self) -> Literal["post", "pre"]:
        """Before each part of a block."""
        return "pre"

    @property
    def activation(self) -> Literal["relu", "gelu"]:
        """Of the feed-forward layers."""
        return "gelu"


EncoderConfig = Annotated[TransformerConfig | WhisperConfig, Field(discriminator="type")]
# How the emotions are read off the encoder: ``ser/nn/readout.py``.
ReadoutName = Literal[
    "emotion_vector", "emotion_vector_of_all_blocks", "mean", "mean_sd", "attentive"
]


class ReadoutConfig(Section):
    """How the emotions are read off the encoder.

    The paper's is ``emotion_vector``. ``least_loudness`` leaves quiet frames out of ``mean`` and
    ``mean_sd``: those below this share of the way from the quietest frame of the utterance to the
    loudest.
    """

    type: ReadoutName = "emotion_vector"
    least_loudness: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @property
    def needs_vector(self) -> bool:
        """Whether the emotion vector x_e stands in front of the frames."""
        return self.type.startswith("emotion_vector")

    @model_validator(mode="after")
    def _quiet_frames_are_pooled(self) -> "ReadoutConfig":
        if self.least_loudness and self.type not in ("mean", "mean_sd"):
            raise ValueError(
                f"least_loudness {self.least_loudness} with {self.type}; expected 0.0: it is for "
                "mean and mean_sd"
            )
        return self


class CnnBlstmSaConfig(Section):
    """The baseline CNN-BLSTM-SA (section 4.2)."""

    type: Literal["cnn_blstm_sa"]
    num_mel_bins: Annotated[int, Field(ge=23)]
    num_channels: Count
    pool_size: Count
    lstm_dim: Count
    num_lstm_layers: Count
    num_attention_heads: Count
    attention_dim: Count
    dropout_prob: Probability


PAPER_READOUT = ReadoutConfig()
