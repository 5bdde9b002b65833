"""Pre-training (section 3.1): the encoder as a CTC speech recogniser."""

from dataclasses import dataclass
from pathlib import Path

from ser.base.errors import SerError
from ser.base.record import Record, require
from ser.config.load import load_config
from ser.config.schema import CtcConfig, PretrainConfig
from ser.data.batch import Batch
from ser.data.loader import load_batches
from ser.data.sampler import sorted_batches
from ser.data.utterances import (
    FeatureDir,
    check_num_mel_bins,
    read_feature_dir,
    report_padded,
    select,
)
from ser.metrics.wer import word_error_rate
from ser.nn.losses import Loss, ctc_sum, pretrain_loss
from ser.nn.recogniser import Recogniser, greedy_ctc
from ser.text.bpe import Tokenizer
from ser.train.ctc_targets import check_ctc_lengths, encode_transcripts
from ser.train.device import choose_device, prepare_process, threads_per_job
from ser.train.folder import train_in_folder
from ser.train.loop import ComputeLoss, Selection, Trainer, TrainingData, autocast


@dataclass(frozen=True, kw_only=True)
class PretrainRun:
    """One pre-training run.

    Attributes:
        config_path: ``conf/pretrain/<name>.yaml``.
        train_data: ``data/asr_train``, whose record tells of missing subsets.
        train_feats: Features of the training utterances.
        valid_feats: Features of the validation utterances.
        bpe: Folder of the BPE model.
        folder: Where the run is written.
        seed: Seed of initialisation, order and dropout.
        num_gpus: 0 or 1.
        force: Whether another run in the folder is moved aside.
    """

    config_path: Path
    train_data: Path
    train_feats: Path
    valid_feats: Path
    bpe: Path
    folder: Path
    seed: int
    num_gpus: int
    force: bool


def pretrain(run: PretrainRun) -> None:
    """Trains the recogniser; encoder and CTC head are in ``model.safetensors`` at the end.

    Raises:
        SerError: An input is missing or stale, subsets are missing that the configuration does
            not allow to miss, or the folder holds another run.
    """
    config = load_config(run.config_path, PretrainConfig)
    inputs = {
        str(path): require(path, stage)["identity"]
        for path, stage in ((run.train_feats, 1), (run.valid_feats, 1), (run.bpe, 2))
    }
    check_num_mel_bins(require(run.train_feats, 1), config.encoder.num_mel_bins, run.train_feats)
    missing = require(run.train_data, 0)["notes"].get("missing_subsets", [])
    if missing and not config.allow_missing_subsets:
        raise SerError(
            f"{run.train_data}: LibriSpeech's {', '.join(missing)} are missing; {run.config_path} "
            "expects all; restore them and rerun from stage 0, or set allow_missing_subsets: true"
        )
    record = Record(run.folder, 3, {**config.model_dump(), "seed": run.seed}, inputs)
    train_in_folder(record, run.force, lambda: _train(run, config))


def _train(run: PretrainRun, config: PretrainConfig) -> dict[str, float]:
    prepare_process(threads_per_job(1), run.seed)
    device = choose_device(run.num_gpus)
    tokenizer = Tokenizer.load(run.bpe / "bpe.model")
    train, valid = read_feature_dir(run.train_feats), read_feature_dir(run.valid_feats)
    model = Recogniser(config.encoder, tokenizer.vocab_size).to(device)
    utterances = select(train, train.data.utts, tokens=encode_transcripts(train, tokenizer))
    report_padded(utterances, model.encoder.min_frames, str(run.folder))
    listing = run.folder / "too_short_for_ctc.txt"
    check_ctc_lengths(utterances, model.encoder, config.ctc, run.train_feats, listing)

    return Trainer(
        model,
        recogniser_loss(model, config.ctc),
        TrainingData(utterances, train.feats),
        config.training,
        config.optimizer,
        run.folder,
        run.seed,
        lambda: validate(model, valid, tokenizer, config),
        Selection("valid_wer", higher_is_better=False) if config.selection != "last" else None,
    ).run()


def recogniser_loss(model: Recogniser, config: CtcConfig) -> ComputeLoss:
    """The loss of pre-training, from a batch."""

    def compute_loss(batch: Batch) -> Loss:
        logits, frame_lens = model(batch.feats, batch.feat_lens)
        return pretrain_loss(logits, frame_lens, batch.tokens, batch.token_lens, config)

    return compute_loss


def validate(
    model: Recogniser, valid: FeatureDir, tokenizer: Tokenizer, config: PretrainConfig
) -> dict[str, float]:
    """Loss and greedy WER on the validation utterances; the model is in evaluation mode."""
    device = next(model.parameters()).device
    utterances = select(valid, valid.data.utts, tokens=encode_transcripts(valid, tokenizer))
    batches = sorted_batches([u.num_frames for u in utterances], config.training.batch_size_utts)
    total, words = 0.0, {}
    for batch in load_batches(utterances, valid.feats, batches):
        batch = batch.to(device)
        with autocast(device, config.training.precision):
            logits, frame_lens = model(batch.feats, batch.feat_lens)
        loss = ctc_sum(logits, frame_lens, batch.tokens, batch.token_lens, config.ctc)
        total += loss.item()
        for utt, tokens in zip(batch.utts, greedy_ctc(logits, frame_lens), strict=True):
            words[utt] = tokenizer.decode(tokens)
    text = valid.data["text"]
    rate = word_error_rate([text[utt] for utt in words], list(words.values()))
    return {
        "valid_loss": total / len(utterances),
        "valid_wer": float("nan") if rate is None else rate,
    }
