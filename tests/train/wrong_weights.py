"""What may be wrong with a folder of published weights, and what is said of it."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def edit_tensors(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


def edit_config(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (
        lambda f: f.rename(f.with_name("elsewhere")),
        r"whisper-mini: not there \(seen from .*\); expected a folder of published weights",
    ),
    "no config": (
        lambda f: (f / "config.json").unlink(),
        r"config\.json: not there \(seen from .*\); expected",
    ),
    "no JSON": (lambda f: (f / "config.json").write_text("{"), r"config\.json:1: not JSON"),
    "another model": (
        lambda f: edit_config(f, model_type="wav2vec2"),
        r"config\.json: model_type is wav2vec2; expected whisper",
    ),
    "another size": (
        lambda f: edit_config(f, d_model=512, encoder_layers=6),
        r"d_model 32, published 512; num_blocks 2, published 6\).*encoder\.yaml|another size than",
    ),
    "128 bands": (
        lambda f: edit_config(f, num_mel_bins=128),
        r"num_mel_bins 80, published 128",
    ),
    "a pickle": (
        lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
        r"no weights in this form \(only pytorch_model\.bin, which may run code",
    ),
    "no weights": (
        lambda f: (f / "model.safetensors").unlink(),
        r"model\.safetensors: no weights in this form \(none\); expected safetensors",
    ),
    "cut weights": (
        lambda f: (f / "model.safetensors").write_bytes(
            (f / "model.safetensors").read_bytes()[:-9]
        ),
        r"model\.safetensors: no readable weights",
    ),
    "a missing tensor": (
        lambda f: edit_tensors(f, lambda t: t.pop("model.encoder.layers.1.fc1.weight")),
        r"1 tensors do not fit .*: blocks\.1\.feed_forward\.0\.weight is missing",
    ),
    "a missing value": (
        lambda f: edit_tensors(f, lambda t: t.pop("model.encoder.layers.0.self_attn.v_proj.bias")),
        r"qkv\.bias is missing; layers\.0\.self_attn\.q_proj\.bias is left over",
    ),
    "a value of another block": (
        lambda f: edit_tensors(
            f, lambda t: t.update({"encoder.layers.7.self_attn.v_proj.weight": torch.zeros(1)})
        ),
        r"layers\.7\.self_attn\.v_proj\.weight is left over",
    ),
    "a tensor twice": (
        lambda f: edit_tensors(
            f, lambda t: t.update({"encoder.conv1.bias": t["model.encoder.conv1.bias"] + 1})
        ),
        r"encoder\.conv1\.bias is there twice",
    ),
    "a query that is a number": (
        lambda f: edit_tensors(
            f, lambda t: t.update({"model.encoder.layers.0.self_attn.q_proj.bias": torch.ones(())})
        ),
        r"layers\.0\.self_attn\.q_proj\.bias is left over",
    ),
    "integers": (
        lambda f: edit_tensors(
            f, lambda t: t.update({"model.encoder.conv1.bias": torch.ones(32, dtype=torch.int64)})
        ),
        r"conv1\.bias is torch\.int64, no floating point",
    ),
    "positions of another form": (
        lambda f: edit_tensors(
            f, lambda t: t.update({"model.encoder.embed_positions.weight": torch.zeros(9, 2)})
        ),
        r"embed_positions\.weight is \(9, 2\); expected \(positions, 32\)",
    ),
    "no positions": (
        lambda f: edit_tensors(
            f, lambda t: t.update({"model.encoder.embed_positions.weight": torch.zeros(0, 32)})
        ),
        r"embed_positions\.weight is \(0, 32\); expected",
    ),
    "another activation": (
        lambda f: edit_config(f, activation_function="relu"),
        r"config\.json: activation_function is relu; expected gelu",
    ),
    "quantised": (
        lambda f: edit_config(f, quantization_config={"bits": 8}),
        r"config\.json: quantization_config is .*; expected None",
    ),
    "a pointer": (
        lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec"),
        r"model\.safetensors: a pointer of Git LFS; .* run git lfs pull",
    ),
    "a file in place of the folder": (
        lambda f: (f.rename(f.with_name("elsewhere")), f.write_bytes(b"")),
        r"whisper-mini: a file \(seen from .*\); expected a folder",
    ),
    "a spare tensor": (
        lambda f: edit_tensors(f, lambda t: t.update({"model.adapter.weight": torch.zeros(1)})),
        r"model\.adapter\.weight is left over",
    ),
    "a spare one of the encoder": (
        lambda f: edit_tensors(f, lambda t: t.update({"model.encoder.lora": torch.zeros(1)})),
        r"lora is left over",
    ),
    "a wrong shape": (
        lambda f: edit_tensors(
            f, lambda t: t.update({"model.encoder.conv1.weight": torch.zeros(32, 80, 5)})
        ),
        r"conv1\.weight is \(32, 80, 5\), expected \(32, 80, 3\)",
    ),
    "not finite": (
        lambda f: edit_tensors(f, lambda t: t["model.encoder.conv1.bias"].fill_(float("nan"))),
        r"conv1\.bias is not finite",
    ),
    "trained positions": (
        lambda f: edit_tensors(f, lambda t: t["model.encoder.embed_positions.weight"].mul_(1.1)),
        r"embed_positions\.weight is 0\.1 off the sinusoids",
    ),
}
