"""Every hyper-parameter, with its unit and range.

What the paper states, or what we decided where it is silent, has no default here: it stands in
the YAML. Ranges are checked where a key is declared.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Probability = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]

Normalisation = Literal["utterance_mean", "none"]  # the mean of each band is taken off, or not
Storage = Literal["float32", "kaldi_compressed"]

SCRATCH = "scratch"  # the ``init`` of a system that starts from no encoder


class Section(BaseModel):
    """A part of a configuration file: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FbankConfig(Section):
    """``conf/fbank.yaml``: Kaldi's log-mel filterbank, without dither.

    ``normalisation`` is done when features are loaded. Files and packages of earlier versions name
    neither ``type`` nor ``normalisation``.
    """

    type: Literal["kaldi"] = "kaldi"
    sample_rate_hz: Annotated[int, Field(ge=8000)]
    num_mel_bins: Annotated[int, Field(ge=23)]
    frame_length_ms: Positive
    frame_shift_ms: Positive
    preemphasis: Annotated[float, Field(ge=0, le=1)]
    low_freq_hz: NotNegative
    high_freq_hz: Positive
    normalisation: Normalisation = "utterance_mean"
    storage: Storage

    @model_validator(mode="after")
    def _band_fits(self) -> "FbankConfig":
        if not self.low_freq_hz < self.high_freq_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"low_freq_hz {self.low_freq_hz} and high_freq_hz {self.high_freq_hz}: expected "
                f"low < high <= {self.sample_rate_hz / 2}, half the sample rate"
            )
        if self.sample_rate_hz * self.frame_shift_ms < 1000:
            raise ValueError(f"frame_shift_ms {self.frame_shift_ms}: expected a sample or more")
        return self


class WhisperMelConfig(Section):
    """``conf/fbank.yaml``: the log-mel spectrogram of Whisper.

    ``pad_seconds`` puts silence behind an utterance up to so many seconds, as Whisper does with
    30; null leaves it as long as it is.
    """

    type: Literal["whisper"]
    num_mel_bins: Literal[80, 128]
    pad_seconds: Annotated[float, Field(gt=0, le=30)] | None
    normalisation: Normalisation
    storage: Storage

    # Whisper's, for all its sizes.
    @property
    def sample_rate_hz(self) -> int:
        """Samples a second."""
        return 16000

    @property
    def frame_length_ms(self) -> float:
        """Of a window."""
        return 25.0

    @property
    def frame_shift_ms(self) -> float:
        """Between windows."""
        return 10.0


FeaturesConfig = FbankConfig | WhisperMelConfig


class BpeConfig(Section):
    """``conf/bpe.yaml``: the SentencePiece model, trained on the recogniser's transcripts."""

    num_pieces: Annotated[int, Field(ge=10)]
    character_coverage: Annotated[float, Field(gt=0.9, le=1)]


class LabelsConfig(Section):
    """``conf/labels.yaml``: the classes in their order, each with the corpus labels it merges."""

    classes: dict[str, list[str]]
    exclude: list[str]

    @model_validator(mode="after")
    def _each_label_once(self) -> "LabelsConfig":
        raw = [label for merged in self.classes.values() for label in merged] + self.exclude
        twice = sorted({label for label in raw if raw.count(label) > 1})
        if twice:
            raise ValueError(f"the labels {twice} stand twice; expected each corpus label once")
        if len(self.classes) < 2:
            raise ValueError(f"{len(self.classes)} classes; expected two or more")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The classes in the order of the model's outputs."""
        return tuple(self.classes)

    @property
    def class_of(self) -> dict[str, str]:
        """The class of each corpus label."""
        return {raw: name for name, merged in self.classes.items() for raw in merged}


class CountsConfig(Section):
    """``conf/counts.yaml``: what a whole corpus holds, to tell a partial copy.

    ``sessions`` gives the turns a session of each label, and of women and men (``female``,
    ``male``) among the turns of these labels.
    """

    sessions: dict[str, dict[str, int]]
    labelled_utterances: Count


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


class OptimizerConfig(Section):
    """Adam and its schedule: linear warm-up, then ``schedule``; the gradient is clipped.

    The schedules after the warm-up: ``constant``; ``linear`` and ``cosine`` down to zero at the
    last step; ``inverse_sqrt``, the peak rate times sqrt(warmup_steps / step).

    ``layer_lr_decay`` multiplies the rate once for each block below the last: with L blocks, block
    l learns at ``layer_lr_decay ** (L - l)`` of the rate, the front end at ``** L``; heads and the
    emotion vector at the whole rate. ``frozen`` lists parameters that stay as they are, by the
    beginning of their names (``encoder.subsampling``, ``encoder.blocks.0``).
    """

    learning_rate: Positive
    weight_decay: NotNegative
    betas: Annotated[list[Probability], Field(min_length=2, max_length=2)]
    schedule: Literal["constant", "linear", "cosine", "inverse_sqrt"]
    warmup_steps: Annotated[int, Field(ge=0)]
    max_grad_norm: Positive
    layer_lr_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    frozen: list[str] = []

    @model_validator(mode="after")
    def _schedule_has_warmup(self) -> "OptimizerConfig":
        if self.schedule == "inverse_sqrt" and self.warmup_steps == 0:
            raise ValueError(
                "warmup_steps 0 with schedule inverse_sqrt; expected 1 or more: the rate falls "
                "from its peak at the end of the warm-up"
            )
        return self


