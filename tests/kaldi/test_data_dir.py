"""Data directories: what Kaldi's own ``validate_data_dir.sh`` asks is held, and named."""

from pathlib import Path

import pytest

from ser.base.errors import SerError
from ser.kaldi.data_dir import digest_data_dir, read_data_dir, write_data_dir
from ser.kaldi.table import Table

UTTS = ("s1-a", "s1-b", "s10-a", "s2-a")
SPEAKER = {utt: utt.partition("-")[0] for utt in UTTS}


def tables() -> dict[str, Table]:
    return {
        "wav.scp": {utt: f"/corpora/My Speech/{utt}.wav" for utt in UTTS},
        "text": {"s1-a": "HELLO YOU", "s1-b": "", "s10-a": "CAF\u00c9", "s2-a": "IT'S"},
        "utt2spk": SPEAKER,
        "utt2dur": dict.fromkeys(UTTS, "1.2500"),
        "utt2emo": dict.fromkeys(UTTS, "ang"),
        "utt2cue": {"s1-a": "words", "s1-b": "", "s10-a": "", "s2-a": "two words"},
        "utt2num_frames": dict.fromkeys(UTTS, "123"),
        "spk2gender": {"s1": "m", "s10": "f", "s2": "f"},
    }


def test_written_then_read_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    backwards = {name: dict(reversed(table.items())) for name, table in tables().items()}
    written = write_data_dir(tmp_path / "data", backwards)
    read = read_data_dir(tmp_path / "data")
    assert read == written
    assert read.tables == tables() | {"spk2utt": {"s1": "s1-a s1-b", "s10": "s10-a", "s2": "s2-a"}}
    assert read.utts == sorted(UTTS)

    digest = digest_data_dir(tmp_path / "data")
    write_data_dir(tmp_path / "data", tables())
    assert digest_data_dir(tmp_path / "data") == digest


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    write_data_dir(tmp_path, tables())
    digest = digest_data_dir(tmp_path)
    (tmp_path / "excluded.tsv").write_text("b\ta\n\n")
    (tmp_path / "run.json").write_text("{}")
    assert "excluded.tsv" not in read_data_dir(tmp_path).tables
    assert digest_data_dir(tmp_path) == digest
    (tmp_path / "text").write_text("changed\n")
    assert digest_data_dir(tmp_path) != digest


# name of the table, utterance or speaker, new value (None: without it), what is said
VIOLATIONS = [
    ("text", "s1-b", None, "utt2spk: s1-b not in {path}/text"),
    ("wav.scp", "s1-b", None, "utt2spk: s1-b not in {path}/wav.scp"),
    ("utt2dur", "s1-b", None, "utt2spk: s1-b not in {path}/utt2dur"),
    ("utt2emo", "s1-b", None, "utt2spk: s1-b not in {path}/utt2emo"),
    ("text", "s3-a", "A", "text: s3-a not in {path}/utt2spk"),
    ("spk2gender", "s10", None, "speakers of utt2spk: s10 not in {path}/spk2gender"),
    ("spk2gender", "s3", "m", "spk2gender: s3 not in {path}/speakers of utt2spk"),
    ("spk2gender", "s2", "female", "spk2gender: s2 has 'female'; expected f or m"),
    ("utt2dur", "s1-b", "0.0000", "utt2dur: s1-b has '0.0000'; expected seconds above 0"),
    ("utt2dur", "s1-b", "-1", "utt2dur: s1-b has '-1'; expected seconds above 0"),
    ("utt2dur", "s1-b", "nan", "utt2dur: s1-b has 'nan'; expected seconds above 0"),
    ("utt2dur", "s1-b", "inf", "utt2dur: s1-b has 'inf'; expected seconds above 0"),
    ("utt2dur", "s1-b", "", "utt2dur: s1-b has ''; expected seconds above 0"),
    ("utt2dur", "s1-b", "1 s", "utt2dur: s1-b has '1 s'; expected seconds above 0"),
    ("utt2num_frames", "s1-b", "0", "utt2num_frames: s1-b has '0'; expected frames above 0"),
    ("utt2num_frames", "s1-b", "1.5", "utt2num_frames: s1-b has '1.5'; expected frames above 0"),
    ("wav.scp", "s1-b", "", "wav.scp: s1-b has ''; expected the path of an audio file"),
    ("wav.scp", "s1-b", "~/b.wav", "wav.scp: s1-b has '~/b.wav'; expected the path of an audio"),
    ("text", "s1-b", "A <s> B", "text: s1-b has 'A <s> B'; expected words"),
    ("text", "s1-b", "#0", "text: s1-b has '#0'; expected words"),
    ("text", "s1-b", "A\u00a0B", "text: s1-b has 'A\\xa0B'; expected words"),
    ("utt2spk", "s1-b", "", "utt2spk: s1-b has ''; expected a speaker, one word"),
    ("utt2spk", "s1-b", "s3", "expected the same ids in both"),  # s3 has no gender
    ("utt2spk", "s1-b", "s2", "utt2spk: the speaker s2 is no prefix of s1-b"),
]  # fmt: skip


