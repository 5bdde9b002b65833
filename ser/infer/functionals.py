"""The comparison without a network: functionals of opensmile and a linear SVM."""

import inspect
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ser.base.errors import SerError
from ser.base.files import whole_folder
from ser.base.record import Record, require
from ser.config.controls import FunctionalsConfig
from ser.config.load import load_config
from ser.config.schema import LabelsConfig
from ser.corpus.fold_lists import TEST, TRAIN, read_fold
from ser.data.utterances import FeatureDir
from ser.infer.predictor import Prediction
from ser.kaldi.audio import INT16_SCALE, read_audio
from ser.train.finetune_run import FinetuneRun

if TYPE_CHECKING:  # scikit-learn takes seconds to import: not before it is needed
    from sklearn.pipeline import Pipeline

FILE = "functionals.safetensors"
SAMPLE_RATE_HZ = 16000
Floats = npt.NDArray[np.float64]


def functionals_record(run: FinetuneRun, config: FunctionalsConfig, features: FeatureDir) -> Record:
    """The folder of the functionals of all utterances; made where it is not there yet.

    Raises:
        SerError: opensmile is not installed, or audio is unreadable.
    """
    inputs = {str(run.feats): str(require(run.feats, 1)["identity"])}
    record = Record(run.exp_dir / run.system, 5, config.model_dump(), inputs)
    if not record.is_finished():
        values = _functionals(features.data["wav.scp"], config.functionals)
        with whole_folder(record.folder) as folder:
            save_file(values, folder / FILE)
            Record(folder, record.stage, record.config, record.inputs).finish()
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


def predict_from_functionals(
    run: FinetuneRun, config: FunctionalsConfig, features: FeatureDir, folder: Path
) -> list[Prediction]:
    """Fits on the training part of the run's fold and predicts its test part.

    The posteriors are the softmax of the margins: in order, but not calibrated. The seed plays no
    part.
    """
    labels = load_config(run.conf / "labels.yaml", LabelsConfig)
    fold = read_fold(run.exp_dir / "folds", run.fold)
    values = load_file(folder / FILE)
    train, test = ([u for u, p in fold.items() if p == part] for part in (TRAIN, TEST))
    emotion_of, spk_of = features.data["utt2emo"], features.data["utt2spk"]

    def matrix(utts: Sequence[str]) -> Floats:
        return np.stack([values[utt] for utt in utts]).astype(np.float64)

    wanted = np.array([labels.names.index(emotion_of[utt]) for utt in train])
    with threadpool_limits(1):
        cost = best_cost(matrix(train), wanted, [spk_of[utt] for utt in train], config)
        margins = _svm(cost).fit(matrix(train), wanted).decision_function(matrix(test))
    if margins.ndim == 1:  # two classes have one margin
        margins = np.stack([-margins, margins], axis=1)
    shares = np.exp(margins - margins.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return [
        Prediction(utt, tuple(map(float, row)), None) for utt, row in zip(test, shares, strict=True)
    ]


def best_cost(
    values: Floats,
    wanted: npt.NDArray[np.int64],
    speakers: Sequence[str],
    config: FunctionalsConfig,
) -> float:
    """The cost with the best UA over training speakers held out in turn; of equals the smallest.

    Args:
        values: Functionals (N, F).
        wanted: Classes (N,).
        speakers: N speakers, each on one side of every division.
        config: The costs, and the number of divisions.
    """
    from sklearn.metrics import recall_score
    from sklearn.model_selection import GroupKFold

    num_folds = min(config.num_cost_folds, len(set(speakers)))
    if num_folds < 2 or len(config.costs) == 1:
        return config.costs[0]
    scores = dict.fromkeys(sorted(config.costs), 0.0)
    for cost in scores:
        heard = np.empty_like(wanted)
        for inside, outside in GroupKFold(num_folds).split(values, wanted, speakers):
            heard[outside] = _svm(cost).fit(values[inside], wanted[inside]).predict(values[outside])
        scores[cost] = recall_score(wanted, heard, average="macro")
    return max(scores, key=lambda cost: scores[cost])


def _svm(cost: float) -> "Pipeline":
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    return make_pipeline(
        StandardScaler(), LinearSVC(C=cost, class_weight="balanced", random_state=0, max_iter=5000)
    )
