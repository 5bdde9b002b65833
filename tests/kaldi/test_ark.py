"""Archives: readable by plain kaldiio, and a killed writer goes on as if it never was killed."""

import copy
import os
import tempfile
from functools import cache
from io import FileIO
from pathlib import Path

import kaldiio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.base.errors import SerError
from ser.kaldi.ark import BINARY, FLOAT32, ArkReader, ArkWriter, Matrix
from ser.kaldi.table import write_table

RNG = np.random.default_rng(1)
FEATS: dict[str, Matrix] = {
    utt: RNG.normal(scale=5, size=(num_frames, 7)).astype(np.float32)
    for utt, num_frames in {"s1-a": 3, "s1-\u00e9": 1, "s2-a": 40, "s2-b": 12, "s3": 5}.items()
}
WHERE = Path("dump/feats.scp")
STORAGES = ["float32", "kaldi_compressed"]


def write(folder: Path, storage: str = "float32") -> dict[str, str]:
    """What stage 1 does: all that the archive does not hold yet."""
    with ArkWriter(folder, storage) as writer:
        for utt, feats in FEATS.items():
            if utt not in writer.num_frames:
                writer.write(utt, feats)
        scp = writer.finish()
    assert writer.num_frames == {utt: len(feats) for utt, feats in FEATS.items()}
    write_table(folder / "feats.scp", scp)
    return scp


@pytest.mark.parametrize("storage", STORAGES)
def test_plain_kaldiio_reads_it(tmp_path: Path, storage: str) -> None:
    folder = tmp_path / "a folder"
    scp = write(folder, storage)
    assert sorted(p.name for p in folder.iterdir()) == ["feats.ark", "feats.scp"]
    by_scp = kaldiio.load_scp(str(folder / "feats.scp"))
    by_ark = dict(kaldiio.load_ark(str(folder / "feats.ark")))
    reader = ArkReader(scp, folder / "feats.scp")
    assert set(by_scp) == set(by_ark) == set(FEATS)
    for utt, feats in FEATS.items():
        read = reader[utt]
        assert read.dtype == np.float32
        assert np.array_equal(by_scp[utt], read)
        assert np.array_equal(by_ark[utt], read)
        if storage == "float32":
            assert np.array_equal(read, feats)
        else:  # one byte for each value
            assert np.abs(read - feats).max() < 0.02 * np.ptp(feats)
            assert not np.array_equal(read, feats) or len(feats) < 5


@cache
def written_through(storage: str) -> tuple[bytes, list[str]]:
    """The archive and its offsets as a writer leaves them that is never killed."""
    with tempfile.TemporaryDirectory() as folder:
        scp = write(Path(folder), storage)
        starts = [place.rpartition(":")[2] for place in scp.values()]
        return (Path(folder) / "feats.ark").read_bytes(), starts


class KilledError(Exception):
    """Stands for what ends a writer early."""


@settings(max_examples=50)
@given(
    storage=st.sampled_from(STORAGES),
    num_written=st.integers(0, len(FEATS)),
    ark_share=st.floats(0, 1),
    scp_share=st.floats(0, 1),
)
def test_a_killed_writer_goes_on_to_the_same_bytes(
    storage: str, num_written: int, ark_share: float, scp_share: float
) -> None:
    """Whatever was written when it was killed, and however much of it reached the disk."""
    with tempfile.TemporaryDirectory() as folder:
        killed = Path(folder) / "feats"
        with pytest.raises(KilledError), ArkWriter(killed, storage) as writer:
            for utt in list(FEATS)[:num_written]:
                writer.write(utt, FEATS[utt])
            raise KilledError
        assert not (killed / "feats.ark").exists()
        for name, share in (("ark", ark_share), ("scp", scp_share)):
            partial = killed / f".feats.{name}.partial"
            content = partial.read_bytes()
            partial.write_bytes(content[: round(share * len(content))])
        scp = write(killed, storage)
        assert list(scp) == list(FEATS)
        for place in scp.values():
            assert place.rpartition(":")[0] == str(killed / "feats.ark")
        starts = [place.rpartition(":")[2] for place in scp.values()]
        assert ((killed / "feats.ark").read_bytes(), starts) == written_through(storage)


@pytest.mark.parametrize("num_written", range(len(FEATS) + 1))
def test_a_killed_writer_keeps_all_but_the_last(tmp_path: Path, num_written: int) -> None:
    with pytest.raises(KilledError), ArkWriter(tmp_path, "float32") as writer:
        for utt in list(FEATS)[:num_written]:
            writer.write(utt, FEATS[utt])
        raise KilledError
    for _ in range(2):  # opened and killed at once, nothing more is lost than the last again
        with ArkWriter(tmp_path, "float32") as writer:
            kept = list(writer.num_frames)
        assert kept == list(FEATS)[: max(0, num_written - 1)]
        num_written -= 1
    write(tmp_path)


