"""What can be known early is refused early: before a stage runs, or when the folds are made."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from after_stage_0 import FOLDS, READ, SCRATCH, check, write_data, write_folds
from tracked import ROOT

from ser.base import outputs
from ser.base.files import LFS_POINTER
from ser.base.record import Record
from ser.config.features import load_features
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.config.schema import BpeConfig
from ser.text.bpe import write_bpe

EGS = ROOT / "egs"


def set_pieces(num_pieces: int) -> BpeConfig:
    config = BpeConfig(num_pieces=num_pieces, character_coverage=1.0)
    Path("conf/bpe.yaml").write_text(yaml.safe_dump(config.model_dump()))
    return config


@pytest.mark.usefixtures("bare_recipe")
def test_a_call_that_can_be_says_whether_it_needs_read_speech() -> None:
    assert check().out == "false\n"
    assert check("transformer_tl").out == "true\n"
    assert check(SCRATCH, "none").out == "false\n"
    assert check("transformer_tl", "none", stop=0).out == "false\n", "data alone"


@pytest.mark.usefixtures("bare_recipe")
@pytest.mark.parametrize("stop", [1, 6])
def test_systems_that_cannot_be_without_a_recogniser(stop: int) -> None:
    said = check(f"{SCRATCH} transformer_tl", "none", stop)
    assert said.status == 1
    assert said.err.startswith("error: --recogniser none: transformer_tl: from a recogniser")
    assert said.err.count("\n") == 1


def plant_script(recipe: Path) -> None:
    recipe.mkdir(exist_ok=True)
    (recipe / "run.sh").touch()


@pytest.mark.usefixtures("bare_recipe")
def test_an_untrained_recogniser() -> None:
    said = check("transformer_tl", "../ravdess")
    assert said.err.startswith(
        "error: --recogniser ../ravdess: no run.sh there; expected the folder"
    )
    plant_script(Path("../ravdess"))
    said = check("transformer_tl", "../ravdess")
    assert said.status == 1
    assert "../ravdess/exp/pretrain/ctc: not there or not whole" in said.err
    assert check(SCRATCH, "../ravdess").status == 0
    assert check("transformer_tl", "../ravdess", stop=3).status == 0


def test_all_faults_of_the_configuration_at_once(bare_recipe: Path) -> None:
    for name, old, new in (
        ("systems/transformer.yaml", "learning_rate:", "lerning_rate:"),
        ("systems/cnn_blstm_sa.yaml", "max_epochs: 14", "max_epochs: 0"),
        ("labels.yaml", "exclude:", "exclud:"),
        ("protocol/paper.yaml", "selection: last", "selection: best"),
    ):
        path = bare_recipe / "conf" / name
        text = path.read_text()
        assert old in text, name
        path.write_text(text.replace(old, new))
    said = check()
    assert said.status == 1 and said.err.count("error: ") == said.err.count("\n") == 4
    for name in ("transformer.yaml", "cnn_blstm_sa.yaml", "labels.yaml", "paper.yaml"):
        assert name in said.err


@pytest.mark.usefixtures("bare_recipe")
def test_a_fold_that_is_not_there() -> None:
    """Known as soon as the folds of this very protocol are there."""
    protocol = load_config(Path("conf/protocol/paper.yaml"), ProtocolConfig)
    write_folds({})
    assert check(folds="1 99").status == 0, "the folds of another protocol"
    write_folds(protocol.model_dump())
    assert check(folds="1 3").status == 0
    said = check(folds="1 99")
    assert said.status == 1
    assert "--folds 99: no such fold; expected some of: 1 2 3" in said.err


@pytest.mark.usefixtures("bare_recipe")
def test_options_that_contradict() -> None:
    wrong = ["--seeds", "1 a", "--nj", 0, "--jobs", 0, "--ngpu", 99, "--max-minutes", 0]
    said = check("transformer nobody", ".", 3, "", 5, *wrong)
    assert said.status == 1 and "Traceback" not in said.err
    for message in (
        "--stage 5 --stop-stage 3: no range of the stages 0 to 6",
        "--seeds '1 a': expected whole numbers",
        "--nj 0: expected 1 to ",
        "--jobs 0: expected 1 to ",
        "--max-minutes 0: expected more than 0",
        "conf/systems/nobody.yaml: no such system; expected one of",
    ):
        assert f"error: {message}" in said.err
    assert "--ngpu 99: this machine has" in check(SCRATCH, ".", 6, "", 0, "--ngpu", 99).err


def test_large_files_are_read_whole_on_request(
    bare_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("WHOLE_BYTES", 1000), ("BLOCK_BYTES", 10), ("NUM_BLOCKS", 5)):
        monkeypatch.setattr(outputs, name, value)
    folder = Path("dump/fbank/other")
    folder.mkdir(parents=True)
    (folder / "feats.ark").write_bytes(bytes(2001))
    Record(folder, 1, {}, {}).finish()
    with (bare_recipe / folder / "feats.ark").open("r+b") as stream:
        stream.seek(100)  # between two blocks
        stream.write(b"x")
    assert check().status == 0
    said = check(SCRATCH, ".", 6, "", 0, "--whole")
    assert said.status == 1
    assert f"error: {folder}: feats.ark was changed; expected what stage 1 wrote" in said.err


def test_configurations_that_contradict(bare_recipe: Path) -> None:
    """Bands of features and networks; CTC heads; early stopping without validation."""
    ctc = bare_recipe / "conf" / "pretrain" / "ctc.yaml"
    ctc.write_text(ctc.read_text().replace("\nctc:\n", "\nctc:\n  head: {kernel_sizes: [5]}\n"))
    features = bare_recipe / "conf" / "fbank.yaml"
    features.write_text(features.read_text().replace("num_mel_bins: 80", "num_mel_bins: 40"))
    system = bare_recipe / "conf" / "systems" / "transformer.yaml"
    system.write_text(system.read_text().replace("training:", "training:\n  patience_epochs: 3"))
    said = check("transformer transformer_tl transformer_tl_mtl")
    assert said.status == 1
    assert "mtl: ctc.head {'kernel_sizes': []}, but {'kernel_sizes': [5]} in pre" in said.err
    assert "transformer_tl: ctc.head" not in said.err
    assert "conf/fbank.yaml: num_mel_bins 40; transformer_tl.yaml expects 80" in said.err
    assert "transformer: training.patience_epochs 3 with validation none" in said.err


def test_corpora_that_are_not_there(bare_recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EGS / "ravdess" / "local", bare_recipe / "local")
    shutil.copy(EGS / "ravdess" / "db.sh", bare_recipe)
    monkeypatch.setenv("RAVDESS", "/nowhere")
    for name in ("LIBRISPEECH", "WHISPER"):
        monkeypatch.delenv(name, raising=False)
    said = check("transformer_tl")
    assert said.status == 1 and said.err.count("\n") == 2
    assert f"RAVDESS is '/nowhere': no such folder, seen from {bare_recipe}" in said.err
    assert "LIBRISPEECH is not set" in said.err
    assert "--recogniser none" in said.err and "--conf conf/whisper" in said.err
    monkeypatch.setenv("RAVDESS", str(bare_recipe))
    assert check(SCRATCH, "none").status == 0, "no recogniser, no LibriSpeech"
    assert check("transformer_tl", ".", 6, "", 1).err.count("LIBRISPEECH") == 0, "stage 0 is over"
    said = check("transformer_tl", ".", 6, "", 0, "--conf", "conf/whisper")
    assert said.status == 1 and "error: WHISPER: not set" in said.err
    monkeypatch.setenv("WHISPER", "/nowhere")
    said = check("transformer_tl", ".", 6, "", 0, "--conf", "conf/whisper")
    assert "error: /nowhere: not there (seen from " in said.err
    sizes = {"model_type": "whisper", "num_mel_bins": 80, "d_model": 384, "encoder_layers": 4}
    sizes |= {"encoder_attention_heads": 6, "encoder_ffn_dim": 1536}
    weights = bare_recipe / "weights"
    weights.mkdir()
    (weights / "config.json").write_text(json.dumps(sizes))
    monkeypatch.setenv("WHISPER", str(weights))
    for content, told in ((b"", "no readable weights"), (LFS_POINTER, "a pointer of Git LFS")):
        (weights / "model.safetensors").write_bytes(content)
        said = check("transformer_tl", ".", 6, "", 0, "--conf", "conf/whisper")
        assert f"error: {weights}/model.safetensors: {told}" in said.err


def test_other_classes_than_stage_0_writes(bare_recipe: Path) -> None:
    """Before it writes them: it knows one labels.yaml."""
    other = bare_recipe / "conf" / "three"
    shutil.copytree(bare_recipe / "conf", other, ignore=shutil.ignore_patterns("whisper*", "three"))
    assert check("transformer", ".", 6, "", 0, "--conf", "conf/three").status == 0
    labels = other / "labels.yaml"
    labels.write_text(labels.read_text().replace("  sad: [sad]", "  sorry: [sad]"))
    said = check("transformer", ".", 6, "", 0, "--conf", "conf/three")
    assert said.status == 1
    assert "conf/three/labels.yaml: other classes than conf/labels.yaml has, with" in said.err


@pytest.mark.usefixtures("bare_recipe")
def test_more_pieces_than_the_text_gives() -> None:
    """Known after stage 0, before the features."""
    write_data(["SO IT IS"])
    set_pieces(5000)
    said = check("transformer_tl", stage=1)
    assert said.status == 1
    assert "data/asr_train/text: bpe.yaml num_pieces 5000 is more than the 3 trans" in said.err
    set_pieces(40)
    assert check("transformer_tl", stage=1).status == 0
    assert check(SCRATCH, stage=1).status == 0, "they need no BPE"


@pytest.mark.usefixtures("bare_recipe")
@pytest.mark.parametrize("trained", [".", "../other"])
def test_a_script_that_the_recogniser_does_not_know(trained: str) -> None:
    """Known after stage 2, of another recipe's recogniser after stage 0."""
    write_data(["打 远 一 看", "SO IT IS"])
    config = set_pieces(40)
    plant_script(Path(trained))
    bpe = Path(trained) / "exp" / "bpe"
    write_bpe(Record(bpe, 2, config.model_dump(), {}), READ, config, Path("text"))
    encoder = Path(trained) / "exp" / "pretrain" / "ctc"
    encoder.mkdir(parents=True)
    Record(encoder, 3, {"ctc": {}}, {}).finish(fbank=load_features(Path("conf")).model_dump())
    stage = 3 if trained == "." else 1
    for part in ("asr_train", "asr_train_sp0.9", "asr_train_sp1.1", "asr_valid", "ser"):
        folder = Path("dump/fbank") / part
        folder.mkdir(parents=True)
        Record(folder, 1, load_features(Path("conf")).model_dump(), {}).finish()
    said = check("transformer_tl_mtl", trained, stage=stage)
    assert said.status == 1 and said.err.count("\n") == 1
    assert (
        "data/ser/text: 4 of 16 tokens are unknown to the recogniser's BPE, the first in s-0"
        in (said.err)
    )
    assert check("transformer_tl", trained, stage=stage).status == 0, "it has no CTC head"


