"""Packages by name: fetched, held to their digests, uploaded; against a stand-in of the hub."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from programs import Said, call, start
from stand_in_hub import Hub, stand_in_hub
from tiny_audio import plant_files
from tiny_recipe import EXP

from ser.base.errors import SerError
from ser.base.hub import Repository, repository
from ser.infer.loading import load

NAME = "somebody/tiny"
STATED = ("--data", "tiny", "--licence", "MIT", "--data-licence", "CC-BY-4.0", "--language", "en")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty one, that programs started from here ask."""
    pytest.importorskip("huggingface_hub")
    with stand_in_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
        monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield running


def fault(ended: Said) -> str:
    """The one line in which a program ended, behind the hub's own bar of progress."""
    assert ended.status == 1
    *bar, line = ended.err.splitlines()
    assert not any("Traceback" in text or "rror" in text for text in bar), ended.err
    return line


@pytest.mark.slow
def test_what_is_uploaded_is_fetched_by_name(package: Path, hub: Hub, tmp_path: Path) -> None:
    audio = plant_files(tmp_path)[0]
    out = tmp_path / "tiny"
    packed = start("pack", EXP / "transformer_tl_mtl", "--out", out, "--hub", NAME, *STATED)
    assert packed.status == 0, packed.err
    first = list(hub.models[NAME])[-1]
    assert f"{NAME}@{first}: uploaded; a new model is private until" in packed.err
    assert hub.private == {NAME}
    files = hub.models[NAME][first]
    assert {name: (out / name).read_bytes() for name in files} == files
    assert f"ser-predict {NAME} a.wav" in files["README.md"].decode()
    assert hub.cards == [files["README.md"].decode()]
    fewer = start("pack", EXP / "transformer_tl_mtl", "--out", out, "--folds", "1", "--hub", NAME,
                  *STATED)  # fmt: skip
    assert fewer.status == 0, fewer.err
    newest = hub.models[NAME][list(hub.models[NAME])[-1]]
    assert [name for name in newest if name.endswith(".safetensors")] == ["fold1.safetensors"]

    at_first = start("ser_predict", f"{NAME}@{first}", audio, "--format", "tsv")
    assert at_first.status == 0, at_first.err
    here = call("ser_predict", package, audio, "--format", "tsv")
    assert at_first.out == here.out
    hub.commit(NAME, newest | {"fold1.safetensors": newest["fold1.safetensors"][:-1] + b"?"})
    damaged = start("ser_predict", NAME, audio)
    assert "fold1.safetensors: not the file that was packed" in fault(damaged)
    for name, theirs in (
        ("somebody/bert", {"config.json": b"{}", "pytorch_model.bin": b"somebody's"}),
        ("somebody/js", {"index.js": b"", "package.json": b'{"name": "of npm"}'}),
    ):
        hub.commit(name, theirs)
        refused = start("pack", EXP / "transformer_tl_mtl", "--out", out, "--hub", name, *STATED)
        assert f"holds {'; '.join(theirs)} and no package.json of ours" in fault(refused)
        assert list(hub.models[name].values())[-1] == theirs
    missing = start("ser_predict", "nobody/nothing", audio)
    assert "nobody/nothing was not fetched (RepositoryNotFoundError" in fault(missing)


@pytest.mark.slow
def test_without_a_way_to_the_hub_it_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        ended = start("ser_predict", NAME, plant_files(tmp_path)[0])
    assert f"error: {NAME}: {NAME} was not fetched (" in fault(ended)
    assert "give the path of a model instead" in fault(ended)


def test_what_is_a_name_and_what_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exp" / "model").mkdir(parents=True)
    assert repository("owner/model") == Repository("owner/model", None)
    assert repository("owner/model@v1.0") == Repository("owner/model", "v1.0")
    for path in (
        "model",
        "exp/model",
        "exp/mistyped",
        "a/b/c",
        "./a/b",
        "../b",
        "/a/b",
        "a/m.onnx",
    ):
        assert repository(path) is None, path
    with pytest.raises(SerError, match=r"exp/mistyped: no package\.json; expected a model"):
        load("exp/mistyped")  # asks no hub


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--hub", "tiny", *STATED), "--hub tiny: no name of a model; expected owner/model"),
        (("--hub", f"{NAME}@v1", *STATED), "--hub somebody/tiny@v1: no name of a model"),
        (("--hub", NAME, *STATED[2:]), "--hub somebody/tiny: without --data; expected all that"),
        (("--hub", NAME, *STATED, "--data", " "), "--hub somebody/tiny: without --data; expected"),
        ((*STATED, "--language", "english"), "--language english: expected codes of ISO 639"),
        ((*STATED, "--licence", ""), "'': empty; expected one line, for the model card"),
        (("--hub", NAME), "without --data, --licence, --data-licence, --language; expected"),
    ],
)
def test_what_may_not_go_there_is_told_before_packing(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call("pack", "exp/none", "--out", "out", *words)
    assert ended.status == 1 and said in ended.err
    assert not list(tmp_path.iterdir())


def test_the_card_is_one_that_the_hub_reads(package: Path, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    words = ("--exp-dir", EXP, "--pretrain", EXP / "pretrain", "--conf", "conf", "--seeds", "1")
    scored = call("score", *words, "--systems", "transformer_tl_mtl", "--command", "./run.sh")
    assert scored.status == 0, scored.err
    out = tmp_path / "tiny"
    assert call("pack", EXP / "transformer_tl_mtl", "--out", out, *STATED).status == 0
    text = (out / "README.md").read_text()
    card = hub.ModelCard(text, ignore_metadata_errors=False)
    assert (card.data.pipeline_tag, card.data.license) == ("audio-classification", "mit")
    assert (card.data.language, card.data.datasets) == (["en"], ["tiny"])
    wa, ua = card.data.eval_results
    assert (wa.metric_type, ua.metric_type) == ("accuracy", "recall")
    assert wa.metric_name == (
        "WA (accuracy), %; single models, each on the test part of its fold; folds by session, "
        "test speakers not heard in training"
    )
    assert f"WA {wa.metric_value:.1f} [" in card.text
    assert wa.dataset_args["fold_unit"] == "session"
    for who in ("| women |", "| men |", "| speaker Ses01F |", "6 speakers, language en, of tiny"):
        assert who in card.text
    assert yaml.safe_load(text.split("---\n")[1])["library_name"] == "ser"
