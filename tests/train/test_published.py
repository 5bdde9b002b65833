"""Published weights: every tensor accounted for, and every wrong folder told in one line."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import whisper_config
from tiny_whisper import write_published

from ser.base.errors import SerError
from ser.base.files import digest_file
from ser.base.record import read_record
from ser.config.network import WhisperConfig
from ser.config.published import ImportConfig
from ser.nn.weights import load_weights
from ser.nn.whisper import WhisperEncoder
from ser.train.published import import_encoder, read_encoder

CONFIG = whisper_config()
PUBLISHED = {
    "name": "somebody/whisper-mini",
    "revision": "0" * 40,
    "licence": "MIT",
    "note": "for recognition",
}


def import_config(config: WhisperConfig = CONFIG) -> ImportConfig:
    return ImportConfig.model_validate({"encoder": config.model_dump(), "published": PUBLISHED})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the hub has it."""
    return write_published(tmp_path / "whisper-mini", CONFIG)


def edit_tensors(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


def edit_config(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def expected() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    weights = WhisperEncoder(CONFIG).state_dict()
    for block in range(CONFIG.num_blocks):  # the key's bias, which changes nothing
        bias = weights[f"blocks.{block}.attention.qkv.bias"]
        bias[CONFIG.d_model : 2 * CONFIG.d_model] = 0
    return {f"encoder.{name}": tensor for name, tensor in weights.items()}


def test_all_weights_arrive(folder: Path) -> None:
    weights = read_encoder(folder, CONFIG)
    wanted = expected()
    assert weights.keys() == wanted.keys()
    assert all(torch.equal(weights[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read(folder: Path, dtype: torch.dtype) -> None:
    edit_tensors(folder, lambda t: t.update({k: v.to(dtype) for k, v in t.items()}))
    weights = read_encoder(folder, CONFIG)
    for name, tensor in expected().items():
        assert weights[name].dtype == torch.float32
        assert torch.equal(weights[name], tensor.to(dtype).float())


def test_shards_are_read(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, own in shards.items():
        save_file({name: tensors[name] for name in own}, folder / file)
    index = {"weight_map": {name: file for file, own in shards.items() for name in own}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert read_encoder(folder, CONFIG).keys() == expected().keys()
    cut = (folder / "b.safetensors").read_bytes()[:-100]
    (folder / "b.safetensors").write_bytes(cut)
    with pytest.raises(SerError, match=r"b\.safetensors: no readable weights .*fetch it again"):
        read_encoder(folder, CONFIG)
    (folder / "b.safetensors").unlink()
    with pytest.raises(SerError, match=r"index\.json: names 2 files, 1 of them are missing \(b\."):
        read_encoder(folder, CONFIG)


@pytest.mark.parametrize("prefix", ["encoder.", "model.encoder."])
def test_any_of_the_classes_is_read(folder: Path, prefix: str) -> None:
    """WhisperModel and those for generation and classification name the encoder differently."""

    def rename(tensors: dict[str, torch.Tensor]) -> None:
        for name in [n for n in tensors if n.startswith("model.encoder.")]:
            tensors[prefix + name.removeprefix("model.encoder.")] = tensors.pop(name)
        tensors |= {"projector.weight": torch.zeros(1), "proj_out.weight": torch.zeros(1)}

    edit_tensors(folder, rename)
    assert read_encoder(folder, CONFIG).keys() == expected().keys()


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


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(folder: Path, case: str, tmp_path: Path) -> None:
    spoil, message = WRONG[case]
    spoil(folder)
    with pytest.raises(SerError) as caught:
        import_encoder(import_config(), str(folder), tmp_path / "out")
    assert re.search(message, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "run.json").exists()
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_the_import_is_recorded_and_kept(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "exp" / "mini"
    import_encoder(import_config(), str(folder), out)
    notes = read_record(out)["notes"]
    assert notes["published"]["licence"] == "MIT"
    assert len(notes["published"]["sha256"]["model.safetensors"]) == 64
    assert notes["fbank"] == {"type": "whisper", "num_mel_bins": 80, "normalisation": "none"}
    assert load_weights(out / "model.safetensors").keys() == expected().keys()
    before = (out / "run.json").read_bytes()
    import_encoder(import_config(), str(folder), out)
    import_encoder(import_config(), "", out)  # the folder is not needed any more
    assert (out / "run.json").read_bytes() == before


def test_weights_are_not_called_by_another_name(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    digest = digest_file(folder / "model.safetensors")
    for number, (sha256, is_published) in enumerate(((digest, True), ("0" * 64, False))):
        config = ImportConfig.model_validate(
            {"encoder": CONFIG.model_dump(), "published": {**PUBLISHED, "sha256": sha256}}
        )
        out = tmp_path / str(number)
        import_encoder(config, str(folder), out)
        assert read_record(out)["notes"]["published"]["is_published"] == is_published
        warned = f"{folder}: not the weights of somebody/whisper-mini" in caplog.text
        assert warned != is_published


def test_a_digest_that_is_corrected_counts(folder: Path, tmp_path: Path) -> None:
    for sha256 in ("0" * 64, digest_file(folder / "model.safetensors")):
        config = ImportConfig.model_validate(
            {"encoder": CONFIG.model_dump(), "published": {**PUBLISHED, "sha256": sha256}}
        )
        import_encoder(config, str(folder), tmp_path / "out")
    assert read_record(tmp_path / "out")["notes"]["published"]["is_published"]


def test_other_weights_move_the_earlier_ones_aside(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "exp" / "mini"
    import_encoder(import_config(), str(folder), out)
    edit_tensors(folder, lambda t: t["model.encoder.conv1.bias"].add_(1))
    import_encoder(import_config(), str(folder), out)
    (aside,) = out.parent.glob("mini.*")
    old, new = (load_weights(path / "model.safetensors") for path in (aside, out))
    assert torch.equal(old["encoder.conv1.bias"] + 1, new["encoder.conv1.bias"])


def test_without_weights_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(
        SerError, match=r"WHISPER: not set; .*somebody/whisper-mini.* or the word hub"
    ):
        import_encoder(import_config(), "", tmp_path / "out")


def test_the_hub_is_asked_for_the_pinned_revision(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def snapshot_download(name: str, **given: object) -> str:
        asked.update(given, name=name)
        return str(folder)

    hub = ModuleType("huggingface_hub")
    hub.snapshot_download = snapshot_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    import_encoder(import_config(), "hub", tmp_path / "out")
    assert asked["name"] == PUBLISHED["name"]
    assert asked["revision"] == PUBLISHED["revision"]
    assert "*.bin" not in asked["allow_patterns"]

    def unreachable(name: str, **given: object) -> str:
        raise OSError("no route to host")

    hub.snapshot_download = unreachable  # type: ignore[attr-defined]
    with pytest.raises(SerError, match=r"WHISPER=hub: somebody/.* was not fetched .*no route"):
        import_encoder(import_config(), "hub", tmp_path / "other")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        SerError, match=r"huggingface_hub is not installed; .*pip install huggingface_hub"
    ):
        import_encoder(import_config(), "hub", tmp_path / "other")
