"""The recognisers of stage 3, asked for words."""

from pathlib import Path

import pytest
from programs import Said, call
from tiny import FBANK
from tiny_recipe import EXP, FEATS, WORDS, epochs, pretrain_run

from ser.base.record import Record
from ser.kaldi.table import read_table, write_table

RECOGNISER, VALID = EXP / "pretrain" / "ctc", FEATS / "asr_valid"
OUT, LM_TEXT = Path("heard"), Path("lm_text")


@pytest.fixture(autouse=True)
def recipe_here(recipe: Path) -> None:
    lines = [f"other-{i} {words.lower()}!" for i, words in enumerate(WORDS.values())]
    LM_TEXT.write_text("\n".join(lines) + "\n")


def transcribe(*options: object, feats: Path = VALID, recogniser: Path = RECOGNISER) -> Said:
    return call("transcribe", recogniser, feats, OUT, *options)


def test_greedy_is_what_stage_3_measured() -> None:
    said = transcribe()
    assert said.status == 0, said.err
    wer = epochs(pretrain_run())[-1]["valid_wer"]
    assert said.out.startswith(f"WER {100 * wer:.1f} %: ")
    assert read_table(OUT).keys() == read_table(VALID / "utt2spk").keys()


def test_without_transcripts_there_is_no_wer() -> None:
    path = FEATS / "ser" / "text"
    write_table(path, dict.fromkeys(read_table(path), ""))
    Record(FEATS / "ser", 1, FBANK.model_dump(), {}).finish()
    said = transcribe(feats=FEATS / "ser")
    assert (said.status, said.out) == (0, ""), said.err
    assert len(read_table(OUT)) == 24


def test_the_language_model_has_a_say() -> None:
    assert transcribe().status == 0
    greedy = read_table(OUT)
    OUT.rename("greedy")
    lm = ("--lm-text", LM_TEXT, "--lm-weight", 3, "--token-bonus", 6, "--order", 4)
    said = transcribe(*lm)
    assert said.status == 0, said.err
    heard = read_table(OUT)
    known = {word for words in WORDS.values() for word in words.split()}
    share = [
        sum(word in known for text in table.values() for word in text.split())
        / max(1, sum(len(text.split()) for text in table.values()))
        for table in (greedy, heard)
    ]
    assert share[1] > share[0]


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        ("", ("--lm-text", LM_TEXT, "--beam", 0), "--beam 0: expected 1 to 1000"),
        ("", ("--token-bonus", 2), "--token-bonus 2 without --lm-text; expected both"),
        (
            "of another stage",
            (),
            "dump/fbank/ser: of stage 0; expected the output of stage 1",
        ),
        (
            "",
            ("--lm-text", VALID / "text"),
            "has 4 of the utterances that are to be transcribed, r-",
        ),
        (
            "copies",
            ("--lm-text", LM_TEXT),
            "has 4 of the utterances that are to be transcribed, sp0.9-r-",
        ),
        ("nothing said", ("--lm-text", LM_TEXT), "lm_text: no words; expected transcripts"),
        ("there already", (), "heard: is there already; expected a new file"),
        ("no BPE", (), "the BPE model that it was trained with is not there; expected bpe.model"),
        ("published", (), "pretrain/ctc: a published encoder, which has no CTC head; expected"),
        ("other features", (), "features with num_mel_bins 40; exp/pretrain/ctc was trained on 80"),
    ],
)
def test_refused(make: str, options: tuple[object, ...], message: str) -> None:
    if make == "nothing said":
        LM_TEXT.write_text("a ...\nb\n")
    elif make == "copies":
        lines = (VALID / "text").read_text().splitlines()
        LM_TEXT.write_text("".join(f"sp0.9-{line}\n" for line in lines))
    elif make == "there already":
        OUT.write_text("mine")
    elif make == "no BPE":
        (EXP / "bpe").rename("elsewhere")
    elif make == "published":
        Record(RECOGNISER, 3, {"encoder": {}, "published": {}}, {}).finish()
    elif make == "other features":
        Record(FEATS / "ser", 1, {**FBANK.model_dump(), "num_mel_bins": 40}, {}).finish()
    elif make == "of another stage":
        Record(FEATS / "ser", 0, {}, {}).finish()
    said = transcribe(*options, feats=FEATS / "ser" if make.startswith(("oth", "of")) else VALID)
    assert said.status == 1
    assert message in said.err
    assert said.err.count("\n") == 1
    assert not OUT.exists() or OUT.read_text() == "mine"
