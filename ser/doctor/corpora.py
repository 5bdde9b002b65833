"""Whether the corpora and the published weights that a call of ``run.sh`` reads are there."""

import re
from importlib.util import find_spec
from pathlib import Path

from ser.base.errors import SerError
from ser.config.pretraining import ImportConfig
from ser.doctor.findings import attempt
from ser.doctor.options import HERE, RunOptions
from ser.train.published_weights import (
    opened,
    require_imported,
    require_published_features,
    require_sizes,
    weight_files,
)

# As tools/data.sh has it.
WITHOUT_READ_SPEECH = (
    "; without LibriSpeech: ./run.sh --recogniser none --systems 'cnn_blstm_sa transformer', or "
    "WHISPER=/path/to/whisper-tiny.en ./run.sh --conf conf/whisper --systems transformer_tl"
)


def corpora_and_weights(asked: RunOptions) -> None:
    """The corpora that ``local/data.sh`` requires, and the published weights of stage 3."""
    script = Path("local/data.sh")
    if asked.runs(0) and script.exists():
        text = re.sub("(?m)^ *#.*", "", script.read_text("utf-8", "replace"))
        for name, option in re.findall(r"require_corpus (\w+)( -e)?", text):
            if name != "LIBRISPEECH":
                attempt(_corpus, asked, name, bool(option))
        if asked.read_speech and re.search("prepare_read_speech|require_corpus LIBRI", text):
            attempt(_corpus, asked, "LIBRISPEECH", False)
    if asked.runs(3) and asked.recogniser == HERE:
        for name, encoder in asked.encoders.items():
            if isinstance(encoder, ImportConfig):
                attempt(_published, asked, name, encoder)


def require_package(name: str, why: str) -> None:
    """Checks that a package is installed which only some calls need.

    Raises:
        SerError: It is not installed.
    """
    if find_spec(name) is None:
        raise SerError(f"{name}: not installed; {why}; pip install {name}, or go without it")


def _corpus(asked: RunOptions, name: str, may_be_file: bool) -> None:
    """As ``require_corpus`` of ``tools/data.sh``."""
    value = asked.corpora.get(name, "")
    without = WITHOUT_READ_SPEECH if name == "LIBRISPEECH" else ""
    if not value:
        raise SerError(
            f"{name} is not set; set it in db.sh or the environment to the corpus's folder "
            f"(egs/mini needs no corpus){without}"
        )
    if not (Path(value).is_dir() or (may_be_file and Path(value).exists())):
        raise SerError(
            f"{name} is '{value}': no such folder, seen from {Path.cwd()}; expected the corpus's; "
            f"give its full path{without}"
        )


def _published(asked: RunOptions, name: str, encoder: ImportConfig) -> None:
    require_published_features(asked.conf, name, encoder)
    given = asked.corpora.get("WHISPER", "")
    if given == "hub":
        require_package("huggingface_hub", "WHISPER=hub fetches weights by it")
    elif not given:
        require_imported(encoder, asked.pretrain / name)
    else:
        require_sizes(Path(given), encoder.encoder)
        for path in weight_files(Path(given)):
            with opened(path, "numpy"):
                pass  # what is no such file, or cut, is refused
