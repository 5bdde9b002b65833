"""The programs of stages 0 and 2: their faults are one line and a status, never a traceback."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from programs import call

import ser

CONF = Path(ser.__file__).parents[1] / "egs" / "ravdess" / "conf"
EMOTIONS = ("01", "03", "04", "05")


def plant_ravdess(root: Path, num_actors: int) -> None:
    for actor in range(1, num_actors + 1):
        for emotion in EMOTIONS:
            path = root / f"Actor_{actor:02d}" / f"03-01-{emotion}-01-01-01-{actor:02d}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = np.full(1600, 10 * actor + int(emotion), np.int16)
            soundfile.write(path, samples, 16000)


def faults() -> Sequence[tuple[str, list[object], str]]:
    none = Path("/none")
    out = Path("out")
    iemocap_conf = CONF.parents[1] / "iemocap" / "conf"
    return [
        ("prepare_corpus", ["ravdess", none, out, "--conf", CONF], "/none: no such folder"),
        (
            "prepare_corpus",
            ["ravdess", "/", out, "--conf", none],
            "/none/labels.yaml: no such file",
        ),
        ("prepare_iemocap", [none, out, "--conf", iemocap_conf], "/none: no such folder"),
        ("prepare_iemocap", [none, out, "--conf", CONF], "counts.yaml: no such file"),
        (
            "prepare_iemocap",
            [none, out, "--conf", iemocap_conf, "--attribute", "cue"],
            "--attribute cue: expected NAME=FILE",
        ),
        (
            "prepare_iemocap",
            [none, out, "--conf", iemocap_conf, "--attribute", "a=b", "--attribute", "a=c"],
            "--attribute a=b a=c: expected NAME=FILE, each name once",
        ),
        (
            "prepare_librispeech",
            [none, out, "valid", "--train-subsets", "train-clean-5"],
            "/none: no such folder",
        ),
        (
            "prepare_librispeech",
            [none, out, out, "--train-subsets", "train-clean-5"],
            "out: named twice; expected two folders",
        ),
        (
            "make_folds",
            [none, out, "--protocol", CONF / "protocol" / "paper.yaml"],
            "/none: not there or not whole",
        ),
        (
            "make_folds",
            [none, out, "--protocol", CONF / "bpe.yaml"],
            "the key 'fold_unit' is missing",
        ),
        ("train_bpe", [none, out, "--conf", CONF], "/none: not there or not whole"),
        ("make_feats", ["d", "--out", out, "--conf", "c", "--nj", "999999"], "--nj 999999: "),
        ("make_synthetic", [out, "--num-turns", "-1"], "--num-turns -1: expected 1 to"),
    ]


@pytest.mark.parametrize(("program", "words", "said"), faults())
def test_a_fault_is_one_line(program: str, words: list[object], said: str, tmp_path: Path) -> None:
    result = call(program, *(tmp_path / w if w == Path("out") else w for w in words))
    assert result.status == 1
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert said in result.err
    assert result.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_from_a_corpus_to_folds_and_bpe(tmp_path: Path) -> None:
    """All's well, then each later program notices that the data are others."""
    plant_ravdess(tmp_path / "corpus", 10)
    data, folds, bpe = tmp_path / "ser", tmp_path / "folds", tmp_path / "bpe"
    made = call("prepare_corpus", "ravdess", tmp_path / "corpus", data, "--conf", CONF)
    assert made.status == 0, made.err
    assert "40 utterances of 10 speakers: ang 10, hap 10, neu 10, sad 10" in made.err
    made = call("make_folds", data, folds, "--protocol", CONF / "protocol" / "paper.yaml")
    assert made.status == 0, made.err
    assert "fold 5: test 8, train 32" in made.err

    made = call("train_bpe", data, bpe, "--conf", CONF)  # one sentence is too little text
    assert made.status == 1
    assert f"error: {data}/text: bpe.yaml num_pieces " in made.err
    assert not bpe.exists()
    (tmp_path / "bpe.yaml").write_text("num_pieces: 25\ncharacter_coverage: 1.0\n")
    made = call("train_bpe", data, bpe, "--conf", tmp_path)
    assert made.status == 0, made.err
    assert (bpe / "bpe.model").stat().st_size > 0
    made = call("train_bpe", data, bpe, "--conf", tmp_path)
    assert "finished already, with the same inputs" in made.err

    (tmp_path / "corpus" / "Actor_01" / "03-01-05-01-01-01-01.flac").write_bytes(b"cut")
    made = call("prepare_corpus", "ravdess", tmp_path / "corpus", data, "--conf", CONF)
    assert made.status == 1
    warning, error = made.err.splitlines()
    assert "40 utterances; the published corpus has 1440" in warning
    assert error.startswith(f"error: {tmp_path}/corpus/Actor_01/03-01-05-01-01-01-01.flac: ")
    assert "(01-03-01-05-01-01-01-01;" in made.err
    assert (data / "run.json").exists()  # the old data stay whole
