"""A recipe after stage 6."""

from pathlib import Path

import pytest
from tiny_predictions import run_score, write_logs, write_predictions

from ser.base.writing import write_json


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its ``exp`` and ``conf``, and the published report; not to be changed."""
    root, exp = tmp_path_factory.mktemp("scored"), Path("exp")
    (root / "conf").mkdir()
    (root / "conf" / "paper_results.yaml").write_text("cnn_blstm_sa: {wa: 58.1, ua: 59.8}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)  # its paths are relative, so that it can be copied
        write_predictions(exp)
        write_logs(exp)
        (exp / "figures").mkdir()
        for name in ("confusion_old.png", "of_my_own.png", "notes.txt"):
            (exp / "figures" / name).touch()
        write_json(exp / "results.json", {"figures": {"confusion_old.png": ""}})
        run_score(patch, exp, "--publish", ".")
    return root
