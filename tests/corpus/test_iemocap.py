"""IEMOCAP's tree is read exactly, with all that real copies of it hold."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from ser.base.errors import SerError
from ser.config.labels import CountsConfig, LabelsConfig
from ser.corpus.parsers.iemocap import Iemocap, differences_from_counts, read_iemocap
from ser.corpus.synthetic.text import EXCLUDED_LABELS

LABELS = LabelsConfig(
    classes={"ang": ["ang"], "hap": ["hap", "exc"], "neu": ["neu"], "sad": ["sad"]},
    exclude=["fru", "sur", "fea", "dis", "oth", "xxx"],
)
HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
FIRST = "Ses01F_impro01_F000"


def turn(utt: str, label: str = "neu", *annotators: str) -> str:
    """The block of a turn in ``EmoEvaluation``."""
    head = f"[6.2901 - 8.2357]\t{utt}\t{label}\t[2.5000, 3.0000, 2.0000]"
    return "\n".join([head, *(annotators or ("C-E2:\tNeutral;\t()",)), ""])


def said(utt: str, words: str = "Excuse me.") -> str:
    return f"{utt} [006.2901-008.2357]: {words}"


def plant(
    root: Path,
    turns: list[str],
    transcripts: list[str],
    wavs: list[str],
    dialogue: str = "Ses01F_impro01",
    newline: str = "\n",
    encoding: str = "utf-8",
) -> None:
    """Writes a dialogue by hand."""
    session = root / f"Session{dialogue[4]}"
    for kind, lines in (
        ("EmoEvaluation", [HEADER, "", *turns]),
        ("transcriptions", transcripts),
    ):
        path = session / "dialog" / kind / f"{dialogue}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{line}\n" for line in lines).replace("\n", newline)
        path.write_bytes(text.encode(encoding))
    for utt in wavs:
        path = session / "sentences" / "wav" / dialogue / f"{utt}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")


def plant_plain(root: Path, *utts: str) -> None:
    dialogue = utts[0].rpartition("_")[0]
    plant(root, [turn(u) for u in utts], [said(u) for u in utts], list(utts), dialogue)


@pytest.mark.parametrize(
    ("utt", "spk", "gender", "scene", "kind"),
    [
        ("Ses01F_impro01_F000", "Ses01F", "f", "impro01", "improvised"),
        # the letter of the dialogue names who wore the markers, not who speaks
        ("Ses01F_impro01_M000", "Ses01M", "m", "impro01", "improvised"),
        ("Ses02M_script01_3_F011", "Ses02F", "f", "script01_3", "scripted"),
        # a letter behind the scene moves all positions by one
        ("Ses03M_impro05a_F012", "Ses03F", "f", "impro05", "improvised"),
        ("Ses05M_script01_1b_M003", "Ses05M", "m", "script01_1", "scripted"),
    ],
)
def test_names(tmp_path: Path, utt: str, spk: str, gender: str, scene: str, kind: str) -> None:
    plant_plain(tmp_path, utt)
    (found,) = read_iemocap(tmp_path).utterances
    assert (found.utt, found.utt_orig) == (f"{spk}-{utt}", utt)
    assert (found.spk, found.gender, found.session) == (spk, gender, utt[4])
    assert found.attributes["utt2scene"] == scene
    assert found.attributes["utt2type"] == kind
    wav = f"Session{utt[4]}/sentences/wav/{utt.rpartition('_')[0]}/{utt}.wav"
    assert found.wav == tmp_path / wav


def test_the_folder_that_holds_the_release_will_do(tmp_path: Path) -> None:
    plant_plain(tmp_path / "IEMOCAP_full_release", FIRST)
    assert read_iemocap(tmp_path) == read_iemocap(tmp_path / "IEMOCAP_full_release")


def test_votes_are_kept_by_annotator_and_dimensions_in_their_order(tmp_path: Path) -> None:
    annotators = (
        "C-E2:\tNeutral; Frustration;\t()",  # two votes
        "C-E4:\tOther;\t(a bit puzzled; tired)",
        "C-E1:\tHappiness; \t()",
        "C-F1:\tNeutral state;\t()",  # the actor herself
        "A-E3:\tval 3; act 2; dom  2;\t()",
        "A-F1:\tval 3; act 2; dom  1;\t()",
    )
    other = FIRST.replace("F000", "M000")
    plant(
        tmp_path,
        [turn(FIRST, "neu", *annotators), turn(other, "xxx", "C-E2:\tAnger;\t()")],
        [said(FIRST), said(other)],
        [FIRST, other],
    )
    first, second = read_iemocap(tmp_path).utterances
    assert first.attributes["utt2votes"] == ("E1=hap E2=neu,fru E4=oth F1=neu")
    assert first.attributes["utt2vad"] == "2.5 3 2"
    assert (first.label, second.label) == ("neu", "xxx")
    assert second.attributes["utt2votes"] == "E2=ang"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_transcripts_of_real_trees(tmp_path: Path, newline: str, encoding: str) -> None:
    utts = [f"Ses01F_impro01_F{i:03d}" for i in range(5)]
    transcripts = [
        said(utts[0], "[LAUGHTER] It\u2019s a caf\u00e9\u2026 {LG} no?"),
        f"{utts[1]}: No time here.",
        f"{utts[2]} [000.1-000.2] : At 5: go.",
        "M: Yeah.",
        "",
        said("Ses01F_impro01_FXX0", "Never cut out."),
        said(utts[3], "[LAUGHTER]"),
        said(utts[4], ""),
    ]
    plant(tmp_path, [turn(u) for u in utts], transcripts, utts, newline=newline, encoding=encoding)
    corpus = read_iemocap(tmp_path)
    assert {u.utt_orig: u.transcript for u in corpus.utterances} == dict(
        zip(utts, ["IT'S A CAF\u00c9 NO", "NO TIME HERE", "AT 5 GO", "", ""], strict=True)
    )
    assert corpus.left_out == {"Ses01F_impro01_FXX0": "transcript of a turn without label"}
    assert corpus.incomplete == {}


def test_what_lies_beside_the_evaluations_is_not_read(tmp_path: Path) -> None:
    plant_plain(tmp_path, FIRST)
    before = read_iemocap(tmp_path)
    dialog = tmp_path / "Session1" / "dialog"
    for folder in ("Attribute", "Categorical", "Self-evaluation"):
        (dialog / "EmoEvaluation" / folder).mkdir()
        (dialog / "EmoEvaluation" / folder / "Ses01F_impro01.txt").write_text(turn(FIRST, "ang"))
    for folder in ("EmoEvaluation", "transcriptions"):
        (dialog / folder / "._Ses01F_impro01.txt").write_bytes(b"\x00\x05\x16\x07[\n[1]\n\xff")
        (dialog / folder / "notes.doc").write_text(turn(FIRST, "ang"))
    assert read_iemocap(tmp_path) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (turn("Ses01F_improx_F000"), ":3: 'Ses01F_improx_F000' is no turn of IEMOCAP"),
        (turn("Ses06F_impro01_F000"), ":3: 'Ses06F_impro01_F000' is no turn of IEMOCAP"),
        (turn("Ses01F_impro01_X000"), ":3: 'Ses01F_impro01_X000' is no turn of IEMOCAP"),
        (turn(FIRST) + "\n" + turn(FIRST), f":6: {FIRST} occurs twice"),
        (turn(FIRST).replace("\t", " "), ":3: '[6.2901 - 8.2357] Ses01F"),
        (turn(FIRST).replace("3.0000", "high"), ":3: '[6.2901 - 8.2357]\\tSes01F"),
        (turn(FIRST).replace(", 2.0000", ""), ":3: '[6.2901 - 8.2357]\\tSes01F"),
        (turn(FIRST).replace("3.0000", "3.0.0"), ":3: '[6.2901 - 8.2357]\\tSes01F"),
    ],
)
def test_malformed_evaluations_are_named(tmp_path: Path, line: str, message: str) -> None:
    plant(tmp_path, [line], [said(FIRST)], [FIRST])
    with pytest.raises(SerError) as error:
        read_iemocap(tmp_path)
    path = tmp_path / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    assert str(error.value).startswith(f"{path}{message}")
    assert "\n" not in str(error.value)


def test_two_transcripts_of_a_turn_are_refused(tmp_path: Path) -> None:
    plant(tmp_path, [turn(FIRST)], [said(FIRST), said(FIRST, "Pardon.")], [FIRST])
    with pytest.raises(SerError, match=rf"Ses01F_impro01\.txt:2: {FIRST} has two different"):
        read_iemocap(tmp_path)


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(SerError, match=f"{tmp_path / 'none'}: no such folder.*set IEMOCAP"):
        read_iemocap(tmp_path / "none")
    with pytest.raises(SerError, match=f"{tmp_path}: holds no Session1 to Session5"):
        read_iemocap(tmp_path)
    plant_plain(tmp_path, FIRST)
    shutil.rmtree(tmp_path / "Session1" / "dialog" / "transcriptions")
    with pytest.raises(SerError, match=r"Session1/dialog/transcriptions: no such folder"):
        read_iemocap(tmp_path)


def test_what_is_missing_is_listed_with_its_path(tmp_path: Path) -> None:
    utts = [f"Ses01F_impro01_F{i:03d}" for i in range(4)]
    plant(tmp_path, [turn(u) for u in utts], [said(u) for u in utts[:2]], [utts[0], utts[2]])
    corpus = read_iemocap(tmp_path)
    assert [u.utt_orig for u in corpus.utterances] == [utts[0]]
    folder = tmp_path / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    assert corpus.incomplete == {
        f"Ses01F-{utts[1]}": f"missing: {folder / utts[1]}.wav",
        f"Ses01F-{utts[2]}": "missing: transcript",
        f"Ses01F-{utts[3]}": f"missing: {folder / utts[3]}.wav, transcript",
    }


# --- the generated tree, which holds every oddity at once


@pytest.fixture(scope="module")
def tree(generated: Path) -> Path:
    return generated / "IEMOCAP_full_release"


@pytest.fixture(scope="module")
def corpus(tree: Path) -> Iemocap:
    return read_iemocap(tree)


@pytest.fixture(scope="module")
def counts(generated: Path) -> CountsConfig:
    return CountsConfig.model_validate(yaml.safe_load((generated / "counts.yaml").read_text()))


def test_generated_tree_is_whole(corpus: Iemocap, counts: CountsConfig) -> None:
    assert len(corpus.utterances) == 80 + len(EXCLUDED_LABELS)
    assert differences_from_counts(corpus, LABELS, counts) == []
    assert corpus.incomplete == {}
    assert {u.spk for u in corpus.utterances} == {f"Ses0{s}{g}" for s in range(1, 6) for g in "FM"}
    assert len(corpus.left_out) >= 5
    assert all(re.fullmatch(r"Ses0\d[FM]_impro01_FXX1", utt) for utt in corpus.left_out)
    for u in corpus.utterances:
        assert u.transcript
        assert re.fullmatch("[A-Z']+( [A-Z']+)*", u.transcript)
        assert not {"LAUGHTER", "LG", "BREATHING"} & set(u.transcript.split())
        assert len(u.attributes["utt2votes"].split()) == 4
        assert f"{u.utt_orig[-4]}1=" in u.attributes["utt2votes"]  # the actor's own vote


def test_differences_say_by_how_much(tree: Path, tmp_path: Path, counts: CountsConfig) -> None:
    partial = tmp_path / "IEMOCAP_full_release"
    shutil.copytree(tree, partial)
    lost = next(
        u for u in read_iemocap(partial).utterances if u.session == "3" and u.label == "sad"
    )
    lost.wav.unlink()
    row = counts.sessions["3"]
    sex = {"f": "female", "m": "male"}[lost.gender]
    assert differences_from_counts(read_iemocap(partial), LABELS, counts) == [
        f"session 3: {sex} {row[sex] - 1}, expected {row[sex]} (-1)",
        f"session 3: sad {row['sad'] - 1}, expected {row['sad']} (-1)",
        f"labelled utterances {counts.labelled_utterances - 1}, "
        f"expected {counts.labelled_utterances}",
        f"{lost.utt}: missing: {lost.wav}",
    ]
    shutil.rmtree(partial / "Session5")
    found = differences_from_counts(read_iemocap(partial), LABELS, counts)
    for key, want in counts.sessions["5"].items():
        assert f"session 5: {key} 0, expected {want} ({-want:+d})" in found


def test_too_many_are_a_difference_too(corpus: Iemocap, counts: CountsConfig) -> None:
    fewer = {s: row for s, row in counts.sessions.items() if s != "1"}
    found = differences_from_counts(corpus, LABELS, counts.model_copy(update={"sessions": fewer}))
    sad = counts.sessions["1"]["sad"]
    assert f"session 1: sad {sad}, expected 0 (+{sad})" in found
