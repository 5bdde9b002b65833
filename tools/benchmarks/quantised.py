"""What 8-bit weights cost in accuracy."""

import tempfile
from pathlib import Path

from benchmarks.row import Row
from ser.base.errors import SerError
from ser.corpus.fold_files import TEST, read_fold
from ser.infer.loading import load
from ser.infer.result import Result
from ser.kaldi.data_dir import read_data_dir
from ser.release.export import export_onnx

MINI = Path(__file__).parents[2] / "egs" / "mini"
SYSTEM = "transformer_tl_mtl"


def int8_accuracy() -> Row:
    """Points of WA from float32 to int8 in egs/mini: each fold's model on the fold it never saw."""
    runs = sorted((MINI / "exp" / SYSTEM / "seed1").glob("fold*"))
    if not runs:
        raise SerError(f"{MINI}: {SYSTEM} is not trained; expected stage 4; run egs/mini/run.sh")
    data = read_data_dir(MINI / "data" / "ser")
    right = {"float32": 0, "int8": 0}
    sizes = {"float32": 0, "int8": 0}
    same = total = 0
    with tempfile.TemporaryDirectory() as folder:
        for run in runs:
            fold = read_fold(MINI / "exp" / "folds", run.name.removeprefix("fold"))
            tested = [utt for utt, part in fold.items() if part == TEST]
            heard: dict[str, list[str | None]] = {}
            for kind in right:
                path = Path(folder, f"{kind}.onnx")
                export_onnx(load(run), path, features_inside=False, int8=kind == "int8")
                sizes[kind] = path.stat().st_size
                results = load(path).predict_files([Path(data["wav.scp"][u]) for u in tested])
                heard[kind] = [r.label if isinstance(r, Result) else None for _, r in results]
                right[kind] += sum(
                    label == data["utt2emo"][utt]
                    for utt, label in zip(tested, heard[kind], strict=True)
                )
            same += sum(a == b for a, b in zip(heard["float32"], heard["int8"], strict=True))
            total += len(tested)
    return Row(
        key="int8_accuracy",
        value=100 * (right["int8"] - right["float32"]) / total,
        target="reported",
        raw={
            "float32.wa": right["float32"] / total,
            "int8.wa": right["int8"] / total,
            "same_decisions": same / total,
            "float32.bytes": sizes["float32"],
            "int8.bytes": sizes["int8"],
        },
    )
