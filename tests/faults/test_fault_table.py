"""Each fault of the table is refused in one line; once mended all is as if it had not been."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from damage import made
from experiment import content, differences, do, undone
from programs import Said
from table import ROWS, Row
from undisturbed import Undisturbed

pytestmark = pytest.mark.long


def require_refusal(row: Row, said: Said) -> None:
    """Checks the end of the call against the row."""
    assert said.status == row.status, said
    assert "Traceback" not in said.err
    assert re.search(row.said, said.err, re.MULTILINE), said.err
    if row.call not in ("verify", "ser_predict") and row.status == 1:
        assert sum(line.startswith("error: ") for line in said.err.splitlines()) == 1, said.err


def put_back(reference: Undisturbed, names: list[str]) -> None:
    """Makes some files as they were."""
    for path in map(Path, names):
        if (reference.root / path).exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(reference.root / path, path)
        else:
            path.unlink()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.call}: {row.what}")
def test_refused_and_made_good(row: Row, reference: Undisturbed) -> None:
    if row.anew:
        undone(row.call)
    before = content()
    with made(row.fault):
        faulty = content()
        said = do(row.call, *row.words)
    require_refusal(row, said)
    written = [name for name in differences(faulty) if not re.search(row.left, name)]
    assert not written, "the refused call wrote or lost them"
    if row.mend:
        if row.remove:
            path = Path(row.remove)
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        for name in row.mend:
            mended = do(name)
            assert mended.status == 0, mended.err
    else:
        names = faulty.keys() | before.keys()
        put_back(reference, [name for name in names if faulty.get(name) != before.get(name)])
    again = do(row.call)
    assert again.status == 0, again.err
    assert not differences(reference.content)


def test_each_row_is_another_fault() -> None:
    twice = [name for name, n in Counter((row.call, row.what) for row in ROWS).items() if n > 1]
    assert not twice
    assert len(ROWS) >= 150
