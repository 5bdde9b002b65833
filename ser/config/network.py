"""The networks: encoders, how the emotions are read off them, and the baseline."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from ser.config.section import Depth, NumBands, Probability, Section, Small, SpeakerPrior, Width

MAX_WEIGHTS = 4_000_000_000  # of a network: 16 GB of float32, six times Whisper large-v3's encoder


def _require_bounded(num_weights: int) -> None:
    """Refuses a network that is a slip, before memory is taken for it."""
    if num_weights > MAX_WEIGHTS:
        raise ValueError(
            f"the sizes come to {num_weights:.3g} weights; expected at most {MAX_WEIGHTS:.0e}"
        )


def _block_weights(config: "EncoderConfig") -> int:
    attention = 4 * config.d_model * config.num_heads * config.head_dim
    return config.num_blocks * (attention + 2 * config.d_model * config.ffn_dim)


Activation = Literal["relu", "gelu"]  # of the feed-forward layers


class SubsamplingConfig(Section):
    """Two convolutions in front of the encoder (section 4.2)."""

    num_channels: Width
    kernel_sizes: Annotated[list[Small], Field(min_length=2, max_length=2)]
    strides: Annotated[list[Small], Field(min_length=2, max_length=2)]


class TransformerConfig(Section):
    """``conf/encoder.yaml``: the paper's front end and encoder, shared by all stages."""

    type: Literal["transformer"]
    num_mel_bins: NumBands
    subsampling: SubsamplingConfig
    d_model: Annotated[int, Field(ge=2, le=65_536, multiple_of=2)]
    num_blocks: Depth
    num_heads: Depth
    head_dim: Width
    ffn_dim: Width
    dropout_prob: Probability
    attention_dropout_prob: Probability
    layer_norm: Literal["post", "pre"]
    initialisation: Literal["xavier", "depth_scaled"]
    activation: ClassVar[Activation] = "relu"

    @property
    def num_weights(self) -> int:
        """Of the layers that can be large."""
        channels, (k1, k2) = self.subsampling.num_channels, self.subsampling.kernel_sizes
        bands = self._bands()[-1]
        front = channels * k1**2 + channels**2 * k2**2 + channels * bands * self.d_model
        return front + _block_weights(self)

    def _bands(self) -> list[int]:
        """Before, between and after the convolutions."""
        bands = [self.num_mel_bins]
        for kernel, stride in zip(
            self.subsampling.kernel_sizes, self.subsampling.strides, strict=True
        ):
            bands.append((bands[-1] - kernel) // stride + 1)
        return bands

    @model_validator(mode="after")
    def _bands_are_left(self) -> "TransformerConfig":
        for kernel, bands in zip(self.subsampling.kernel_sizes, self._bands(), strict=False):
            if bands < kernel:
                raise ValueError(
                    f"subsampling.kernel_sizes {self.subsampling.kernel_sizes}: a kernel of "
                    f"{kernel} over {bands} bands; expected kernels that fit {self.num_mel_bins} "
                    "num_mel_bins"
                )
        _require_bounded(self.num_weights)
        return self


class WhisperConfig(Section):
    """``conf/encoder.yaml``: the encoder of Whisper, in any of its sizes."""

    type: Literal["whisper"]
    num_mel_bins: NumBands
    d_model: Annotated[int, Field(ge=4, le=65_536, multiple_of=2)]  # two sines or more
    num_blocks: Depth
    num_heads: Depth
    ffn_dim: Width
    dropout_prob: Probability
    attention_dropout_prob: Probability
    layer_norm: ClassVar[Literal["post", "pre"]] = "pre"
    activation: ClassVar[Activation] = "gelu"

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "WhisperConfig":
        if self.d_model % self.num_heads:
            raise ValueError(
                f"d_model {self.d_model} over {self.num_heads} num_heads; expected a multiple"
            )
        _require_bounded(self.num_weights)
        return self

    @property
    def num_weights(self) -> int:
        """Of the layers that can be large."""
        return 3 * self.d_model * (self.num_mel_bins + self.d_model) + _block_weights(self)

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        return self.d_model // self.num_heads


EncoderConfig = Annotated[TransformerConfig | WhisperConfig, Field(discriminator="type")]
# How the emotions are read off the encoder: ``ser/nn/readout.py``.
ReadoutName = Literal[
    "emotion_vector",
    "emotion_vector_of_all_blocks",
    "mean",
    "mean_sd",
    "moments_and_halves",
    "attentive",
]
OF_VECTOR = ("emotion_vector", "emotion_vector_of_all_blocks")  # the others pool the frames
STATISTICS = ("mean", "mean_sd", "moments_and_halves")


class ReadoutConfig(Section):
    """How the emotions are read off the encoder.

    The paper's is ``emotion_vector``. ``least_loudness`` leaves quiet frames out of the plain
    statistics (``mean``, ``mean_sd``, ``moments_and_halves``): those below this share of the way
    from the quietest frame of the utterance to the loudest. ``speaker_prior`` takes the mean of a
    speaker's turns off them (``ser/feats/speaker_means.py``); it is the number of turns above which
    the speaker's own mean counts more than the training mean. With null the training mean is taken
    off all turns.
    """

    type: ReadoutName = "emotion_vector"
    least_loudness: Annotated[float, Field(ge=0, lt=1)] = 0.0
    speaker_prior: SpeakerPrior = None

    @property
    def needs_vector(self) -> bool:
        """Whether the emotion vector x_e stands in front of the frames."""
        return self.type in OF_VECTOR

    @model_validator(mode="after")
    def _only_for_statistics(self) -> "ReadoutConfig":
        for key, off in (("least_loudness", "0.0"), ("speaker_prior", "null")):
            if (value := getattr(self, key)) and self.type not in STATISTICS:
                raise ValueError(
                    f"{key} {value:g} with {self.type}; expected {off}: it is for "
                    + ", ".join(STATISTICS)
                )
        return self


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"a kernel of {size}; expected an odd number, so that it has a middle")
    return size


