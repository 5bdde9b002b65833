"""What somebody else wrote, or is writing, keeps its place: beside exports and packages."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_audio import packing, untrained_model

from ser.base.errors import SerError
from ser.base.writing import sole_run
from ser.release.export import export_onnx, export_torch
from ser.release.pack import pack


@pytest.mark.parametrize(
    ("export", "options"), [(export_onnx, (False, False)), (export_torch, (False,))]
)
def test_no_other_file_is_replaced(
    tmp_path: Path, export: Callable[..., None], options: tuple[bool, ...]
) -> None:
    out = tmp_path / "theirs.onnx"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/model", "somebody's")
    before = out.read_bytes()
    with pytest.raises(SerError, match=r"theirs\.onnx: is there and was not written by this"):
        export(untrained_model(), out, *options)
    assert out.read_bytes() == before


def test_a_pack_replaces_nothing_but_packages(package: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    pack(packing(), out)
    archive = tmp_path / "mine.tar.gz"
    archive.write_bytes(b"somebody's backup")
    with pytest.raises(SerError, match=r"mine\.tar\.gz: is there and was not written by this"):
        pack(packing(), out)
    assert archive.read_bytes() == b"somebody's backup"
    web = tmp_path / "web"
    web.mkdir()
    (web / "package.json").write_text('{"name": "a program for node"}')
    with pytest.raises(SerError, match=r"web: its package\.json is that of another program"):
        pack(packing(), web)
    assert "node" in (web / "package.json").read_text()


def test_a_second_packing_into_one_place_is_refused(trained: Path, tmp_path: Path) -> None:
    with sole_run(tmp_path / "m.tar.gz"), pytest.raises(SerError, match="gz: another run"):
        pack(packing(), tmp_path / "m")
    assert not (tmp_path / "m").exists()
