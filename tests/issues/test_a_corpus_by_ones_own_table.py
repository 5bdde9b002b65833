"""A published corpus by its own recipe, and by a newcomer's table: the same utterances."""

import csv
import shutil
import subprocess
from pathlib import Path

import pytest
from corpora import PLANTERS
from recipe_shell import plant_checkout, prepare

from ser.corpus.parsers.registry import READERS
from ser.kaldi.data_dir import DataDir, read_data_dir

pytestmark = pytest.mark.long


def call_data_sh(recipe: Path, **environment: str) -> DataDir:
    """What stage 0 makes."""
    done = prepare(recipe, **environment)
    assert done.returncode == 0, done.stderr
    return read_data_dir(recipe / "data" / "ser")


@pytest.mark.parametrize("name", ["tess", "emodb"])
def test_both_ways_are_the_same(tmp_path: Path, name: str) -> None:
    plant_checkout(tmp_path)
    PLANTERS[name](tmp_path / "corpus")
    own = call_data_sh(tmp_path / "egs" / name, **{name.upper(): str(tmp_path / "corpus")})

    table = tmp_path / "corpus" / "table.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "label", "speaker"])
        for u in READERS[name](tmp_path / "corpus").utterances:
            rows.writerow([u.wav.relative_to(table.parent), u.label, u.spk])
    subprocess.run([tmp_path / "tools" / "new_recipe.sh", "demo"], check=True, cwd=tmp_path)
    demo = tmp_path / "egs" / "demo"
    shutil.copy(tmp_path / "egs" / name / "conf" / "labels.yaml", demo / "conf" / "labels.yaml")
    by_table = call_data_sh(demo, DEMO=str(table))

    def audio_of(data: DataDir, key: str) -> dict[str, str]:
        return {wav: data[key][utt] for utt, wav in data["wav.scp"].items()}

    for key in ("utt2emo", "utt2emo_raw", "utt2spk", "utt2session", "utt2dur"):
        assert audio_of(by_table, key) == audio_of(own, key)
