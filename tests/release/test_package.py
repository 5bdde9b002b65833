"""Packages: one folder that is enough, and nothing but what was packed is ever loaded."""

import json
import pickle
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from programs import call
from tiny import Trap, reseal
from tiny_audio import packing, plant_files, train
from tiny_recipe import CONF, EXP, LABELS

from ser.base.errors import SerError
from ser.base.files import digest_file, read_json, with_digest
from ser.infer.loading import load
from ser.infer.package import MANIFEST
from ser.nn.weights import load_weights
from ser.release.pack import pack


def test_an_ensemble_is_the_mean_of_its_members(package: Path, tmp_path: Path) -> None:
    audio = plant_files(tmp_path)
    manifest = json.loads((package / MANIFEST).read_text())
    temperature = manifest["temperature"]
    assert temperature != 1
    singles = [load(EXP / "transformer_tl_mtl" / "seed1" / f"fold{k}") for k in "123"]
    longest = max(single.longest_seconds or 0.0 for single in singles)
    singles = [replace(single, longest_seconds=30.0) for single in singles]  # no windows
    expected = []
    for path in audio:
        rows = []
        for single in singles:
            logits = np.log(list(single.predict(path).posteriors.values())) / temperature
            rows.append(np.exp(logits) / np.exp(logits).sum())
        expected.append(np.mean(rows, axis=0))
    shutil.rmtree(EXP)  # nothing but the package is needed
    model = load(package)
    assert model.longest_seconds == longest > 0
    model = replace(model, longest_seconds=30.0)
    for path, row in zip(audio, expected, strict=True):
        found = model.predict(path)
        assert list(found.posteriors.values()) == pytest.approx(list(row), abs=1e-5)
        assert isinstance(found.words, str)


def test_the_archive_holds_the_same(package: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    unpack = ["tar", "xzf", package.with_name("model.tar.gz"), "-C", tmp_path / "elsewhere"]
    subprocess.run(unpack, check=True)
    copy = tmp_path / "elsewhere" / "model"
    names = sorted(path.name for path in package.iterdir())
    assert names == sorted(path.name for path in copy.iterdir())
    assert all(digest_file(package / name) == digest_file(copy / name) for name in names)
    assert names == ["README.md", "bpe.model", *(f"fold{k}.safetensors" for k in "123"), MANIFEST]


def test_runs_that_were_moved_aside_are_no_members(package: Path, tmp_path: Path) -> None:
    seed = EXP / "transformer_tl_mtl" / "seed1"
    shutil.copytree(seed / "fold1", seed / "fold1.20260101-000000")
    pack(packing(), tmp_path / "again")
    names = read_json(tmp_path / "again" / MANIFEST)["members"]
    assert names == [f"fold{k}.safetensors" for k in "123"]


def test_runs_that_are_not_wanted_are_not_read(package: Path, tmp_path: Path) -> None:
    seed = EXP / "transformer_tl_mtl" / "seed1"
    shutil.copytree(seed / "fold1", seed / "fold1.20260101-000000")
    (seed / "fold1.20260101-000000" / "model.safetensors").unlink()
    pack(packing(), tmp_path / "all")
    (seed / "fold2" / "model.safetensors").unlink()
    pack(packing(folds=("1",)), tmp_path / "one")


@pytest.mark.parametrize("name", ["exp/bpe", "exp/pretrain/ctc", "dump/fbank/ser"])
def test_folds_of_other_inputs_are_no_ensemble(package: Path, tmp_path: Path, name: str) -> None:
    path = EXP / "transformer_tl_mtl" / "seed1" / "fold2" / "run.json"
    record = read_json(path)
    assert name in record["inputs"]
    record["inputs"][name] = "other"
    path.write_text(json.dumps(record))
    with pytest.raises(SerError, match=rf"fold 1 to fold 2 inputs\.{name} was .* and is other"):
        pack(packing(), tmp_path / "again")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("order", r"seed1_fold2\.tsv: the classes are sad neu hap ang; expected ang hap neu sad"),
        ("trained anew", r"seed1_fold2\.tsv: not of exp/.*/fold2 as it is now"),
        ("of unknown make", r"seed1_fold2\.tsv: not of exp/.*/fold2 as it is now"),
    ],
)
def test_predictions_of_other_runs_are_refused(
    package: Path, tmp_path: Path, kind: str, message: str
) -> None:
    path = EXP / "predictions" / "transformer_tl_mtl" / "seed1_fold2.tsv"
    header, *rows = (line.split("\t") for line in path.read_text().splitlines())
    first = header.index("post_ang")
    if kind == "order":
        for row in (header, *rows):
            row[first : first + 4] = reversed(row[first : first + 4])
    elif kind == "trained anew":
        runs = EXP / "transformer_tl_mtl" / "seed1"
        shutil.copyfile(runs / "fold1" / "model.safetensors", runs / "fold2" / "model.safetensors")
        reseal(runs / "fold2")
    elif kind == "of unknown make":
        path.with_suffix(".sha256").unlink()
    path.write_text("".join("\t".join(row) + "\n" for row in (header, *rows)))
    with pytest.raises(SerError, match=message):
        pack(packing(), tmp_path / "again")
    assert not (tmp_path / "again").exists()
    pack(packing(folds=("1", "3")), tmp_path / "again")  # whose tables are theirs


