"""Every hyper-parameter, with its unit and range.

What the paper states, or what we decided where it is silent, has no default here: it stands in
the YAML. Ranges are checked where a key is declared.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ser.base.names import ENCODER
from ser.config.network import (
    PAPER_CTC_HEAD,
    PAPER_READOUT,
    CnnBlstmSaConfig,
    CtcHeadConfig,
    EncoderConfig,
    ReadoutConfig,
)
from ser.config.section import Count, CountOrZero, NotNegative, Positive, Probability, Section

EncoderName = Annotated[str, AfterValidator(ENCODER.checked)]
SCRATCH = "scratch"  # the ``init`` of a system that starts from no encoder


class BpeConfig(Section):
    """``conf/bpe.yaml``: the SentencePiece model, trained on the recogniser's transcripts."""

    num_pieces: Annotated[int, Field(ge=10, le=100_000)]
    character_coverage: Annotated[float, Field(ge=0.98, le=1)]  # what SentencePiece takes


class OptimizerConfig(Section):
    """Adam and its schedule: linear warm-up, then ``schedule``; the gradient is clipped.

    The schedules after the warm-up: ``constant``; ``linear`` and ``cosine``, which reach zero after
    the last step; ``inverse_sqrt``, the peak rate times sqrt(warmup_steps / step).

    ``layer_lr_decay`` multiplies the rate once for each block below the last: with L blocks, block
    l learns at ``layer_lr_decay ** (L - l)`` of the rate, the front end at ``** L``; heads and the
    emotion vector at the whole rate. ``frozen`` lists parameters that stay as they are, by the
    beginning of their names (``encoder.subsampling``, ``encoder.blocks.0``).
    """

    learning_rate: Positive
    weight_decay: NotNegative
    betas: Annotated[list[Probability], Field(min_length=2, max_length=2)]
    schedule: Literal["constant", "linear", "cosine", "inverse_sqrt"]
    warmup_steps: CountOrZero
    max_grad_norm: Positive
    layer_lr_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    frozen: Annotated[list[str], Field(default_factory=list)]

    @property
    def freezes_encoder(self) -> bool:
        """Whether the encoder is frozen as a whole."""
        return "encoder" in self.frozen

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

    num_freq_masks: Annotated[int, Field(ge=0, le=100)]
    max_freq_mask_bins: Annotated[int, Field(ge=0, le=512)]
    num_time_masks: Annotated[int, Field(ge=0, le=100)]
    max_time_mask_frames: CountOrZero
    max_time_mask_prob: Annotated[float, Field(ge=0, le=1)]


class TrainingConfig(Section):
    """One training run.

    ``batch_size_utts`` is what one optimiser step sees, on however many GPUs. Each process splits
    its share into parts of at most ``max_frames_in_memory`` padded feature frames whose gradients
    are accumulated, so that the batch of the paper fits into any memory; validation and prediction
    keep both limits too. Batches hold utterances of similar length: they are sorted by length, each
    up to the share ``length_jitter_prob`` longer or shorter than it is.

    A checkpoint is written every ``checkpoint_minutes`` and, where given, every
    ``checkpoint_steps``. ``average_epochs`` averages the weights of so many epochs: the last, or
    with selection the best. ``patience_epochs`` ends a run after so many epochs without a better
    validation. ``spec_augment`` is null where features are not masked; ``speed_factors`` adds a
    copy of every training utterance at each speed. ``max_seconds`` leaves longer utterances out of
    training, not out of validation and test. ``compile`` runs the network through
    ``torch.compile``.
    """

    batch_size_utts: Annotated[int, Field(ge=1, le=100_000)]
    max_frames_in_memory: Count
    length_jitter_prob: Probability
    max_epochs: Annotated[int, Field(ge=1, le=100_000)]
    precision: Literal["float32", "bfloat16"]
    checkpoint_minutes: Positive
    checkpoint_steps: Count | None = None
    num_loader_workers: Annotated[int, Field(ge=0, le=64)]
    spec_augment: SpecAugmentConfig | None
    speed_factors: Annotated[
        list[Annotated[float, Field(ge=0.5, le=2)]], Field(default_factory=list, max_length=20)
    ]
    average_epochs: Annotated[int, Field(ge=1, le=1000)] = 1
    patience_epochs: Count | None = None
    # Left out of records where it is null, so that those of earlier versions still match.
    max_seconds: Annotated[Positive | None, Field(exclude_if=lambda value: value is None)] = None
    compile: bool = False

    @model_validator(mode="after")
    def _averages_what_there_is(self) -> "TrainingConfig":
        if self.average_epochs > self.max_epochs:
            raise ValueError(
                f"average_epochs {self.average_epochs} of max_epochs {self.max_epochs}; expected "
                "at most as many"
            )
        return self

    @model_validator(mode="after")
    def _speeds_are_new(self) -> "TrainingConfig":
        factors = self.speed_factors
        named = {f"{factor:g}" for factor in (1.0, *factors)}  # as their folders are
        if len(named) <= len(factors):
            raise ValueError(
                f"speed_factors {factors}: expected each once, to six digits, and none 1, which is "
                "there anyway"
            )
        return self


