"""One side of ``api_vs_peers``: files through a Python interface, in a process of its own.

Usage: python -m benchmarks.api_sides OUT SIDE MODEL FILE...
"""

import json
import sys
import time
import types
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.row import resident

THREADS = 2
NUM_LABELS = 4
HPARAMS = """
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: 80
mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False
embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: 80
    channels: [168, 168, 168, 168, 504]
    kernel_sizes: [5, 3, 3, 3, 1]
    dilations: [1, 2, 3, 4, 1]
    attention_channels: 64
    lin_neurons: 192
classifier: !new:speechbrain.lobes.models.ECAPA_TDNN.Classifier
    input_size: 192
    out_neurons: 4
modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    classifier: !ref <classifier>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder
"""


def ours(model_path: Path) -> tuple[Callable[[str], Any], int]:
    """``ser.load``, and the number of parameters."""
    import torch

    from ser import load
    from ser.infer.torch_engine import TorchEngine

    torch.set_num_threads(THREADS)
    model = load(model_path)
    assert isinstance(model.engine, TorchEngine)
    return model.predict, sum(p.numel() for p in model.engine.networks[0].parameters())


def speechbrain(folder: Path) -> tuple[Callable[[str], Any], int]:
    """An ``EncoderClassifier`` with random weights."""
    import torch
    from speechbrain.inference.classifiers import EncoderClassifier

    torch.set_num_threads(THREADS)
    (folder / "hyperparams.yaml").write_text(HPARAMS)
    model = EncoderClassifier.from_hparams(source=str(folder), savedir=str(folder))
    model.hparams.label_encoder.update_from_iterable("abcd")
    model.hparams.label_encoder.expect_len(NUM_LABELS)

    def predict(path: str) -> Any:
        return model.classify_batch(model.load_audio(path, savedir=str(folder))[None])

    return predict, sum(p.numel() for p in model.mods.parameters())


def s3prl(folder: Path) -> tuple[Callable[[str], Any], int]:
    """An ``S3PRLUpstream`` (a small HuBERT), ``Featurizer`` and ``MeanPoolingLinear``."""
    import soundfile
    import torch
    import torchaudio

    torch.set_num_threads(THREADS)
    # s3prl 0.4.18 imports these of older versions of torchaudio; none of them is called.
    torchaudio.set_audio_backend = lambda _: None
    gone = types.ModuleType("torchaudio.sox_effects")
    gone.apply_effects_tensor = gone.apply_effects_file = None
    sys.modules["torchaudio.sox_effects"] = torchaudio.sox_effects = gone
    from s3prl.nn import Featurizer, MeanPoolingLinear, S3PRLUpstream
    from s3prl.upstream.hubert.hubert_model import (
        HubertConfig,
        HubertModel,
        HubertPretrainingConfig,
    )

    checkpoint, symbols = folder / "hubert.pt", [["a", "b"]]
    if not checkpoint.exists():
        config = HubertConfig(
            label_rate=50,
            encoder_layers=4,
            encoder_embed_dim=128,
            encoder_ffn_embed_dim=512,
            encoder_attention_heads=4,
            conv_feature_layers="[(64,10,5)] + [(64,3,2)] * 4 + [(64,2,2)] * 2",
            conv_pos=64,
            conv_pos_groups=8,
            final_dim=64,
        )
        task = HubertPretrainingConfig(label_rate=50)
        state = {
            "task_cfg": asdict(task),
            "model_cfg": asdict(config),
            "model_weight": HubertModel(config, task, symbols).state_dict(),
            "dictionaries_symbols": symbols,
        }
        torch.save(state, checkpoint)
    upstream = S3PRLUpstream("hubert_custom", str(checkpoint)).eval()
    featurizer = Featurizer(upstream).eval()
    head = MeanPoolingLinear(featurizer.output_size, NUM_LABELS).eval()

    @torch.inference_mode()
    def predict(path: str) -> Any:
        samples, _ = soundfile.read(path, dtype="float32")
        hidden = upstream(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        return head(*featurizer(*hidden))

    parts = (upstream, featurizer, head)
    return predict, sum(p.numel() for part in parts for p in part.parameters())


def transformers(folder: Path) -> tuple[Callable[[str], Any], int]:
    """The pipeline of ``audio-classification``."""
    import soundfile
    import torch
    from transformers import pipeline

    torch.set_num_threads(THREADS)
    classify = pipeline("audio-classification", model=str(folder), top_k=None, device="cpu")

    def predict(path: str) -> Any:
        samples, rate = soundfile.read(path, dtype="float32")
        return classify({"raw": samples, "sampling_rate": rate})

    return predict, sum(p.numel() for p in classify.model.parameters())


def onnx(path: Path) -> tuple[Callable[[str], Any], int]:
    """``ser.load`` of an exported model, which needs no torch; its parameters are not counted."""
    from ser import load

    return load(path, num_threads=THREADS).predict, 0


SIDES = {
    "ser": ours,
    "ser_onnx": onnx,
    "speechbrain": speechbrain,
    "s3prl": s3prl,
    "transformers": transformers,
}


def main() -> None:
    """Loads, predicts all files once untimed and once timed, writes what was measured."""
    out, side, model_path, *files = sys.argv[1:]
    if side != "ser_onnx":
        import torch  # noqa: F401  # which the others do: what they add to it is theirs

    before = resident("VmRSS")
    predict, num_parameters = SIDES[side](Path(model_path))
    predict(files[0])
    ready = time.perf_counter()
    for file in files:
        predict(file)
    measured = {
        "seconds": time.perf_counter() - ready,
        # Not by getrusage, which counts that of the process which started this one.
        "peak_megabytes": resident("VmHWM") / 2**20,
        "added_megabytes": (resident("VmHWM") - before) / 2**20,
        "parameters": num_parameters,
    }
    Path(out).write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