class CtcHeadConfig(Section):
    """What stands between the encoder and the tokens: the paper has a linear layer alone.

    ``kernel_sizes`` are those of convolutions in front of it, in encoder frames.
    """

    kernel_sizes: list[Annotated[Small, AfterValidator(_odd)]] = Field(
        default_factory=list, max_length=8
    )


class CnnBlstmSaConfig(Section):
    """The baseline CNN-BLSTM-SA (section 4.2)."""

    type: Literal["cnn_blstm_sa"]
    num_mel_bins: NumBands
    num_channels: Width
    pool_size: Small
    lstm_dim: Width
    num_lstm_layers: Depth
    num_attention_heads: Depth
    attention_dim: Width
    dropout_prob: Probability

    @property
    def num_weights(self) -> int:
        """Of the layers that can be large."""
        bands = self.num_mel_bins // self.pool_size**2
        conv = 9 * self.num_channels * (1 + self.num_channels)
        first = 8 * self.lstm_dim * (self.num_channels * bands + self.lstm_dim)
        others = (self.num_lstm_layers - 1) * 8 * self.lstm_dim * 3 * self.lstm_dim
        heads = self.attention_dim * (2 * self.lstm_dim + self.num_attention_heads)
        return conv + first + others + heads

    @model_validator(mode="after")
    def _is_bounded(self) -> "CnnBlstmSaConfig":
        if self.pool_size**2 > self.num_mel_bins:
            raise ValueError(
                f"pool_size {self.pool_size}: {self.num_mel_bins} num_mel_bins are pooled twice; "
                f"expected a square of at most {self.num_mel_bins}"
            )
        _require_bounded(self.num_weights)
        return self


PAPER_READOUT = ReadoutConfig()
PAPER_CTC_HEAD = CtcHeadConfig()
