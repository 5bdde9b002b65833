"""The baseline of a frozen encoder: a linear classifier of its outputs; no network is trained."""

from ser.base.record import Record, Stage, require
from ser.config.baselines import ProbeConfig
from ser.config.made_with import require_encoder
from ser.config.network import ReadoutConfig
from ser.config.pretraining import load_pretraining
from ser.data.utterances import read_feature_dir
from ser.predict.linear import write_vectors
from ser.train.encoded import encode_features
from ser.train.engine.distributed import one_device
from ser.train.frozen import MAX_FRAMES, Encoding
from ser.train.resolve import FinetuneRun


def probe_record(run: FinetuneRun, config: ProbeConfig) -> Record:
    """The folder of what the encoder gathers of all utterances; made where it is not there yet.

    Raises:
        SerError: The encoder, or an input, is missing or stale.
    """
    encoding = Encoding(
        config=load_pretraining(run.conf, config.probe_of).encoder,
        readout=ReadoutConfig(type="mean_sd", least_loudness=config.least_loudness),
        encoder=run.pretrain / config.probe_of,
        feats=run.feats,
        speed_factors=(),
        max_frames=MAX_FRAMES,
        out=run.exp_dir / "encoded",
    )
    encoder = require(encoding.encoder, Stage.PRETRAIN)
    require_encoder(encoding.encoder, encoder, run.conf)
    (encoded,) = encode_features(encoding, one_device(run.num_gpus))
    inputs = {str(encoded.folder): encoded.identity}
    record = Record(run.exp_dir / run.system, Stage.PREDICT, config.model_dump(), inputs)
    if not record.is_finished():
        vectors = read_feature_dir(encoded.folder)
        values = {utt: vectors.feats[utt][0] for utt in vectors.num_frames}
        write_vectors(record, values, published=encoder["notes"].get("published"))
    return record
