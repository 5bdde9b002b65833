"""Reading predictions: what is right is read, and every fault is named."""

from pathlib import Path

import pytest

from ser.base.errors import SerError
from ser.base.record import rerun_hint
from ser.score.predictions.experiment import Predictions, read_predictions
from ser.score.predictions.table import read_prediction_file

HEADER = "utt spk session fold_list ref hyp post_ang post_sad ref_text"
SYSTEMS, SEEDS, FOLDS = ("x", "y"), ("1", "2"), ("1", "2")


def tsv(header: str, *rows: str) -> str:
    """Rows whose cells are apart by ``|``."""
    lines = [header.split(), *(row.split("|") for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def row(utt: str) -> str:
    return f"{utt}|s1|1|f|ang|sad|0.25|0.75|HELLO YOU"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two systems, two seeds, two folds; fold k holds the utterances k0 and k1."""
    for system in SYSTEMS:
        (tmp_path / system).mkdir()
        for seed in SEEDS:
            for fold in FOLDS:
                text = tsv(HEADER, row(f"{fold}1"), row(f"{fold}0"))
                (tmp_path / system / f"seed{seed}_fold{fold}.tsv").write_text(text)
    utts = ("10", "11", "20", "21")
    rows = (f"{utt}|{'words' if utt < '20' else ''}" for utt in utts)
    (tmp_path / "attributes.tsv").write_text(tsv("utt cue", *rows))
    return tmp_path


def read(folder: Path) -> Predictions:
    return read_predictions(folder, SYSTEMS, SEEDS, FOLDS)


def test_reads_everything(folder: Path) -> None:
    predictions = read(folder)
    assert predictions.labels == ("ang", "sad")
    assert predictions.attributes == {"cue": {"10": "words", "11": "words", "20": "", "21": ""}}
    first, second = predictions.folds["y"]["2"]["1"]
    assert (first.utt, second.utt) == ("10", "11")
    assert (first.spk, first.session, first.ref, first.hyp) == ("s1", "1", "ang", "sad")
    assert first.posteriors == (0.25, 0.75)
    assert (first.ref_text, first.ctc_text) == ("HELLO YOU", None)


def test_reads_ctc_text_even_empty(tmp_path: Path) -> None:
    path = tmp_path / "p.tsv"
    path.write_text(tsv(HEADER + " ctc_text", row("a") + "|HELL YOU", row("b") + "|"))
    assert [p.ctc_text for p in read_prediction_file(path)[1]] == ["HELL YOU", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the last line, 1, is cut"),
        (tsv(HEADER, row("a"))[:-1], "the last line, 2, is cut"),
        (tsv(HEADER), "0 utterances"),
        (
            tsv(HEADER.replace("hyp ", ""), "a|s|1|f|ang|1|0|"),
            "the columns are utt spk session fold_list ref ",
        ),
        (tsv("utt spk session fold_list ref hyp ref_text", "a|s|1|f|ang|ang|"), "the columns are"),
        (tsv(HEADER + " extra", row("a") + "|"), "the columns are"),
        (tsv(HEADER.replace("utt ", "id "), row("a")), "utt first"),
        (tsv(HEADER.replace("post_sad", "post_ang"), row("a")), "each column once"),
        (tsv(HEADER, row("a") + "|more"), "a (line 2) has 10 columns; expected 9"),
        (tsv(HEADER, row("a"), row("b"), row("a")), "a occurs twice (line 4)"),
        (tsv(HEADER, "a|s|1|f|joy|ang|1|0|"), "a: ref is 'joy'; expected one of ang sad"),
        (tsv(HEADER, "a|s|1|f|ang|joy|1|0|"), "a: hyp is 'joy'"),
        (tsv(HEADER, "a|s|1|f|ang|ang|one|0|"), "a: post_ang is 'one'; expected a number"),
        (tsv(HEADER, "a|s|1|f|ang|ang|nan|0|"), "a: post_ang is 'nan'"),
        (tsv(HEADER, "a|s|1|f|ang|ang|1.5|-0.5|"), "a: post_ang is '1.5'"),
        (tsv(HEADER, "a|s|1|f|ang|ang|0.9|0.05|"), "a: the posteriors sum to 0.9500"),
        (
            tsv(HEADER, "a|s|1|f|ang|ang|0.4|0.6|"),
            "a: hyp is 'ang'; expected the most probable class, 'sad'",
        ),
        (tsv(HEADER, "a||1|f|ang|ang|1|0|"), "a: spk is empty"),
        (tsv(HEADER, "a|s||f|ang|ang|1|0|"), "a: session is empty"),
    ],
)
def test_names_what_is_wrong_in_a_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "seed1_fold1.tsv"
    path.write_text(text)
    with pytest.raises(SerError) as error:
        read_prediction_file(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert str(error.value).endswith(f"run {rerun_hint(5)}")


def test_posteriors_may_be_rounded(tmp_path: Path) -> None:
    path = tmp_path / "p.tsv"
    path.write_text(tsv(HEADER, "a|s|1|f|ang|sad|0.3333|0.6660|"))
    read_prediction_file(path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("y/seed2_fold1.tsv", None, "y/seed2_fold1.tsv: no such file"),
        ("attributes.tsv", None, "attributes.tsv: no such file"),
        ("attributes.tsv", tsv("utt", "10", "11", "20"), "without 21; expected every"),
        ("attributes.tsv", tsv("utt", "10", "10"), "10 occurs twice"),
        (
            "x/seed2_fold2.tsv",
            tsv(HEADER.replace("sad", "joy"), "20|s|1|f|ang|ang|1|0|", "21|s|1|f|ang|ang|1|0|"),
            "the classes are ang joy; expected ang sad",
        ),
        ("y/seed1_fold2.tsv", tsv(HEADER, row("20")), "y/seed1_fold2.tsv: 21 is not in "),
        (
            "y/seed1_fold2.tsv",
            tsv(HEADER, row("20"), row("21").replace("ang", "sad")),
            "21: ref is 'sad'; expected 'ang', as in ",
        ),
        (
            "y/seed1_fold2.tsv",
            tsv(HEADER, row("20"), row("21").replace("s1", "s2")),
            "21: spk is 's2'; expected 's1', as in ",
        ),
        (
            "y/seed1_fold2.tsv",
            tsv(HEADER, row("20"), row("21").replace("YOU", "ME")),
            "21: ref_text is 'HELLO ME'",
        ),
        ("attributes.tsv", tsv("utt dur", "10|1", "11|nan", "20|1", "21|1"), "11: dur is 'nan'"),
        ("attributes.tsv", tsv("utt dur", "10|", "11|1", "20|1", "21|1"), "10: dur is ''"),
        (
            "attributes.tsv",
            tsv("utt votes", "10|E1=ang E2=sad,ang", "11|", "20|ang;sad", "21|"),
            "20: votes is 'ang;sad'",
        ),
        (
            "y/seed1_fold2.tsv",
            tsv(HEADER + " ctc_text", row("20") + "|", row("21") + "|"),
            "no column ctc_text, as in 3 of 4 files",
        ),
    ],
)
def test_files_that_do_not_fit_together(
    folder: Path, name: str, text: str | None, message: str
) -> None:
    path = folder / name
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(SerError, match="--stage 5") as error:
        read(folder)
    assert message in str(error.value)


def test_an_utterance_in_two_folds(folder: Path) -> None:
    for path in folder.glob("*/*fold2.tsv"):
        path.write_text(tsv(HEADER, row("11"), row("20")))
    with pytest.raises(SerError, match=r"seed1_fold2.tsv: 11 stands in seed1_fold1.tsv too"):
        read(folder)


def test_no_system_asked(folder: Path) -> None:
    with pytest.raises(SerError, match="--systems: names 0"):
        read_predictions(folder, (), SEEDS, FOLDS)