def test_what_is_no_network_is_called_so(recipe: Path, tmp_path: Path) -> None:
    (EXP / "egemaps_svm").mkdir()
    (EXP / "predictions" / "egemaps_svm").mkdir(parents=True)
    with pytest.raises(SerError, match=r"egemaps_svm: no network; .* choose one of those"):
        pack(packing("egemaps_svm"), tmp_path / "model")


def test_one_fold_and_an_average(package: Path, tmp_path: Path) -> None:
    audio = plant_files(tmp_path)[0]
    pack(packing(folds=("2",)), tmp_path / "one")
    assert "the model of fold 2" in (tmp_path / "one" / "README.md").read_text()
    single = load(EXP / "transformer_tl_mtl" / "seed1" / "fold2").predict(audio)
    assert load(tmp_path / "one").predict(audio).label == single.label
    pack(packing(average=True), tmp_path / "average")
    mean = load_weights(tmp_path / "average" / "average.safetensors")
    members = [load_weights(package / f"fold{k}.safetensors") for k in "123"]
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, sum(m[name] for m in members) / 3)


@pytest.mark.parametrize(("place", "name"), [("", "."), ("seed1", "..")])
def test_a_system_without_a_name_is_that_of_its_folder(
    package: Path, place: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXP / "transformer_tl_mtl" / place)
    assert call("pack", name, "--out", package.with_name("again")).status == 0
    manifests = (read_json(package.with_name(n) / MANIFEST) for n in ("model", "again"))
    assert len({(m["system"], m["temperature"], m["trained_on"]["recipe"]) for m in manifests}) == 1


