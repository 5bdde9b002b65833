"""Kaldi data directories as they come: dumps in arks, tables by other hands, any order of ids."""

import io
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import kaldiio
import numpy as np
import pytest
import soundfile
from corpora import RAMP, samples_of
from tiny import Trap

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.corpus.prepare import prepare_table
from ser.kaldi.data_dir import read_data_dir

LABELS = LabelsConfig(classes={"hap": ["joy"], "sad": ["sad"]}, exclude=[])
TABLES = {
    "utt2spk": "a-1 a\nb-1 b\n",
    "utt2emo": "a-1 joy\nb-1 sad\n",
    "text": "a-1 WELL YES\nb-1\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory of two files."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, samples in (("a", RAMP), ("b", RAMP[::-1])):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000)
    write(folder, **TABLES, wav_scp=f"a-1 {tmp_path}/a.wav\nb-1 {tmp_path}/b.wav\n")
    return folder


def write(folder: Path, **tables: str) -> None:
    for name, text in tables.items():
        (folder / name.replace("_scp", ".scp")).write_bytes(text.encode())


def prepared(source: Path, **options: Any) -> Any:
    out = source.parent / "data" / "ser"
    prepare_table(source, out, LABELS, **options)
    return read_data_dir(out)


def refused(source: Path) -> str:
    with pytest.raises(SerError) as caught:
        prepared(source)
    assert not (source.parent / "data" / "ser").exists()
    return str(caught.value)


def dump(source: Path, write_function: str | None = None) -> None:
    """Writes the audio as ESPnet's ``format_wav_scp.py`` does: an ark, and ``ark:offset``."""
    audio = {"a-1": (16000, RAMP), "b-1": (16000, np.stack([RAMP, RAMP], axis=1))}
    ark, scp = str(source / "data_wav.ark"), str(source / "wav.scp")
    kaldiio.save_ark(ark, audio, scp, write_function=write_function)


def dump_bare_flac(source: Path) -> None:
    """FLAC behind each id without kaldiio's own header."""
    content, lines = b"", ""
    for utt in ("a-1", "b-1"):
        file = io.BytesIO()
        soundfile.write(file, RAMP, 16000, format="FLAC")
        content += f"{utt} ".encode()
        lines += f"{utt} {source}/data_flac.ark:{len(content)}\n"
        content += file.getvalue()
    (source / "data_flac.ark").write_bytes(content)
    write(source, wav_scp=lines)


DUMPS = {
    "wav": dump,
    "kaldiio's own form": partial(dump, write_function="soundfile"),
    "flac": dump_bare_flac,
}


