"""A newcomer's own file names: a pattern with named parts says speaker and label, and what else."""

import contextlib
import re
import subprocess
from pathlib import Path

import pytest
from corpora import plant_audio, plant_emodb
from programs import Said, call
from recipe_shell import plant_checkout, prepare, run_script
from tracked import ROOT

from ser.config.yaml_file import read_yaml
from ser.corpus.parsers.emodb import EMOTIONS
from ser.kaldi.data_dir import DataDir, read_data_dir

pytestmark = pytest.mark.long

EMODB = r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<label>[WLEAFTN])[a-z]?"


def new_recipe(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_script(tree / "tools" / "new_recipe.sh", *words)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout, and a tree as EmoDB's."""
    plant_emodb(tmp_path / "corpus")
    return plant_checkout(tmp_path)


def data_of(recipe: Path, **corpus: str) -> DataDir:
    """What stage 0 makes of a corpus, with its folds."""
    done = prepare(recipe, **corpus)
    assert done.returncode == 0, done.stderr
    protocol = ["--protocol", "conf/protocol/paper.yaml"]
    with contextlib.chdir(recipe):
        made = call("make_folds", "data/ser", "exp/folds", *protocol)
        assert made.status == 0, made.err
    return read_data_dir(recipe / "data" / "ser")


def test_emodb_by_its_own_recipe_and_by_a_pattern(tree: Path) -> None:
    """The two ways of egs/README.md give the same labels and speakers."""
    assert f"--pattern '{EMODB}'" in (ROOT / "egs" / "README.md").read_text()
    made = new_recipe(tree, "mine", "--pattern", EMODB)
    assert made.returncode == 0, made.stderr
    recipe = tree / "egs" / "mine"
    classes = read_yaml(tree / "egs" / "emodb" / "conf" / "labels.yaml")["classes"]
    letter = {name: letter for letter, name in EMOTIONS.items()}
    lines = [f"  {name}: [{letter[labels[0]]}]" for name, labels in classes.items()]
    text = "\n".join(["classes:", *lines, "exclude: []", ""])
    (recipe / "conf" / "labels.yaml").write_text(text)
    corpus = str(tree / "corpus")
    theirs, mine = data_of(tree / "egs" / "emodb", EMODB=corpus), data_of(recipe, MINE=corpus)

    def rows(data: DataDir) -> set[tuple[str, str, str]]:
        tables = (data["wav.scp"], data["utt2spk"], data["utt2emo"])
        return {(tables[0][utt], tables[1][utt], tables[2][utt]) for utt in data.utts}

    assert rows(mine) == rows(theirs)
    assert len(rows(mine)) == 80
    assert set(mine["utt2sentence"].values()) == {"a01", "b10"}


def listed(root: Path, pattern: str, *more: str) -> Said:
    return call("list_audio", root, "--pattern", pattern, *more)


def test_a_pattern_of_names_and_one_of_paths(tmp_path: Path) -> None:
    for name in ("happy/anna_1.wav", "sad/ben_2.flac"):
        plant_audio(tmp_path / name)
    said = listed(tmp_path, r"(?P<label>\w+)/(?P<spk>[a-z]+)_(?P<take>\d)")
    assert said.out.splitlines() == [
        "path\tlabel\tspk\ttake",
        f"{tmp_path}/happy/anna_1.wav\thappy\tanna\t1",
        f"{tmp_path}/sad/ben_2.flac\tsad\tben\t2",
    ]
    said = listed(tmp_path, r"(?P<speaker>(?P<label>[a-z]+))(_\d)?(?P<note>x)?")
    assert said.out.splitlines()[1] == f"{tmp_path}/happy/anna_1.wav\tanna\tanna\t"


def test_names_of_another_form_are_all_told(tmp_path: Path) -> None:
    for name in ("anna_sad.wav", *(f"odd/{i:02}.wav" for i in range(12))):
        plant_audio(tmp_path / name)
    pattern = "(?P<speaker>[a-z]+)_(?P<label>[a-z]+)"
    said = listed(tmp_path, pattern)
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith(
        f"error: {tmp_path}: 12 of 13 names are not of the pattern '{pattern}'"
    )
    assert "odd/00.wav, odd/01.wav, " in said.err and "odd/09.wav and 2 more; expected" in said.err
    assert said.err.count("\n") == 1
    said = listed(tmp_path, pattern, "--leave-out-others")
    assert said.status == 0 and len(said.out.splitlines()) == 2
    assert "12 of 13 names" in said.err and "they are left out" in said.err
    assert listed(tmp_path / "odd", pattern, "--leave-out-others").status == 1, "nothing is left"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<speaker>", r"no regular expression \(missing \), unterminated subpattern"),
        ("(?P<a>.)(?P<a>.)", "no regular expression"),
        ("(?P<speaker>.{4294967296})(?P<label>.)", "no regular expression"),
        ("(" * 5000 + ")" * 5000, "no regular expression"),
        ("(?P<speaker>..).*", r"no part is named label \(named are: speaker\)"),
        ("(..)_(.*)", r"no part is named speaker or label \(named are: none\)"),
        ("(?P<speaker>.)(?P<label>.)(?P<file>.*)", "the part 'file' means the file itself"),
    ],
)
def test_patterns_that_are_none(tmp_path: Path, pattern: str, message: str) -> None:
    said = listed(tmp_path, pattern)
    assert said.status == 1 and said.err.count("\n") == 1
    assert re.match(f"error: --pattern '{re.escape(pattern)}': {message}", said.err)


def test_all_unknown_labels_at_once(tree: Path) -> None:
    """Who maps the letters of file names need not come back for each of them."""
    assert new_recipe(tree, "mine", "--pattern", EMODB).returncode == 0
    said = prepare(tree / "egs" / "mine", MINE=str(tree / "corpus"))
    assert said.returncode == 1
    assert "the label 'A' of 03-" in said.stderr
    for label, more in {"N": 19, "E": 9, "F": 9, "L": 9, "T": 9, "W": 9}.items():
        assert re.search(rf"the label '{label}' of \S+ and {more} more", said.stderr)


def test_help_and_words_that_are_none(tree: Path) -> None:
    said = new_recipe(tree, "--help")
    assert said.returncode == 0
    assert "--pattern PATTERN" in said.stdout and "set -euo" not in said.stdout
    for words in (["mine", "--patern", "x"], ["mine", "--pattern"], ["mine", "x"]):
        said = new_recipe(tree, *words)
        assert said.returncode == 2 and "tools/new_recipe.sh --help" in said.stderr
    assert not (tree / "egs" / "mine").exists()
