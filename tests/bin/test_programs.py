"""What all programs have in common."""

from pathlib import Path

import pytest
from programs import call

from ser import bin as programs

PROGRAMS = sorted(
    path.stem
    for path in Path(programs.__path__[0]).glob("*.py")
    if "def main()" in path.read_text()
)
BEGINNINGS = ("run_program(main)", "program()")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_helps_and_can_be_started(program: str) -> None:
    helped = call(program, "--help")
    assert (helped.status, helped.err) == (0, "")
    assert helped.out.startswith("usage: ")
    text = (Path(programs.__path__[0]) / f"{program}.py").read_text()
    assert text.endswith(tuple(f'\nif __name__ == "__main__":\n    {b}\n' for b in BEGINNINGS))
