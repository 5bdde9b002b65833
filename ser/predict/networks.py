"""What a finished fine-tuning run says of utterances of its fold."""

import math
from collections.abc import Collection, Iterator, Sequence
from functools import partial

from ser.base.errors import SerError
from ser.base.record import Stage, rerun_hint
from ser.config.schema import TrainingConfig
from ser.data.utterances import (
    FeatureDir,
    FeatureReader,
    Utterance,
    by_speaker,
    read_feature_dir,
    report_lengths,
    select,
)
from ser.infer.torch_engine import load_network
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.emotion import EmotionModel
from ser.nn.recogniser import transcribe
from ser.predict.prediction import NETWORK, Prediction
from ser.text.bpe import Tokenizer
from ser.train.encoded import encode_features
from ser.train.engine.distributed import one_device
from ser.train.engine.forward import forward_batches
from ser.train.engine.step import run_emotion_model
from ser.train.frozen import encoding_of
from ser.train.resolve import ResolvedRun


def predict_parts(
    resolved: ResolvedRun, features: FeatureDir, parts: Collection[str]
) -> Iterator[Prediction]:
    """Predictions of the utterances in some parts of the run's fold, the longest first."""
    run, system = resolved.run, resolved.system
    device = one_device(run.num_gpus)
    tokenizer = resolved.tokenizer()
    vocab_size = tokenizer.vocab_size if tokenizer else None
    weights = run.folder / NETWORK
    remedy = f"run {rerun_hint(Stage.FINETUNE)}"
    model = load_network(system, len(resolved.labels.names), vocab_size, weights, device, remedy)
    utts = [utt for utt, part in resolved.fold.items() if part in parts]
    if encoding := encoding_of(run, system):
        encode_features(encoding, device)
        features = read_feature_dir(encoding.folder)
    utterances = select(features, utts)
    feats = features.feats
    if not feats.encoded:
        report_lengths(utterances, model.min_frames, run.name)
    if isinstance(model, EmotionModel) and model.speaker_prior:
        feats = by_speaker(features, [utts], model.speaker_prior, model.training_mean())
    return predict_utterances(model, utterances, feats, tokenizer, system.training)


def predict_utterances(
    model: EmotionModel | CnnBlstmSa,
    utterances: Sequence[Utterance],
    feats: FeatureReader,
    tokenizer: Tokenizer | None,
    training: TrainingConfig,
) -> Iterator[Prediction]:
    """Predicts utterances in batches, the longest first.

    Args:
        model: On its device, in evaluation mode.
        utterances: Which.
        feats: Their features.
        tokenizer: Gives the words; None for a system without CTC head.
        training: Gives size and precision of the batches.

    Raises:
        SerError: A batch does not fit into memory, or posteriors are not finite.
    """
    device = next(model.parameters()).device
    forward = partial(run_emotion_model, model)
    for batch, output in forward_batches(forward, utterances, feats, training, device):
        posteriors = output.emotion_logits.float().softmax(dim=1).tolist()
        words: list[str] | list[None] = [None] * len(batch.utts)
        if tokenizer and output.ctc_logits is not None:
            tokens = transcribe(output.ctc_logits, output.frame_lens)
            words = [tokenizer.decode(t) for t in tokens]
        for utt, row, text in zip(batch.utts, posteriors, words, strict=True):
            if not all(map(math.isfinite, row)):
                raise SerError(
                    f"{utt}: the model's posteriors are not finite; expected features and weights "
                    "that are; look at the utterance's audio and the run's train.log; "
                    f"run {rerun_hint(Stage.FINETUNE)}"
                )
            yield Prediction(utt, tuple(row), text)
