"""Who mends a corpus is told all of a kind at once, in each parser and of whatever is wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import MELD_COLUMNS, MSP_COLUMNS, PLANTERS, write_csv
from programs import call

from ser.base.errors import MAX_LISTED, Faults, FaultsError, SerError, faults_listed_beside
from ser.config.labels import LabelsConfig
from ser.corpus.parsers.iemocap import read_iemocap
from ser.corpus.parsers.kaldi_dir import read_kaldi_dir
from ser.corpus.parsers.librispeech import read_librispeech
from ser.corpus.parsers.registry import READERS
from ser.corpus.prepare import prepare_table

LABELS = LabelsConfig(classes={"a": ["x"], "b": ["y"]}, exclude=[])
NOISE = 0.1 * np.random.default_rng(0).normal(size=(8, 4000))


def lines_of(read: Callable[[], object]) -> list[str]:
    with pytest.raises(FaultsError) as caught:
        read()
    return list(caught.value.lines)


BAD_NAMES = {
    "crema_d": ["AudioWAV/one.wav", "AudioWAV/two.wav"],
    "emodb": ["wav/one.wav", "wav/two.wav"],
    "esd": ["0011/Angry/one.wav", "0012/Sad/two.wav"],
    "ravdess": ["Actor_01/one.wav", "Actor_02/two.wav"],
    "savee": ["AudioData/DC/one.wav", "AudioData/two.wav"],
    "tess": ["one.wav", "two.wav"],
}


@pytest.mark.parametrize("corpus", BAD_NAMES)
def test_names_that_cannot_be_parsed(corpus: str, tmp_path: Path) -> None:
    PLANTERS[corpus](tmp_path)
    for name in BAD_NAMES[corpus]:
        (tmp_path / name).touch()
    one, two = sorted(lines_of(lambda: READERS[corpus](tmp_path)))
    assert {Path(line.split(": ")[0]).stem for line in (one, two)} == {"one", "two"}


def test_rows_of_published_tables(tmp_path: Path) -> None:
    meld, msp = tmp_path / "meld", tmp_path / "msp"
    PLANTERS["meld"](meld)
    write_csv(
        meld / "dev_sent_emo.csv",
        [MELD_COLUMNS, *([i, "Hi.", "Joey", "none", "neutral", 1, i] for i in range(3))],
    )
    said = lines_of(lambda: READERS["meld"](meld))
    assert len(said) == 3 and all("the emotion 'none'" in line for line in said)
    PLANTERS["msp_podcast"](msp)
    rows = [[f"MSP-PODCAST_1_{i}.wav", "?", 1, 1, 1, 1, "Male", "Train"] for i in range(2)]
    write_csv(msp / "Labels" / "labels_consensus.csv", [MSP_COLUMNS, *rows])
    assert len(lines_of(lambda: READERS["msp_podcast"](msp))) == 2


def plant_table(folder: Path, rows: list[str]) -> Path:
    for number, samples in enumerate(NOISE):
        soundfile.write(folder / f"{number}.wav", samples, 16000)
    (folder / "t.csv").write_text("\n".join(["path,label,speaker,id", *rows, ""]))
    return folder / "t.csv"


@pytest.mark.parametrize(("form", "size"), [("wav", 4), ("wav", 4000), ("flac", 20000)])
def test_broken_audio(tmp_path: Path, form: str, size: int) -> None:
    """No header; one that promises more; and FLAC, of which decoding alone tells."""
    table = plant_table(tmp_path, [f"{i}.{form},{'xy'[i % 2]},s{i},u" for i in range(8)])
    for number, samples in enumerate(NOISE):
        soundfile.write(tmp_path / f"{number}.{form}", np.tile(samples, 8), 16000)
    for number in (2, 5):
        path = tmp_path / f"{number}.{form}"
        path.write_bytes(path.read_bytes()[:size])
    lines = lines_of(lambda: prepare_table(table, tmp_path / "data", LABELS))
    assert [Path(line.split(": ")[0]).stem for line in lines] == ["2", "5"]


def test_a_kaldi_folder(tmp_path: Path) -> None:
    for name, content in {
        "wav.scp": "a-1 x.wav\na-2 y.wav\n",
        "utt2spk": "a-1 a\na-2 a\n",
        "utt2emo": "a-1 x\na-2 y\n",
        "segments": "a-1 none 0 1\na-2 none 0 1\n",
    }.items():
        (tmp_path / name).write_text(content)
    assert len(lines_of(lambda: read_kaldi_dir(tmp_path))) == 2
    (tmp_path / "segments").unlink()
    (tmp_path / "utt2session").write_text("a-1 x/y\na-2 y/z\n")
    assert len(lines_of(lambda: read_kaldi_dir(tmp_path))) == 2


def test_librispeech(tmp_path: Path) -> None:
    for chapter in ("1/2", "1/3"):
        folder = tmp_path / "s" / chapter
        folder.mkdir(parents=True)
        name = chapter.replace("/", "-")
        (folder / f"{name}.trans.txt").write_text(f"{name}-0000 A\n{name}-0001 B\n")
    lines = lines_of(lambda: read_librispeech(tmp_path, ["s"]))
    assert len(lines) == 4 and all("a transcript and no audio" in line for line in lines)


def test_iemocap(tmp_path: Path) -> None:
    for session in ("Session1", "Session2"):
        folder = tmp_path / session / "dialog"
        (folder / "transcriptions").mkdir(parents=True)
        (folder / "EmoEvaluation").mkdir()
        turns = "[no turn\n[nor this\n"
        (folder / "EmoEvaluation" / "Ses01F_impro01.txt").write_text(turns)
    assert len(lines_of(lambda: read_iemocap(tmp_path))) == 4


def test_more_than_a_screenful_is_counted_and_listed(tmp_path: Path) -> None:
    rows = [f"none{i}.wav,x,s,u{i}" for i in range(MAX_LISTED + 839)]
    table = plant_table(tmp_path, rows)
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "labels.yaml").write_text("classes: {a: [x], b: [y]}\nexclude: []\n")
    ended = call("prepare_table", table, tmp_path / "ser", "--conf", conf)
    said = ended.err
    assert ended.status and len(said.strip().splitlines()) == MAX_LISTED + 2
    report = tmp_path / "ser_faults.txt"
    assert said.strip().endswith(f"and 839 more like them; all are in {report}")
    assert len(report.read_text().splitlines()) == MAX_LISTED + 839


def test_the_list_of_an_earlier_run_goes(tmp_path: Path) -> None:
    (tmp_path / "ser_faults.txt").touch()
    with faults_listed_beside(tmp_path / "ser"):
        pass
    assert not (tmp_path / "ser_faults.txt").exists()


def test_one_fault_is_one_line_and_each_is_told_once() -> None:
    faults = Faults()
    for _ in range(2):
        with faults.noted():
            raise SerError("a: wrong; expected right; correct it")
    with pytest.raises(SerError, match=r"^a: wrong; expected right; correct it$"):
        faults.raise_any()
