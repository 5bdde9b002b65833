"""The comparison without a network: functionals of opensmile and a linear SVM."""

import inspect
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ser.audio.reading import INT16_SCALE, read_audio
from ser.base.errors import SerError
from ser.base.record import Record, Stage, require
from ser.config.baselines import FunctionalsConfig
from ser.data.utterances import FeatureDir
from ser.predict.linear import write_vectors
from ser.train.resolve import FinetuneRun

SAMPLE_RATE_HZ = 16000


def functionals_record(run: FinetuneRun, config: FunctionalsConfig, features: FeatureDir) -> Record:
    """The folder of the functionals of all utterances; made where it is not there yet.

    Raises:
        SerError: opensmile is not installed, or audio is unreadable.
    """
    inputs = {str(run.feats): str(require(run.feats, Stage.FEATURES)["identity"])}
    record = Record(run.exp_dir / run.system, Stage.PREDICT, config.model_dump(), inputs)
    if not record.is_finished():
        write_vectors(record, _functionals(features.data["wav.scp"], config.functionals))
    return record


def _functionals(wavs: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        import opensmile
    except ImportError as error:
        raise SerError(
            f"{name}: opensmile is not installed; expected it for this comparison; pip install "
            "opensmile (its licence allows research only), or leave the system out (--systems)"
        ) from error
    values = {}
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
            values[utt] = np.nan_to_num(table.to_numpy()[0].astype(np.float32))
    return values