class CtcConfig(Section):
    """How the CTC losses of a batch become one number, and how many utterances may lack one.

    ``targets`` other than ``transcripts`` are ablations: ``shuffled`` gives each training utterance
    the transcript of another of like length, ``random`` as many tokens drawn at random.
    """

    normalisation: Literal["per_token", "per_utterance"]
    max_too_short_prob: Probability
    targets: Literal["transcripts", "shuffled", "random"] = "transcripts"
    # Recorded where it is another: or the runs of 0.1.0, which lacks it, would count as others.
    head: CtcHeadConfig = Field(PAPER_CTC_HEAD, exclude_if=lambda head: head == PAPER_CTC_HEAD)


class PretrainConfig(Section):
    """``conf/pretrain/<name>.yaml``: the encoder as a CTC speech recogniser.

    ``init`` is ``scratch`` or the name of another ``conf/pretrain/<name>.yaml``, whose encoder it
    starts from.
    """

    encoder: EncoderConfig
    init: EncoderName = SCRATCH
    ctc: CtcConfig
    optimizer: OptimizerConfig
    training: TrainingConfig
    selection: Literal["last", "best_valid_wer"]
    allow_missing_subsets: bool


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

    model: Annotated[EncoderConfig | CnnBlstmSaConfig, Field(discriminator="type")]
    readout: ReadoutConfig = PAPER_READOUT
    init: EncoderName
    ctc_alpha: NotNegative
    # Recorded where it is on: or the runs of 0.1.0, which lacks it, would count as others.
    label_smoothing_prob: Annotated[Probability, Field(exclude_if=lambda prob: not prob)] = 0.0
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
        if self.model.type == "cnn_blstm_sa" and self.readout != PAPER_READOUT:
            raise ValueError(
                f"cnn_blstm_sa with readout {self.readout.type}; expected none: it has its own"
            )
        if self.readout.speaker_prior and (self.head_first or not can_be_encoded(self)):
            raise ValueError(
                f"readout.speaker_prior {self.readout.speaker_prior:g}; expected with it "
                "optimizer.frozen [encoder], init other than scratch, ctc_alpha 0.0, spec_augment "
                "null and no head_first: the means of speakers are computed once"
            )
        if not self.ctc_alpha and self.ctc.targets != "transcripts":
            raise ValueError(
                f"ctc.targets {self.ctc.targets} with ctc_alpha 0.0; expected a CTC loss: "
                "without one it changes nothing"
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


def can_be_encoded(config: SystemConfig | PretrainConfig) -> bool:
    """Whether what the encoder gives is the same in every epoch, and all that is needed of it.

    It must be frozen, its input not masked anew, and nothing of the model stand in front of it.
    """
    alike = config.optimizer.freezes_encoder and config.training.spec_augment is None
    if not alike or config.init == SCRATCH:
        return False
    return isinstance(config, PretrainConfig) or not (
        config.readout.needs_vector or config.ctc_alpha
    )