class SpecAugmentConfig(Section):
    """Masks of SpecAugment, each of a random width up to the largest.

    A time mask covers at most ``max_time_mask_frames`` and that share of the utterance.
    """

    num_freq_masks: Annotated[int, Field(ge=0)]
    max_freq_mask_bins: Annotated[int, Field(ge=0)]
    num_time_masks: Annotated[int, Field(ge=0)]
    max_time_mask_frames: Annotated[int, Field(ge=0)]
    max_time_mask_prob: Probability


class TrainingConfig(Section):
    """One training run.

    ``batch_size_utts`` is what one optimiser step sees, on however many GPUs. Each process splits
    its share into parts of at most ``max_frames_in_memory`` padded feature frames whose gradients
    are accumulated, so that the batch of the paper fits into any memory. Batches hold utterances
    of similar length: they are sorted by length, each up to the share ``length_jitter_prob`` longer
    or shorter than it is.

    A checkpoint is written every ``checkpoint_minutes`` and, where given, every
    ``checkpoint_steps``. ``average_epochs`` averages the weights of so many epochs: the last, or
    with selection the best. ``patience_epochs`` ends a run after so many epochs without a better
    validation. ``spec_augment`` is null where features are not masked; ``speed_factors`` adds a
    copy of every training utterance at each speed. ``compile`` runs the network through
    ``torch.compile``.
    """

    batch_size_utts: Count
    max_frames_in_memory: Count
    length_jitter_prob: Probability
    max_epochs: Count
    precision: Literal["float32", "bfloat16"]
    checkpoint_minutes: Positive
    checkpoint_steps: Count | None = None
    num_loader_workers: Annotated[int, Field(ge=0)]
    spec_augment: SpecAugmentConfig | None
    speed_factors: list[Annotated[float, Field(ge=0.5, le=2)]] = []
    average_epochs: Count = 1
    patience_epochs: Count | None = None
    compile: bool = False

    @model_validator(mode="after")
    def _speeds_are_new(self) -> "TrainingConfig":
        factors = self.speed_factors
        if 1.0 in factors or len(set(factors)) < len(factors):
            raise ValueError(
                f"speed_factors {factors}: expected each once and none 1.0, which is there anyway"
            )
        return self


class CtcConfig(Section):
    """How the CTC losses of a batch become one number, and how many utterances may lack one.

    ``targets`` other than ``transcripts`` are controls: ``shuffled`` gives each training utterance
    the transcript of another of like length, ``random`` as many tokens drawn at random.
    """

    normalisation: Literal["per_token", "per_utterance"]
    max_too_short_prob: Probability
    targets: Literal["transcripts", "shuffled", "random"] = "transcripts"


class PretrainConfig(Section):
    """``conf/pretrain/<name>.yaml``: the encoder as a CTC speech recogniser.

    ``init`` is ``scratch`` or the name of another ``conf/pretrain/<name>.yaml``, whose encoder it
    starts from.
    """

    encoder: EncoderConfig
    init: str = SCRATCH
    ctc: CtcConfig
    optimizer: OptimizerConfig
    training: TrainingConfig
    selection: Literal["last", "best_valid_wer"]
    allow_missing_subsets: bool


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


PAPER_READOUT = ReadoutConfig()


class HeadConfig(Section):
    """Training of what is new in a model, with the encoder frozen."""

    optimizer: OptimizerConfig
    training: TrainingConfig

    @model_validator(mode="after")
    def _encoder_is_frozen(self) -> "HeadConfig":
        if self.optimizer.frozen != ["encoder"]:
            raise ValueError(f"optimizer.frozen {self.optimizer.frozen}; expected [encoder]")
        return self


class SystemConfig(Section):
    """``conf/systems/<system>.yaml``: one row of the table.

    ``init`` is ``scratch`` or the name of a ``conf/pretrain/<name>.yaml``; with ``ctc_alpha`` 0
    there is no CTC head (eq. (8): L = L_ce + alpha * L_ctc). ``head_first`` trains what is new on
    the frozen encoder before everything is trained.
    """

    model: Annotated[
        TransformerConfig | WhisperConfig | CnnBlstmSaConfig, Field(discriminator="type")
    ]
    readout: ReadoutConfig = PAPER_READOUT
    init: str
    ctc_alpha: NotNegative
    ctc: CtcConfig
    optimizer: OptimizerConfig
    training: TrainingConfig
    head_first: HeadConfig | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> "SystemConfig":
        if self.model.type == "cnn_blstm_sa" and (self.init != SCRATCH or self.ctc_alpha > 0):
            raise ValueError(
                f"cnn_blstm_sa with init {self.init} and ctc_alpha {self.ctc_alpha}; expected "
                "scratch and 0.0: the baseline has neither pre-training nor a CTC head"
            )
        if self.model.type == "cnn_blstm_sa" and self.optimizer.layer_lr_decay < 1:
            raise ValueError(
                f"cnn_blstm_sa with optimizer.layer_lr_decay {self.optimizer.layer_lr_decay}; "
                "expected 1.0: it has no encoder blocks"
            )
        if self.head_first and self.init == SCRATCH:
            raise ValueError("head_first with init scratch; expected an encoder that has learned")
        if self.head_first and not set(self.head_first.training.speed_factors) <= set(
            self.training.speed_factors
        ):
            raise ValueError(
                f"head_first.training.speed_factors {self.head_first.training.speed_factors}; "
                f"expected some of training.speed_factors {self.training.speed_factors}"
            )
        return self
