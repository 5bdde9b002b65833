"""Each hostile file of this folder ends in its named error; nothing of it is executed.

``hostile.py`` says what the files are and writes them. What a program does with the line that it
prints: ``tests/faults/test_names.py`` and ``test_names_are_text.py``.
"""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hostile import FILES, HERE, PROOF
from programs import call
from tiny_audio import plant_files, untrained_model

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.infer.loading import load
from ser.infer.page import write_page
from ser.kaldi.ark import ArkReader
from ser.kaldi.table import read_table
from ser.nn.weights import load_weights
from ser.train.engine.checkpoint import _load_optimizer


def read_features(path: Path) -> None:
    """All matrices of a ``feats.scp``."""
    reader = ArkReader(read_table(path), path)
    for utt in read_table(path):
        reader[utt]


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.Adam(torch.nn.Linear(2, 2).parameters())


OPEN: dict[str, Callable[[Path], object]] = {
    "ark": lambda path: ArkReader({"u": f"{path}:0"}, path)["u"],
    "scp": read_features,
    "yaml": lambda path: load_config(path, LabelsConfig),
    "tar": load,
    "onnx": load,
    "package": lambda path: load(path.parent),
    "safetensors": lambda path: load_weights(path, "fetch it again"),
    "wav": lambda path: untrained_model().predict(path),
}
MATRIX = r":0: no readable matrix .*; expected features"
SAID = {
    "ark/of_terabytes.ark": r"of_terabytes\.ark" + MATRIX,
    "ark/of_negative_size.ark": r"of_negative_size\.ark" + MATRIX,
    "ark/compressed_of_terabytes.ark": r"compressed_of_terabytes\.ark" + MATRIX,
    "ark/pickle.ark": r"pickle\.ark" + MATRIX,
    "scp/command.scp": r"u is a pipe \(.*\); .*commands are not run",
    "scp/device.scp": "/dev/zero: no readable matrix .*no regular file",
    "scp/offset_beyond_all.scp": "no readable matrix .*too large to convert",
    "yaml/bomb.yaml": r"bomb\.yaml:2: the alias \*a; expected the value itself",
    "yaml/python_object.yaml": r"python_object\.yaml:1: not YAML \(could not determine",
    "yaml/deep.yaml": r"deep\.yaml: sections in sections deeper than 20",
    "yaml/deep_on_one_line.yaml": r"deep_on_one_line\.yaml: sections in sections deeper than 20",
    "yaml/device.yaml": "/dev/zero: no regular file",
    "yaml/itself.yaml": r"itself\.yaml:1: !include itself\.yaml includes itself",
    "tar/outside.tar": "unpack an archive first",
    "tar/link.tar": "unpack an archive first",
    "onnx/weights_elsewhere.onnx": r"weights_elsewhere\.onnx: .*External data path",
    "onnx/no_graph.onnx": r"no_graph\.onnx: not a readable ONNX file",
    "wav/rate_of_gigahertz.wav": r"gigahertz\.wav: not readable as audio",
    "wav/rate_of_zero.wav": r"zero\.wav: not readable as audio .*SF_INFO struct incomplete",
    "wav/channels_without_end.wav": "not readable as audio .*Too many channels",
    "wav/says_it_is_larger.wav": "decoded of .* s announced",
    "wav/not_a_number.wav": "8000 of 8000 samples are not finite",
    "package/empty/package.json": r"package\.json: format None",
    "package/of_the_future/package.json": r"package\.json: format 99; .*; install a newer ser",
    "package/members_outside/package.json": r"package\.json: not the one that was packed",
    "package/deep/package.json": r"not JSON \(maximum recursion depth",
    "safetensors/header_of_exabytes.safetensors": r"no readable weights \(.*header too large",
    "safetensors/tensor_of_terabytes.safetensors": r"no readable weights \(.*offset",
    "safetensors/pickle.safetensors": r"no readable weights \(.*header too large",
}


@pytest.mark.parametrize("name", SAID)
def test_it_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    with pytest.raises(SerError, match=SAID[name]) as error:
        OPEN[name.partition("/")[0]](HERE / name)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000
    assert time.monotonic() - began < 25
    assert not list(tmp_path.iterdir())
    assert not (HERE / name).with_name(PROOF).exists()


def test_yaml_where_there_is_no_libyaml() -> None:
    """PyYAML's own parser refuses the same files."""
    code = "import yaml; del yaml.CSafeLoader\nfrom pathlib import Path\nimport sys\n"
    code += "from ser.config.yaml_file import read_yaml\n"
    code += "for name in sys.argv[1:]:\n    try: read_yaml(Path(name))\n"
    code += "    except Exception as error: print(error)\n"
    names = [name for name in SAID if name.startswith("yaml/")]
    command = [sys.executable, "-c", code, *(str(HERE / name) for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for name, said in zip(names, done.stdout.splitlines(), strict=True):
        assert re.search(SAID[name], said)


@pytest.mark.parametrize("name", ["pickle.pt", "pickle_of_old.pt"])
def test_a_checkpoint_with_code(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="it holds more than tensors and numbers, or was cut"):
        _load_optimizer(optimizer(), HERE / "checkpoint" / name)
    assert not Path(PROOF).exists()


def test_a_terminal_is_not_commanded(package: Path) -> None:
    said = call("ser_predict", package, HERE / "terminal" / "command.scp")
    assert said.status == 1
    assert "no_such_file.wav" in said.err
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said.out + said.err)


def test_a_page_shows_text(tmp_path: Path) -> None:
    labels = (HERE / "html" / "words.tsv").read_text().rstrip("\n").split("\t")
    model = replace(untrained_model(), labels=(labels[0], labels[1] + labels[2]))
    write_page(model, plant_files(tmp_path)[0], tmp_path / "page.html", 1.0, 0.5)
    page = (tmp_path / "page.html").read_text()
    assert "<img src=x" not in page and "&lt;img src=x" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_the_files_are_those_that_are_described() -> None:
    found = {path.relative_to(HERE).as_posix() for path in HERE.glob("*/**/*") if path.is_file()}
    assert found - {name for name in found if "__pycache__" in name} == FILES.keys()
    for name, content in FILES.items():
        if not name.endswith((".pt", ".safetensors", ".tar")):  # of PyTorch and Python, which vary
            assert (HERE / name).read_bytes() == content, name