@pytest.mark.parametrize("missing", ["ark", "scp"])
def test_one_partial_file_alone_is_not_taken_over(tmp_path: Path, missing: str) -> None:
    with pytest.raises(KilledError), ArkWriter(tmp_path / "killed", "float32") as writer:
        for utt, feats in FEATS.items():
            writer.write(utt, feats)
        raise KilledError
    (tmp_path / "killed" / f".feats.{missing}.partial").unlink()
    write(tmp_path / "killed")
    write(tmp_path / "through")
    first, second = (tmp_path / name / "feats.ark" for name in ("killed", "through"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("pipe", ["touch {path} |", "| touch {path}", "cat x| touch {path} |"])
def test_pipes_are_refused_and_never_run(tmp_path: Path, pipe: str) -> None:
    proof = tmp_path / "proof"
    command = pipe.format(path=proof)
    with pytest.raises(SerError, match=rf"{WHERE}: s1-a is a pipe .*commands are not run") as error:
        ArkReader({"s0": "feats.ark:12", "s1-a": command}, WHERE)
    assert command in str(error.value)
    assert not proof.exists()


@pytest.mark.parametrize("storage", STORAGES)
def test_an_archive_cut_anywhere_is_an_error(tmp_path: Path, storage: str) -> None:
    scp = write(tmp_path, storage)
    last = list(FEATS)[-1]
    ark = tmp_path / "feats.ark"
    content = ark.read_bytes()
    start = int(scp[last].rpartition(":")[2])
    for size in (0, *range(start - 2, len(content))):
        ark.write_bytes(content[:size])
        with pytest.raises(SerError) as error:
            ArkReader(scp, WHERE)[last]
        assert f"no readable matrix ({last} in {WHERE}; " in str(error.value)
        assert "rerun stage 1" in str(error.value)


@pytest.mark.parametrize("place", ["{ark}", "{ark}:x", "none.ark:2", "-:0", "{ark}:-1", "{ark}:1"])
def test_other_places_are_errors(tmp_path: Path, place: str) -> None:
    write(tmp_path)
    scp = {"s1-a": place.format(ark=tmp_path / "feats.ark")}
    with pytest.raises(SerError, match="no readable matrix \\(s1-a in dump"):
        ArkReader(scp, WHERE)["s1-a"]


def test_a_vector_is_no_feature_matrix(tmp_path: Path) -> None:
    kaldiio.save_ark(str(tmp_path / "feats.ark"), {"a": np.ones(4, np.float32)})
    with pytest.raises(SerError, match="stands there, no matrix of stage 1"):
        ArkReader({"a": f"{tmp_path / 'feats.ark'}:2"}, WHERE)["a"]


@pytest.mark.parametrize("listed", ["a 3 9000", "a 3 1", "a -3 2\nb 1 90"])
def test_a_list_that_is_none_of_the_unfinished_archive(tmp_path: Path, listed: str) -> None:
    (tmp_path / ".feats.ark.partial").write_bytes(bytes(100))
    (tmp_path / ".feats.scp.partial").write_text(f"{listed}\n")
    with pytest.raises(SerError, match="no list of an unfinished archive"):
        ArkWriter(tmp_path, "float32")


def test_an_archive_that_shrinks_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = ArkReader(write(tmp_path), WHERE)
    fill = reader._fill

    def cut_first(ark: FileIO, offset: int, out: Matrix) -> bool:
        os.truncate(tmp_path / "feats.ark", offset)
        return fill(ark, offset, out)

    monkeypatch.setattr(reader, "_fill", cut_first)
    with pytest.raises(SerError, match=r"s2-a in .*changed while it was read"):
        reader["s2-a"]


def test_a_reader_travels_to_worker_processes(tmp_path: Path) -> None:
    reader = ArkReader(write(tmp_path), WHERE)
    assert np.array_equal(reader["s2-a"], FEATS["s2-a"])  # now the archive is open
    sent = copy.copy(reader)  # by the same protocol
    assert np.array_equal(sent["s2-a"], FEATS["s2-a"])


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (-3, 7), (-3, -7), (1000, 80)])
def test_sizes_beyond_the_archive_are_errors(tmp_path: Path, size: tuple[int, int]) -> None:
    """No memory is taken for what the header alone promises."""
    ark = tmp_path / "feats.ark"
    ark.write_bytes(b"a " + FLOAT32.pack(BINARY, b"FM ", 4, size[0], 4, size[1]) + bytes(84))
    with pytest.raises(SerError, match="no readable matrix"):
        ArkReader({"a": f"{ark}:2"}, WHERE)["a"]