def test_a_dump_of_eight_bits(source: Path) -> None:
    eight = (RAMP // 256 + 128).astype(np.uint8)
    audio = dict.fromkeys(("a-1", "b-1"), (16000, eight))
    kaldiio.save_ark(str(source / "data_wav.ark"), audio, str(source / "wav.scp"))
    assert samples_of(prepared(source)["wav.scp"]["a-1"]) == (RAMP // 256 * 256).tolist()


@pytest.mark.parametrize("form", DUMPS)
def test_a_dump_of_espnet(source: Path, form: str) -> None:
    DUMPS[form](source)
    data = prepared(source)
    assert samples_of(data["wav.scp"]["a-1"]) == RAMP.tolist()
    assert samples_of(data["wav.scp"]["b-1"]) == RAMP.tolist()
    assert data["utt2dur"] == {"a-1": "1.0000", "b-1": "1.0000"}


def test_a_range_of_a_dump_and_segments_of_it(source: Path) -> None:
    dump(source)
    scp = source / "wav.scp"
    scp.write_text("".join(f"{line}[0:100]\n" for line in scp.read_text().splitlines()))
    assert samples_of(prepared(source)["wav.scp"]["a-1"]) == RAMP[:101].tolist()  # as kaldiio
    dump(source)
    write(source, segments="a-1 a-1 0.25 0.5\nb-1 b-1 0.5 -1\n")
    data = prepared(source)
    assert samples_of(data["wav.scp"]["a-1"]) == RAMP[4000:8000].tolist()
    assert samples_of(data["wav.scp"]["b-1"]) == RAMP[8000:].tolist()


def test_a_dump_that_was_written_again_is_read_again(source: Path) -> None:
    dump(source)
    prepared(source)
    audio = dict.fromkeys(("a-1", "b-1"), (16000, RAMP[:8000]))
    kaldiio.save_ark(f"{source}/data_wav.ark", audio, f"{source}/wav.scp")
    assert samples_of(prepared(source)["wav.scp"]["a-1"]) == RAMP[:8000].tolist()


def test_what_is_no_audio_of_a_dump(source: Path) -> None:
    ark, scp = source / "data_wav.ark", source / "wav.scp"
    dump(source)
    lines = scp.read_text().splitlines()
    scp.write_text("".join(f"{line}[:,0]\n" for line in lines))
    assert refused(source).count("the range [:,0]; expected [first:last]") == 2
    scp.write_text("".join(f"{line}[5:16000]\n" for line in lines))
    assert "16000 samples, without those of the range" in refused(source)
    scp.write_text(f"a-1 {ark}:4\nb-1 {ark}:99999999\n")
    said = refused(source)
    assert f"{ark}:4: no readable audio (a-1; b'" not in said  # which is right, and this is not:
    assert f"{ark}:99999999: no readable audio (b-1; b'' stands there)" in said
    scp.write_text(f"a-1 {source}/no.ark:4\nb-1 {source}/none.ark:4\n")
    said = refused(source)
    assert f"{source}/no.ark: no such file (a-1)" in said and "none.ark: no such file" in said
    dump(source)
    ark.write_bytes(ark.read_bytes()[:-10])
    assert "it was cut" in refused(source)


def test_nothing_is_unpickled_or_run(source: Path, tmp_path: Path) -> None:
    mark = tmp_path / "was run"
    (tmp_path / "trap.ark").write_bytes(b"a-1 PKL" + pickle.dumps(Trap(mark)))
    write(source, wav_scp=f"a-1 {tmp_path}/trap.ark:4\nb-1 touch '{mark}' |{tmp_path}/x.ark:4\n")
    refused(source)
    write(source, wav_scp=f"a-1 {tmp_path}/trap.ark:4\nb-1 {tmp_path}/b.wav\n")
    assert "no readable audio (a-1; b'PKL" in refused(source)
    assert not mark.exists()


WRITTEN = {
    "tabs": lambda text: text.replace(" ", "\t", 1).replace("\nb-1 ", "\nb-1\t"),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "several blanks": lambda text: text.replace(" ", "   ").replace("\n", "  \n"),
    "unsorted": lambda text: "".join(reversed(text.splitlines(keepends=True))),
    "empty lines": lambda text: f"\n{text}\n\n",
    "byte-order mark": lambda text: f"\ufeff{text}",
    "no last line end": lambda text: text.rstrip("\n"),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_tables_by_other_hands(source: Path, way: str, log: Any) -> None:
    expected = prepared(source).tables
    for name in (*TABLES, "wav.scp"):
        path = source / name
        path.write_bytes(WRITTEN[way](path.read_text()).encode())
    assert prepared(source).tables == expected
    assert bool(log.find("the last line has no line end; was the file cut")) == (
        way == "no last line end"
    )


def test_ids_that_stand_twice_are_told_at_once(source: Path) -> None:
    write(source, utt2emo="b-1 sad\na-1 joy\na-1 joy\nb-1 joy\n")
    said = refused(source)
    assert "utt2emo: the id b-1 stands in lines 1 and 4; expected it once" in said
    assert "utt2emo: the id a-1 stands in lines 2 and 3; expected it once" in said


@pytest.mark.parametrize(
    ("ids", "speakers"),
    [
        (("1_x", "13_x"), ("1", "13")),  # by ids 13_x is the first, by speakers 1
        (("x", "y"), ("b", "a")),
        (("anna-x", "anna.2-y"), ("anna", "anna.2")),
        (("0001", "0002"), ("1", "2")),
    ],
)
def test_ids_in_another_order_than_their_speakers(
    source: Path, tmp_path: Path, ids: tuple[str, str], speakers: tuple[str, str], log: Any
) -> None:
    """Kaldi refuses them; here they are named anew, and their own ids are kept."""
    tables = {"utt2spk": speakers, "utt2emo": ("joy", "sad")}
    tables["wav_scp"] = (f"{tmp_path}/a.wav", f"{tmp_path}/b.wav")
    (source / "text").unlink()
    rows = {n: [f"{i} {v}\n" for i, v in zip(ids, t, strict=True)] for n, t in tables.items()}
    write(source, **{name: "".join(lines) for name, lines in rows.items()})
    data = prepared(source)
    ours = dict(zip(ids, (f"{s}-{i}" for i, s in zip(ids, speakers, strict=True)), strict=True))
    if log.find("all utterances are called <speaker>-<id>; utt2orig keeps the ids"):
        assert {orig: utt for utt, orig in data["utt2orig"].items()} == ours
    else:
        assert data["utt2orig"] == dict(zip(ids, ids, strict=True)) and ids[0] == "anna-x"
    assert set(data["spk2utt"]) == set(speakers)
    assert data["text"].keys() == data["utt2emo"].keys() == data["utt2orig"].keys()


def test_speakers_by_spk2utt_alone(source: Path) -> None:
    (source / "utt2spk").unlink()
    write(source, spk2utt="b  b-1\na\ta-1\n")
    assert prepared(source)["utt2spk"] == {"a-1": "a", "b-1": "b"}


def test_speakers_of_two_minds(source: Path) -> None:
    write(source, spk2utt="a a-1 b-1\nb b-1\n")
    assert "spk2utt: b-1 is of a and of b; expected one speaker" in refused(source)
    write(source, spk2utt="a a-1 b-1\n")
    said = refused(source)
    assert "spk2utt: not the inverse of utt2spk, by 1 utterances: b-1; expected the same" in said
    for name in ("utt2spk", "spk2utt"):
        (source / name).unlink()
    assert "utt2spk: no such file" in refused(source)


def test_faults_of_a_kind_are_told_at_once(source: Path) -> None:
    write(source, wav_scp="a-1 here/a.wav\nb-1 here/b.wav\n")
    said = refused(source)
    where = f"no such file, seen from {Path.cwd()}"
    assert f"here/a.wav: {where} (a-1)" in said and f"here/b.wav: {where} (b-1)" in said
    write(source, wav_scp="a-1\nb-1\n")
    said = refused(source)
    assert "wav.scp: nothing after a-1; expected an audio file" in said and "after b-1;" in said
    write(source, wav_scp="rec x.wav\n", segments="a-1 rec 0\nb-1 no 0 1\n")
    said = refused(source)
    assert "segments: a-1 has 'rec 0'; expected a recording" in said and "b-1 has 'no 0 1'" in said
    write(source, utt2emo="a-1 Joy\nb-1 rage\n", segments="a-1 rec 0 1\nb-1 rec 0 1\n")
    said = refused(source)
    for what in ("label 'rage' and not 'Joy'", "speaker 'b' and not 'a'"):
        assert f"b-1 is the audio of a-1, with the {what}; expected one" in said
    write(source, segments="a-1 rec 0 1\nb-1 rec 1 2\n")
    said = refused(source)
    assert "the label 'Joy' of a-1: neither in a class" in said and "(is it 'joy'?)" in said
    assert "the label 'rage' of b-1: neither in a class" in said
