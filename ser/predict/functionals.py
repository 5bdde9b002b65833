"""The comparison without a network: functionals of opensmile and a linear SVM."""

import inspect
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ser.audio.reading import INT16_SCALE, read_audio
from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.base.record import Record, Stage, require
from ser.base.writing import sole_run
from ser.config.baselines import FunctionalsConfig
from ser.data.utterances import FeatureDir, read_feature_dir
from ser.feats.extract import start_or_resume
from ser.kaldi.ark import ArkWriter
from ser.predict.linear import write_vectors
from ser.train.encoded import finish_matrices
from ser.train.resolve import FinetuneRun

SAMPLE_RATE_HZ = 16000


def functionals_record(run: FinetuneRun, config: FunctionalsConfig, features: FeatureDir) -> Record:
    """The folder of the functionals of all utterances; made where it is not there yet.

    They are computed once for all systems that use them; what is killed goes on.

    Raises:
        SerError: opensmile is not installed, or audio is unreadable.
    """
    inputs = {str(run.feats): str(require(run.feats, Stage.FEATURES)["identity"])}
    record = Record(run.exp_dir / run.system, Stage.PREDICT, config.model_dump(), inputs)
    if not record.is_finished():
        settings = {"functionals": config.functionals, "normalisation": "none"}
        folder = run.exp_dir / "encoded" / config.functionals / run.feats.name
        computed = Record(folder, Stage.PREDICT, settings, inputs)
        with sole_run(folder, wait=True):
            if not computed.is_finished():
                _compute(computed, features)
        vectors = read_feature_dir(folder)
        write_vectors(record, {utt: vectors.feats[utt][0] for utt in vectors.num_frames})
    return record


def _compute(record: Record, features: FeatureDir) -> None:
    start_or_resume(record)
    with ArkWriter(record.folder, "float32") as writer:
        wavs = features.data["wav.scp"]
        missing = {utt: wav for utt, wav in wavs.items() if utt not in writer.num_frames}
        for utt, values in _functionals(missing, record.config["functionals"]):
            writer.write(utt, values[None])
        finish_matrices(record, writer, features)


def _functionals(wavs: Mapping[str, str], name: str) -> Iterator[tuple[str, Floats]]:
    """The functionals (F,) of each file."""
    try:
        import opensmile
    except ImportError as error:
        raise SerError(
            f"{name}: opensmile is not installed; expected it for this comparison; pip install "
            "opensmile (its licence allows research only), or leave the system out (--systems)"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        # opensmile takes ASCII paths alone, and may be installed under any.
        root = Path(folder) / "config"
        root.symlink_to(Path(inspect.getfile(opensmile.Smile)).parent / root.name)
        smile = type("Smile", (opensmile.Smile,), {"default_config_root": str(root)})(
            feature_set=getattr(opensmile.FeatureSet, name),
            feature_level=opensmile.FeatureLevel.Functionals,
        )
        for utt, wav in tqdm(wavs.items(), desc=name, unit="utt", disable=None):
            samples = read_audio(Path(wav), utt, SAMPLE_RATE_HZ) / INT16_SCALE
            table = smile.process_signal(samples, SAMPLE_RATE_HZ)
            yield utt, np.nan_to_num(table.to_numpy()[0].astype(np.float32))
