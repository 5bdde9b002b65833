"""The audit on whole corpora, through stage 0: known lines, and IEMOCAP's real counts."""

import io
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from tracked import ROOT

from ser.config.labels import CountsConfig, LabelsConfig
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.corpus.fold_files import fold_names, read_fold
from ser.corpus.prepare import prepare_folds, prepare_iemocap
from ser.corpus.synthetic import corpus as synthetic
from ser.corpus.synthetic import iemocap as synthetic_iemocap
from ser.corpus.synthetic.corpus import write_corpora
from ser.corpus.synthetic.iemocap import write_lines
from ser.kaldi.data_dir import read_data_dir
from ser.score.audit.overlaps import audit
from ser.text.normalise import normalise_transcript

RECIPES = ROOT / "egs"


def audited(tree: Path, out: Path, recipe: Path, counts: Path) -> dict[str, Any]:
    """Stage 0 of a recipe."""
    labels = load_config(recipe / "conf" / "labels.yaml", LabelsConfig)
    protocol = load_config(recipe / "conf" / "protocol" / "paper.yaml", ProtocolConfig)
    data, folds = out / "data" / "ser", out / "exp" / "folds"
    prepare_iemocap(tree, data, labels, load_config(counts, CountsConfig), False, {})
    prepare_folds(data, folds, protocol)
    return audit(read_data_dir(data), {name: read_fold(folds, name) for name in fold_names(folds)})


def silence() -> Iterator[npt.NDArray[np.int16]]:
    """A hundredth of a second of hardly anything, each time something else."""
    for number in itertools.count():
        yield np.array([number // 256, number % 256] * 80, np.int16)


@pytest.mark.long
def test_exactly_the_planted_lines_of_egs_mini_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turns of egs/mini word for word, but nobody speaks."""
    samples = silence()
    for module in (synthetic, synthetic_iemocap):
        monkeypatch.setattr(module, "speak", lambda *_: next(samples))
    corpus = tmp_path / "corpus"
    write_corpora(corpus, num_read_sentences=60)
    found = audited(
        corpus / "IEMOCAP_full_release", tmp_path, RECIPES / "mini", corpus / "counts.yaml"
    )
    planted = (corpus / "script_lines.txt").read_text().splitlines()
    assert len(planted) == 24
    words = read_data_dir(tmp_path / "data" / "ser")["text"]
    for fold in found["seen"].values():  # each line is played in every session
        repeated = {utt for utt, heard in fold.items() if heard["line"] == "yes"}
        assert repeated == {utt for utt in fold if "_script" in utt}
        assert {words[utt] for utt in repeated} == {normalise_transcript(x) for x in planted}
    for fold in found["folds"].values():
        for kind in ("speaker", "session", "dialogue", "audio"):
            assert fold["overlaps"][kind]["num_utts"] == 0
    assert found["missing"] == []
    # Words tell the class of half of the turns, and a quarter of the rest is right by chance.
    assert found["baselines"]["words"]["ua"] == pytest.approx(0.625, abs=0.03)
    assert found["baselines"]["constant"]["ua"] == 0.25


def wav_header(samples: npt.NDArray[np.int16]) -> bytes:
    """What stands before samples in a file of so many; ten thousand files are written by hand."""
    stream = io.BytesIO()
    soundfile.write(stream, samples, 16000, subtype="PCM_16", format="WAV")
    return stream.getvalue()[: -samples.nbytes]


def write_tree(root: Path, counts: CountsConfig) -> None:
    """An IEMOCAP of the real counts: distinct short audio, no two lines alike."""
    chance = random.Random("IEMOCAP")
    samples = silence()
    header = wav_header(next(samples))
    labelled = sum(sum(row.values()) for row in counts.sessions.values()) // 2  # labels, sexes
    excluded = counts.labelled_utterances - labelled
    for session, row in counts.sessions.items():
        sexes = ["F"] * row["female"] + ["M"] * row["male"]
        labels = [label for label in ("ang", "hap", "exc", "neu", "sad") for _ in range(row[label])]
        chance.shuffle(labels)
        # the excluded turns, a share in each session
        share = len(range(int(session) - 1, excluded, 5))
        turns = list(zip(labels + ["fru"] * share, sexes + ["F"] * share, strict=True))
        for scene in range(6):
            dialogue = f"Ses0{session}F_{'impro0' if scene < 3 else 'script01_'}{scene + 1}"
            folder = root / f"Session{session}"
            evaluation, transcript = [], []
            wavs = folder / "sentences" / "wav" / dialogue
            wavs.mkdir(parents=True)
            for number, (label, sex) in enumerate(turns[scene::6]):
                utt = f"{dialogue}_{sex}{number:03d}"
                evaluation += [f"[0.0 - 1.0]\t{utt}\t{label}\t[2.5, 2.5, 2.5]", ""]
                word = "".join(chance.choices("ABCDEFGHIJ", k=12))
                transcript.append(f"{utt} [000.0-001.0]: {word}")
                (wavs / f"{utt}.wav").write_bytes(header + next(samples).tobytes())
            write_lines(folder / "dialog" / "EmoEvaluation" / f"{dialogue}.txt", evaluation)
            write_lines(folder / "dialog" / "transcriptions" / f"{dialogue}.txt", transcript)


@pytest.mark.slow
def test_always_neutral_on_the_counts_of_iemocap(tmp_path: Path) -> None:
    recipe = RECIPES / "iemocap"
    counts = recipe / "conf" / "counts.yaml"
    write_tree(tmp_path / "tree", load_config(counts, CountsConfig))
    found = audited(tmp_path / "tree", tmp_path, recipe, counts)
    reached = {
        name: (round(100 * row["wa"], 2), round(100 * row["ua"], 2))
        for name, row in found["baselines"].items()
    }
    assert reached["constant"] == (30.88, 25.0)
    assert reached["majority"] == (28.96, 23.63)
    for fold in found["folds"].values():
        again = {kind: overlap["num_utts"] for kind, overlap in fold["overlaps"].items()}
        assert {kind for kind, number in again.items() if number} == {"scene"}
        assert again["scene"] == fold["num_test"]
    assert [f["num_test"] for f in found["folds"].values()] == [1085, 1023, 1151, 1031, 1241]