def test_runs_that_are_not_there(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(SerError, match="seed1: no fold is trained; expected finished runs"):
        pack(packing(), tmp_path / "model")
    train("transformer_tl_mtl", "1")
    with pytest.raises(SerError, match="seed1: fold 2 is not trained"):
        pack(packing(folds=("1", "2")), tmp_path / "model")
    with pytest.raises(SerError, match=r"is trained; .*\(there are exp/transformer_tl_mtl/seed1\)"):
        pack(replace(packing(), system=EXP / "mistyped"), tmp_path / "model")
    table = EXP / "predictions" / "transformer_tl_mtl" / "seed1_fold1.tsv"
    table.parent.mkdir(parents=True)
    table.touch()
    with pytest.raises(SerError, match=r"fold 2 is not trained; .* stage 4; run it, .* --folds"):
        pack(packing(), tmp_path / "model")  # all are meant
    table.unlink()
    pack(packing(folds=("1",)), tmp_path / "model")  # without predictions
    assert json.loads((tmp_path / "model" / MANIFEST).read_text())["temperature"] == 1
    assert "Not calibrated: there were no" in (tmp_path / "model" / "README.md").read_text()


def test_labels_of_the_recipe_that_were_changed_since(trained: Path, tmp_path: Path) -> None:
    path = CONF / "labels.yaml"
    path.write_text(path.read_text().replace("hap:", "joy:"))
    with pytest.raises(SerError, match=r"labels.yaml: classes.*; expected the former, with which"):
        pack(packing(), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_no_other_folder_is_replaced(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(SerError, match="home: is there and was not written by this program"):
        pack(packing(), tmp_path / "home")
    assert (tmp_path / "home" / "thesis.tex").read_text() == "years of work"
    (tmp_path / "model.tar.gz").write_bytes(b"a corpus")
    with pytest.raises(SerError, match=r"model\.tar\.gz: is there and was not written by"):
        pack(packing(), tmp_path / "model")
    assert not (tmp_path / "model").exists()
    (tmp_path / "model.tar.gz").unlink()
    pack(packing(), tmp_path / "model")
    pack(packing(), tmp_path / "model")  # an older package is


def test_without_torch_is_one_line(package: Path, tmp_path: Path) -> None:
    audio = plant_files(tmp_path)[0]
    code = (
        "import sys; sys.modules['torch'] = None\n"
        f"sys.argv = ['ser-predict', {str(package)!r}, {str(audio)!r}]\n"
        "from ser.bin.ser_predict import program; program()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith("error: torch is not installed; expected it for --html and")


def test_an_archive_is_to_be_unpacked(package: Path) -> None:
    with pytest.raises(SerError, match=r"model\.tar\.gz: a file; expected .*tar xzf"):
        load(package.with_name("model.tar.gz"))


def test_a_pickle_in_place_of_weights_is_not_opened(package: Path, tmp_path: Path) -> None:
    mark, weights = tmp_path / "mark", package / "fold1.safetensors"
    weights.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(SerError, match="not the file that was packed"):
        load(package)
    manifest = json.loads((package / MANIFEST).read_text())
    digests = manifest["digests"] | {weights.name: digest_file(weights)}
    change(package, digests=digests)  # even if the manifest is its own
    with pytest.raises(SerError, match=r"fold1\.safetensors: no readable weights"):
        load(package)
    assert not mark.exists()


def change(package: Path, sealed: bool = True, **values: Any) -> None:
    """Edits the manifest; sealed anew, it is wrong in what it says and not in its digest."""
    manifest = json.loads((package / MANIFEST).read_text()) | values
    (package / MANIFEST).write_text(json.dumps(with_digest(manifest) if sealed else manifest))


def tamper(package: Path, kind: str) -> None:
    if kind == "no format":
        (package / MANIFEST).write_text("[]")
    elif kind == "cut":
        (package / MANIFEST).write_text('{"format": 1')
    elif kind == "a key":
        change(package, labels="ang")
    elif kind == "card":
        (package / "README.md").write_text("Licence: anything goes")
    elif kind == "outside":
        change(package, members=["../../evil.safetensors"])
    elif kind == "undigested":
        change(package, digests={})
    elif kind == "other classes":
        change(package, labels=[*LABELS.names, "fea"])
    elif kind == "labels":
        change(package, sealed=False, labels=list(reversed(LABELS.names)))
    elif kind == "half a letter":
        change(package, sealed=False, system="\ud800")
    elif kind == "no BPE":
        (package / "bpe.model").unlink()
        digests = json.loads((package / MANIFEST).read_text())["digests"]
        change(package, digests={n: d for n, d in digests.items() if n != "bpe.model"})
    elif kind == "other BPE":
        (package / "bpe.model").write_bytes(b"nothing of the kind")
        digests = json.loads((package / MANIFEST).read_text())["digests"]
        change(package, digests=digests | {"bpe.model": digest_file(package / "bpe.model")})


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no format", "package.json: format None; expected that of a package of ser.bin.pack;"),
        ("cut", "; it was cut or edited; fetch the package again"),
        ("labels", "package.json: not the one that was packed (its own SHA-256 differs); fetch"),
        ("half a letter", "package.json: not JSON"),
        ("no BPE", "bpe.model: no such file; fetch the package again"),
        ("other BPE", "bpe.model: not a SentencePiece model"),
        ("a key", "package.json: 'labels': Input should be a valid list; fetch the package again"),
        ("card", "README.md: not the file that was packed"),
        ("outside", "'../../evil.safetensors' is no file of the folder"),
        ("undigested", "fold1.safetensors: not the file that was packed"),
        ("other classes", "weights of another network"),
    ],
)
def test_a_tampered_package_is_refused(package: Path, kind: str, message: str) -> None:
    tamper(package, kind)
    with pytest.raises(SerError) as error:
        load(package)
    assert message in str(error.value)
    assert "stage" not in str(error.value)  # which who has a package alone does not have


def test_an_archive_through_a_link_holds_the_files(package: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to("real")
    archive = pack(packing(), link)
    assert archive == tmp_path / "link.tar.gz" and link.is_symlink()
    with tarfile.open(archive) as tar:
        assert "link/package.json" in tar.getnames()
        assert all(member.isfile() or member.isdir() for member in tar)
        sizes = {member.name: member.size for member in tar if member.isfile()}
    assert sizes == {f"link/{p.name}": p.stat().st_size for p in (tmp_path / "real").iterdir()}
