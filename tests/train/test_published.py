"""Published weights: every tensor accounted for, and every wrong folder told in one line."""

import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import whisper_config
from tiny_whisper import write_published
from wrong_weights import WRONG, edit_tensors

from ser.base.errors import SerError
from ser.base.files import digest_file
from ser.base.record import read_record
from ser.config.pretraining import ImportConfig
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


def import_config(**stated: str) -> ImportConfig:
    return ImportConfig.model_validate(
        {"encoder": CONFIG.model_dump(), "published": PUBLISHED | stated}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the hub has it."""
    return write_published(tmp_path / "whisper-mini", CONFIG)


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


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line(folder: Path, case: str, tmp_path: Path) -> None:
    spoil, message = WRONG[case]
    spoil(folder)
    with pytest.raises(SerError) as caught:
        import_encoder(import_config(), str(folder), tmp_path / "out")
    assert re.search(message, str(caught.value)), str(caught.value)
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
        out = tmp_path / str(number)
        import_encoder(import_config(sha256=sha256), str(folder), out)
        assert read_record(out)["notes"]["published"]["is_published"] == is_published
        warned = f"{folder}: not the weights of somebody/whisper-mini" in caplog.text
        assert warned != is_published


def test_a_digest_that_is_corrected_counts(folder: Path, tmp_path: Path) -> None:
    for sha256 in ("0" * 64, digest_file(folder / "model.safetensors")):
        import_encoder(import_config(sha256=sha256), str(folder), tmp_path / "out")
    assert read_record(tmp_path / "out")["notes"]["published"]["is_published"]


def test_other_weights_move_the_earlier_ones_aside(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "exp" / "mini"
    import_encoder(import_config(), str(folder), out)
    edit_tensors(folder, lambda t: t["model.encoder.conv1.bias"].add_(1))
    import_encoder(import_config(), str(folder), out)
    (aside,) = out.parent.glob("mini.*")
    old, new = (load_weights(path / "model.safetensors") for path in (aside, out))
    assert torch.equal(old["encoder.conv1.bias"] + 1, new["encoder.conv1.bias"])


def test_wrong_weights_leave_the_earlier_ones_where_they_are(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "exp" / "mini"
    import_encoder(import_config(), str(folder), out)
    edit_tensors(folder, lambda t: t.pop("model.encoder.conv1.bias"))
    with pytest.raises(SerError, match=r"conv1\.bias"):
        import_encoder(import_config(), str(folder), out)
    assert not list(out.parent.glob("mini.*"))
    import_encoder(import_config(), "", out)


def test_weights_are_a_regular_file(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")
    with pytest.raises(SerError, match=r"model\.safetensors: no regular file"):
        import_encoder(import_config(), str(folder), tmp_path / "out")


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
