"""What stage 0 leaves behind in a recipe, without a corpus; the recipe is the current directory."""

from pathlib import Path

from programs import Said, call

from ser.base.record import Record
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.corpus.recorded import write_recorded
from ser.kaldi.data_dir import write_data_dir
from ser.kaldi.table import write_table

FOLDS = Path("exp/folds")
SCRATCH = "cnn_blstm_sa transformer"
READ = ["THE QUICK BROWN FOX", "JUMPS OVER A LAZY DOG", "SO IT IS NEVER QUITE OVER"]


def write_speech(name: str, texts: list[str], config: dict[str, object]) -> Path:
    """A data directory of stage 0, each utterance a second long."""
    utts = [f"s-{i}" for i in range(len(texts))]
    tables = {
        "wav.scp": {utt: f"/corpus/{utt}.wav" for utt in utts},
        "text": dict(zip(utts, texts, strict=True)),
        "utt2spk": dict.fromkeys(utts, "s"),
        "utt2dur": dict.fromkeys(utts, "1.0"),
    }
    out = Path("data") / name
    write_recorded(out, config, lambda folder: write_data_dir(folder, tables), with_audio=False)
    return out


def write_data(texts: list[str], read: list[str] = READ) -> None:
    """What stage 0 leaves behind."""
    labels = load_config(Path("conf/labels.yaml"), LabelsConfig)
    write_speech("ser", texts, {"labels": labels.record()})
    write_speech("asr_train", read, {})
    write_speech("asr_valid", read, {})
    write_folds(load_config(Path("conf/protocol/paper.yaml"), ProtocolConfig).model_dump())


def write_folds(protocol: dict[str, object]) -> None:
    """Three folds of nobody."""
    FOLDS.mkdir(parents=True, exist_ok=True)
    for name in "123":
        write_table(FOLDS / f"fold{name}", {})
    Record(FOLDS, 0, protocol, {}).finish()


def check(
    systems: str = SCRATCH,
    recogniser: str = ".",
    stop: int = 6,
    folds: str = "",
    stage: int = 0,
    *more: object,
) -> Said:
    """What the doctor says of a call of ``run.sh``."""
    words = ["--systems", systems, "--folds", folds, "--recogniser", recogniser]
    return call("doctor", *words, "--read-speech", "--stage", stage, "--stop-stage", stop, *more)
