"""What a frozen encoder makes of the features: computed once, not in every epoch and every run."""

import time
from pathlib import Path

import torch
from tqdm import tqdm

from ser.base.errors import GO_ON, StoppedError
from ser.base.log import logger
from ser.base.record import Record, Stage, identity_of, require
from ser.base.writing import sole_run
from ser.data.loader import load_batches
from ser.data.sampler import split_by_frames
from ser.data.utterances import GATHERED, FeatureDir, read_feature_dir, report_lengths, select
from ser.feats.extract import start_or_resume
from ser.feats.speed_copies import speed_dir
from ser.kaldi.ark import ArkWriter
from ser.kaldi.data_dir import write_data_dir
from ser.nn.cpu.accelerate import accelerate
from ser.nn.emotion import EmotionModel
from ser.nn.recogniser import Recogniser
from ser.nn.systems import CTC_HEAD, load_pretrained
from ser.nn.weights import load_weights
from ser.train.engine.memory import out_of_memory_named
from ser.train.frozen import Encoding

TELL_EVERY_SECONDS = 60  # without a terminal


def encode_features(
    encoding: Encoding, device: torch.device, deadline: float | None = None
) -> list[Record]:
    """Writes a folder like one of stage 1, whose matrices are what the readout gathers.

    A killed run goes on where it stood; another that writes the same folder is waited for.

    Returns:
        The records of the folders: of the features and of each copy.

    Raises:
        SerError: An input is missing or stale.
        StoppedError: It is later than ``deadline`` (``time.monotonic``); what is written stays.
    """
    records = []
    for factor in (1.0, *encoding.speed_factors):
        source, out = speed_dir(encoding.feats, factor), speed_dir(encoding.folder, factor)
        inputs = {
            str(source): require(source, Stage.FEATURES)["identity"],
            str(encoding.encoder): identity_of(require(encoding.encoder, Stage.PRETRAIN)),
        }
        settings = {GATHERED: encoding.folder.parent.name, "normalisation": "none"}
        record = Record(out, Stage.FINETUNE, settings, inputs)
        with sole_run(out, wait=True):
            if not record.is_finished():
                _encode(encoding, source, record, device, deadline)
        records.append(record)
    return records


def _encode(
    encoding: Encoding,
    source: Path,
    record: Record,
    device: torch.device,
    deadline: float | None,
) -> None:
    start_or_resume(record)
    features = read_feature_dir(source)
    model = _model(encoding).to(device).eval()
    accelerate(model)
    utterances = select(features, features.data.utts)
    report_lengths(utterances, model.encoder.min_frames, str(record.folder))
    lens = [u.num_frames for u in utterances]
    wanted = split_by_frames(lens, encoding.max_frames)
    with ArkWriter(record.folder, "float32") as writer:
        wanted = [p for p in wanted if any(utterances[i].utt not in writer.num_frames for i in p)]
        batches = load_batches(utterances, features.feats, wanted, device)
        bar = tqdm(batches, total=len(wanted), desc=str(record.folder), disable=None)
        told = time.monotonic()
        for batch in bar:
            if deadline and time.monotonic() > deadline:
                raise StoppedError(
                    f"{record.folder}: stopped with {len(writer.num_frames)} of {len(utterances)} "
                    f"utterances through {encoding.encoder} (the time is up); {GO_ON}"
                )
            what = f"{record.folder}: a batch of {len(batch.utts)} utterances"
            with torch.inference_mode(), out_of_memory_named(encoding.max_frames, what):
                hidden, sizes = model.encode(batch.feats, batch.feat_lens)
            for utt, matrix, size in zip(batch.utts, hidden.cpu(), sizes.tolist(), strict=True):
                if utt not in writer.num_frames:
                    writer.write(utt, matrix[:size].contiguous().numpy())
            if bar.disable and time.monotonic() > told + TELL_EVERY_SECONDS:
                told = time.monotonic()
                done = len(writer.num_frames), len(utterances)
                logger.info("%s: %s of %s utterances", record.folder, *done)
        finish_matrices(record, writer, features)
    logger.info("%s: %s utterances through %s", record.folder, len(utterances), encoding.encoder)


def finish_matrices(record: Record, writer: ArkWriter, features: FeatureDir) -> None:
    """Declares whole what was made of all utterances of some features, with their tables."""
    scp = writer.finish()
    num_frames = {utt: str(count) for utt, count in writer.num_frames.items()}
    tables = {**features.data.tables, "utt2num_frames": num_frames, "feats.scp": scp}
    write_data_dir(record.folder, tables)
    record.finish(num_utts=len(scp))


def _model(encoding: Encoding) -> EmotionModel | Recogniser:
    """The encoder with its weights, and heads that play no part."""
    model: EmotionModel | Recogniser
    with torch.random.fork_rng(devices=[]):  # a run draws the same, whether this is done or not
        if encoding.readout is None:
            model = Recogniser(encoding.config, vocab_size=2)
        else:
            model = EmotionModel(encoding.config, 2, None, encoding.readout)
    weights_path = encoding.encoder / "model.safetensors"
    weights = {n: w for n, w in load_weights(weights_path).items() if not n.startswith(CTC_HEAD)}
    load_pretrained(weights, model, str(weights_path))
    return model
