"""An export does not take the place of what somebody else wrote."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_audio import untrained_model

from ser.base.errors import SerError
from ser.release.export import export_onnx, export_torch


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