@pytest.mark.usefixtures("bare_recipe")
def test_a_head_without_a_recogniser() -> None:
    """Whether there are words for it is known after stage 0."""
    head = yaml.safe_load(Path("conf/systems/transformer_tl_mtl.yaml").read_text().replace("!", ""))
    Path("conf/systems/head.yaml").write_text(
        "<<: !include transformer.yaml\n" + yaml.safe_dump({"ctc_alpha": head["ctc_alpha"]})
    )
    assert check("transformer head", "none").status == 0
    write_data([""])
    said = check("transformer head", "none", stage=1)
    assert (said.status, said.err) == (0, "warning: data/ser/text: no words; left out: head\n")
    write_data(["SO IT IS"])
    said = check("transformer head", "none", stage=1)
    assert said.status == 1
    assert "--recogniser none: head: from a recogniser, or with a CTC head" in said.err


def test_stages_that_are_stale(bare_recipe: Path) -> None:
    """An edited configuration that was not used, and what changed under a stage, end it."""
    write_data(["SO IT IS"])
    path = bare_recipe / "conf" / "labels.yaml"
    text = path.read_text()
    path.write_text(text.replace("exclude: [", "exclude: [bored, "))
    said = check(stage=1)
    assert said.status == 1
    assert said.err.startswith("error: conf/labels.yaml: exclude was [")
    assert "./run.sh --stage 0 --stop-stage 0" in said.err
    path.write_text(text)
    table = bare_recipe / "data" / "ser" / "text"
    text = table.read_text()
    table.write_text(text.replace("SO", "NO"))
    said = check(stage=1)
    assert said.status == 1
    assert "data/ser: text was changed; expected what stage 0 wrote; run ./run.sh" in said.err
    table.write_text(text)
    (table.parent / "utt2age").write_text("s-0 30\n")
    said = check(stage=1)
    assert said.status == 1
    assert "data/ser: its tables are not those that stage 0 wrote" in said.err
    shutil.rmtree(FOLDS)
    said = check(stage=6)
    assert "exp/predictions: not there or not whole" in said.err
    assert "exp/folds: no fold lists" in said.err
