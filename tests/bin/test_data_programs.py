"""The programs of stages 0 and 2, from a corpus on."""

from pathlib import Path

import numpy as np
import soundfile
from programs import call
from tracked import ROOT

CONF = ROOT / "egs" / "ravdess" / "conf"
EMOTIONS = ("01", "03", "04", "05")


def plant_ravdess(root: Path, num_actors: int) -> None:
    for actor in range(1, num_actors + 1):
        for emotion in EMOTIONS:
            path = root / f"Actor_{actor:02d}" / f"03-01-{emotion}-01-01-01-{actor:02d}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = np.full(1600, 10 * actor + int(emotion), np.int16)
            soundfile.write(path, samples, 16000)


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
