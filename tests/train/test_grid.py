"""Runs side by side: a failed one is named and does not stop the others."""

from pathlib import Path

import pytest
from tiny_recipe import EXP, FEATS, change_system, finetune_run

from ser.base.errors import SerError
from ser.train.finetune import FinetuneRun, finetune, finetune_record
from ser.train.grid import finetune_all

pytestmark = pytest.mark.usefixtures("recipe")
SYSTEM = "transformer_tl_mtl"


def weights(run: FinetuneRun) -> bytes:
    return (run.folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("num_jobs", [1, 2])
def test_a_failed_run_does_not_stop_the_others(num_jobs: int) -> None:
    """The first folder holds a run of another configuration, which only --force moves."""
    runs = [finetune_run(SYSTEM, fold) for fold in "123"]
    finetune(runs[0])
    change_system(SYSTEM, optimizer__learning_rate=2e-3)
    with pytest.raises(SerError) as caught:
        finetune_all(runs, num_jobs)
    first, reason = str(caught.value).splitlines()
    assert first.startswith("1 of 3 runs failed")
    assert reason.strip().startswith(f"{runs[0].name}: {runs[0].folder}: holds another run")
    assert "--force" in reason
    assert [finetune_record(run)[0].is_finished() for run in runs] == [False, True, True]

    elsewhere = finetune_run(SYSTEM, "3", exp_dir=Path("elsewhere"))
    elsewhere.exp_dir.mkdir()
    (elsewhere.exp_dir / "folds").symlink_to((EXP / "folds").resolve())
    finetune(elsewhere)
    assert weights(runs[2]) == weights(elsewhere), "side by side or alone: the same bits"


def test_every_failure_is_named() -> None:
    runs = [finetune_run(system) for system in ("cnn_blstm_sa", "transformer")]
    text = FEATS / "ser" / "utt2emo"
    text.write_text("".join(f"{line[:-3]}ang\n" for line in text.read_text().splitlines()))
    with pytest.raises(SerError, match="2 of 2 runs failed") as caught:
        finetune_all(runs, 1)
    assert all(f"{run.name}: dump/fbank/ser: no hap in" in str(caught.value) for run in runs)


def test_what_is_missing_is_told_before_anything_is_trained() -> None:
    runs = [finetune_run("transformer", fold=fold) for fold in ("1", "9")]
    with pytest.raises(SerError, match=r"^--folds 9: no such fold; expected some of: 1, 2, 3"):
        finetune_all(runs, 1)
    (EXP / "pretrain" / "ctc" / "run.json").unlink()
    runs = [finetune_run("transformer"), finetune_run("transformer_tl")]
    with pytest.raises(SerError, match=r"^exp/pretrain/ctc: not there.*--stage 3"):
        finetune_all(runs, 1)
    assert not (EXP / "transformer").exists()