def break_table(name: str, key: str, value: str | None) -> dict[str, Table]:
    broken = tables()
    broken[name] = {k: v for k, v in broken[name].items() if k != key}
    if value is not None:
        broken[name][key] = value
    return broken


@pytest.mark.parametrize(("name", "key", "value", "said"), VIOLATIONS)
def test_violations_are_not_written(
    tmp_path: Path, name: str, key: str, value: str | None, said: str
) -> None:
    with pytest.raises(SerError) as error:
        write_data_dir(tmp_path, break_table(name, key, value))
    assert said.format(path=tmp_path) in str(error.value)
    assert str(error.value).startswith(f"{tmp_path}/")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "key", "value", "said"), VIOLATIONS)
def test_violations_are_not_read(
    tmp_path: Path, name: str, key: str, value: str | None, said: str
) -> None:
    write_data_dir(tmp_path, tables())
    table = break_table(name, key, value)[name]
    (tmp_path / name).write_text("".join(f"{k} {table[k]}\n" for k in sorted(table)))
    with pytest.raises(SerError) as error:
        read_data_dir(tmp_path)
    if name == "utt2spk":  # seen first where spk2utt disagrees
        said = "utt"
    assert said.format(path=tmp_path) in str(error.value)


def test_a_word_is_a_word(tmp_path: Path) -> None:
    broken = {name: dict(table) for name, table in tables().items()}
    for name, table in broken.items():
        if name != "spk2gender":
            table["s1-a b"] = table.pop("s1-a")
    with pytest.raises(SerError, match="the utterance 's1-a b' holds a space"):
        write_data_dir(tmp_path, broken)


def test_a_line_break_in_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SerError, match=r"utt2cue: s1-b has 'a\\nb'"):
        write_data_dir(tmp_path, break_table("utt2cue", "s1-b", "a\nb"))


def test_spk2utt_must_be_the_inverse(tmp_path: Path) -> None:
    write_data_dir(tmp_path, tables())
    (tmp_path / "spk2utt").write_text("s1 s1-a\ns10 s10-a\ns2 s2-a s1-b\n")
    with pytest.raises(SerError, match="spk2utt: disagrees with utt2spk"):
        read_data_dir(tmp_path)


def test_the_order_by_speaker_must_be_that_by_utterance(tmp_path: Path) -> None:
    """``s1-a s10a s1a`` is sorted by utterance; by speaker ``s10a`` comes last."""
    spk = {"s1-a": "s1", "s10a": "s10", "s1a": "s1"}
    made: dict[str, Table] = {
        "wav.scp": dict.fromkeys(spk, "/a.wav"),
        "text": dict.fromkeys(spk, ""),
        "utt2spk": spk,
        "utt2dur": dict.fromkeys(spk, "1"),
    }
    with pytest.raises(SerError, match="utt2spk: s10a stands elsewhere when sorted by speaker"):
        write_data_dir(tmp_path, made)


@pytest.mark.parametrize("name", ["wav.scp", "text", "utt2spk", "spk2utt", "utt2dur"])
def test_a_missing_table_is_named(tmp_path: Path, name: str) -> None:
    write_data_dir(tmp_path, tables())
    (tmp_path / name).unlink()
    with pytest.raises(SerError, match=rf"{tmp_path / name}: no such file.*stage 0"):
        read_data_dir(tmp_path)


@pytest.mark.parametrize("name", ["text", "utt2emo", "spk2gender"])
def test_a_duplicate_id_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    write_data_dir(tmp_path, tables())
    lines = (tmp_path / name).read_text().splitlines(keepends=True)
    (tmp_path / name).write_text("".join([lines[0], *lines]))
    key = lines[0].split()[0]
    with pytest.raises(SerError, match=rf"{tmp_path / name}:2: the id {key} occurs twice"):
        read_data_dir(tmp_path)


def test_no_directory_and_no_utterances(tmp_path: Path) -> None:
    with pytest.raises(SerError, match=f"{tmp_path / 'data'}: no such data directory"):
        read_data_dir(tmp_path / "data")
    with pytest.raises(SerError, match=f"{tmp_path}: no utterances"):
        write_data_dir(tmp_path, {name: {} for name in tables()})
