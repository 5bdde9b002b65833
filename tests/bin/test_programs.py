"""What all programs have in common."""

import subprocess
import sys
from pathlib import Path

import pytest
from programs import call

from ser import bin as programs

PROGRAMS = sorted(
    path.stem
    for path in Path(programs.__path__[0]).glob("*.py")
    if "def main()" in path.read_text()
)
OFTEN_WITHOUT_WORK = (
    "audit choose finetune list_audio make_feats make_folds make_synthetic prepare_corpus "
    "prepare_cross prepare_iemocap prepare_librispeech prepare_table pretrain score "
    "submit train_bpe verify"
).split()
SLOW_IMPORTS = {"torch", "torchaudio", "tensorboard", "sklearn", "scipy.stats"}
BEGINNINGS = ("run_program(main)", "program()")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_helps_and_can_be_started(program: str) -> None:
    helped = call(program, "--help")
    assert (helped.status, helped.err) == (0, "")
    assert helped.out.startswith("usage: ")
    text = (Path(programs.__path__[0]) / f"{program}.py").read_text()
    assert text.endswith(tuple(f'\nif __name__ == "__main__":\n    {b}\n' for b in BEGINNINGS))


@pytest.mark.long
@pytest.mark.parametrize(
    ("names", "slow"),
    [
        (OFTEN_WITHOUT_WORK, SLOW_IMPORTS),
        (["ser_predict"], SLOW_IMPORTS | {"matplotlib", "jiwer", "kaldiio"}),
    ],
    ids=["stages", "ser_predict"],
)
def test_what_takes_seconds_to_import_is_not_imported_before_it_is_needed(
    names: list[str], slow: set[str]
) -> None:
    """Stages 3 and 4 too: where all is trained already, and where the jobs are other processes."""
    code = f"import sys, {', '.join(f'ser.bin.{name}' for name in names)}\n"
    code += f"print(*sorted({slow} & sys.modules.keys()))"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (imported.stdout, imported.stderr) == ("\n", "")
