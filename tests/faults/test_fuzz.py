"""Whatever bytes a reader is given, it reads them or says in a line what is wrong with them.

``SER_FUZZ_EXAMPLES`` sets the number of executions a reader; ``tools/fuzz.py`` runs many.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import FOUND, READERS, mutated, read

EXAMPLES = int(os.environ.get("SER_FUZZ_EXAMPLES", "100"))


@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_reader_says_what_is_wrong(name: str, tmp_path: Path, data: st.DataObject) -> None:
    read(name, data.draw(mutated(READERS[name].seeds)), tmp_path)


@pytest.mark.parametrize(("name", "content"), FOUND)
def test_what_was_found_once(name: str, content: bytes, tmp_path: Path) -> None:
    read(name, content, tmp_path)
