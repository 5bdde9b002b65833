"""Whether a call of ``run.sh`` can succeed, as far as that is known before its first stage.

Every check raises ``SerError`` with what is wrong and its remedy, or warns through the log; none
decodes audio or imports torch. Finished folders are compared with their digests.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ser.base.errors import SerError
from ser.base.names import CONFIGURATION
from ser.base.options import max_processes, require_within, whole_numbers
from ser.base.record import earlier_record, require
from ser.config.baselines import FunctionalsConfig
from ser.config.features import load_features, require_bands, require_same_features
from ser.config.load import load_config
from ser.config.pretraining import (
    refuse_without_recogniser,
    require_same_head,
    require_same_network,
)
from ser.config.protocol import ProtocolConfig, under_protocol
from ser.config.schema import BpeConfig, LabelsConfig, PretrainConfig, SystemConfig
from ser.config.systems import load_system
from ser.corpus.fold_files import choose_folds, require_folds
from ser.data.trainable import trainable_systems
from ser.doctor.corpora import corpora_and_weights, require_package
from ser.doctor.earlier_stages import earlier_stages
from ser.doctor.options import HERE, NONE, READ, SER, Check, RunOptions
from ser.doctor.resources import memory_for_training, room_for_features, room_for_models
from ser.kaldi.table import read_table
from ser.text.bpe import Tokenizer, check_num_pieces
from ser.train.engine.shutdown import deadline_after

OWN = ("conf", "data", "dump", "local")  # what a recipe holds beside its experiments


def checks(asked: RunOptions) -> Iterator[tuple[str, Check]]:
    """All checks of a call, each with the name of its kind."""
    kinds: dict[str, Callable[[RunOptions], Iterator[Check]]] = {
        "options": _options,
        "configuration": _configuration,
        "corpora": corpora_and_weights,
        "recogniser": _recogniser,
        "folds": _folds,
        "earlier stages": earlier_stages,
        "text": _text,
        "memory": _memory,
        "disk": _disk,
    }
    for kind, make in kinds.items():
        yield from ((kind, check) for check in _told(make, asked))


def _told(make: Callable[[RunOptions], Iterator[Check]], asked: RunOptions) -> list[Check]:
    """The checks of a kind; what is wrong before there are any is one of them."""
    made: list[Check] = []
    try:
        for check in make(asked):
            made.append(check)
    except SerError as error:
        made.append(partial(_refuse, str(error)))
    return made


def _refuse(message: str) -> None:
    raise SerError(*message.split("\n"))


def _options(asked: RunOptions) -> Iterator[Check]:
    if not 0 <= asked.stage <= asked.stop_stage <= 6:
        yield partial(
            _refuse,
            f"--stage {asked.stage} --stop-stage {asked.stop_stage}: no range of the stages 0 to 6",
        )
    if asked.conf.name != "conf" and (fault := CONFIGURATION.fault(asked.conf.name)):
        yield partial(_refuse, f"--conf {asked.conf}: {fault}")
    yield partial(_place_of_results, asked)
    most = max_processes()
    yield partial(require_within, "--nj", asked.nj, 1, most)
    # On a cluster they are other machines'.
    yield partial(require_within, "--jobs", asked.jobs, 1, most if asked.cmd == "local" else 10_000)
    yield partial(require_within, "--ngpu", asked.ngpu, 0, 1024)
    yield partial(whole_numbers, "--seeds", asked.seeds)
    yield partial(deadline_after, asked.max_minutes)
    yield partial(_gpus, asked)


def _place_of_results(asked: RunOptions) -> None:
    """Whether ``--exp-dir`` is a place of its own."""
    place, recipe = asked.exp_dir.resolve(), Path.cwd()
    if recipe.is_relative_to(place) or any(map(place.is_relative_to, map(recipe.joinpath, OWN))):
        raise SerError(
            f"--exp-dir {asked.exp_dir}: a folder of the recipe that holds something else; "
            "expected exp, or a new folder"
        )
    if (place.exists() and not place.is_dir()) or any(place.glob("seed*")):
        what = "the folder of a system" if place.is_dir() else "a file"
        raise SerError(
            f"--exp-dir {asked.exp_dir}: {what}; expected the folder of an experiment; name another"
        )


def _gpus(asked: RunOptions) -> None:
    """Counts NVIDIA's devices; where there are others, only PyTorch knows."""
    if asked.cmd == "slurm" or not (asked.runs(3) or asked.runs(4)):
        return
    found = [path for path in Path("/dev").glob("nvidia*") if path.name[6:].isdecimal()]
    others = any(Path("/dev", name).exists() for name in ("kfd", "dxg"))
    if len(found) < asked.ngpu and not others:
        raise SerError(
            f"--ngpu {asked.ngpu}: this machine has {len(found)} GPUs; expected {asked.ngpu}; pass "
            "a smaller number (0: the CPU)"
        )


def _configuration(asked: RunOptions) -> Iterator[Check]:
    yield partial(load_config, asked.conf / "labels.yaml", LabelsConfig)
    yield partial(load_features, asked.conf)
    yield partial(load_config, asked.protocol, ProtocolConfig)
    if asked.cmd == "slurm" and not Path("conf/slurm.conf").exists():
        yield partial(_refuse, "conf/slurm.conf: no such file; expected sbatch's options; write it")
    for name in asked.systems:
        yield partial(load_system, asked.conf, name)
        yield partial(_fits_features, asked, name)
        yield partial(_fits_recogniser, asked, name)
        yield partial(_fits_protocol, asked, name)
    if asked.read_speech:
        yield partial(load_config, asked.conf / "bpe.yaml", BpeConfig)
    for name, encoder in asked.encoders.items():
        bands = encoder.encoder.num_mel_bins
        yield partial(require_bands, asked.conf, f"pretrain/{name}.yaml", bands)


def _fits_features(asked: RunOptions, name: str) -> None:
    system = load_system(asked.conf, name)
    if isinstance(system, FunctionalsConfig) and asked.runs(5):
        require_package("opensmile", f"{name} needs it (its licence allows research only)")
    if isinstance(system, SystemConfig):
        require_bands(asked.conf, f"{name}.yaml", system.model.num_mel_bins)


def _fits_recogniser(asked: RunOptions, name: str) -> None:
    system = load_system(asked.conf, name)
    if isinstance(system, SystemConfig):
        # Another recipe's encoder is looked at as it is, by stage 4.
        start = asked.encoders.get(system.init) if asked.recogniser == HERE else None
        if start is not None:
            values = start.encoder.model_dump()
            require_same_network(name, system.model, values, f"pretrain/{system.init}.yaml")
        if isinstance(start, PretrainConfig):
            require_same_head(name, system, start.ctc.head)


def _fits_protocol(asked: RunOptions, name: str) -> None:
    system = load_system(asked.conf, name)
    if isinstance(system, SystemConfig):
        protocol = load_config(asked.protocol, ProtocolConfig)
        under_protocol(name, system, protocol, asked.protocol)


def _recogniser(asked: RunOptions) -> Iterator[Check]:
    """Checks that the systems can do without a recogniser, where there is to be none."""
    if asked.recogniser == NONE and asked.stop_stage > 0:
        # Whether the corpus has words, so that a CTC head can be, is known after stage 0.
        sure = [name for name in asked.systems if name not in asked.heads]
        yield partial(refuse_without_recogniser, asked.conf, asked.systems, sure)
    elif asked.recogniser not in (HERE, NONE) and asked.stop_stage > 3:
        for name in asked.encoders:
            yield partial(_encoder_of_another, asked, asked.pretrain / name)
        if asked.heads:
            yield partial(require, asked.bpe, 2)


def _encoder_of_another(asked: RunOptions, folder: Path) -> None:
    trained_on = require(folder, 3)["notes"].get("fbank", {})
    features = load_features(asked.conf).model_dump()
    require_same_features(features, trained_on, asked.conf / "fbank.yaml", str(folder))


def _folds(asked: RunOptions) -> Iterator[Check]:
    """Those that are asked for, as soon as there are some of this protocol."""
    folder = asked.exp_dir / "folds"
    if asked.stage == 0:
        protocol = load_config(asked.protocol, ProtocolConfig)
        record = earlier_record(folder)
        if record and record["config"] == protocol.model_dump():
            yield partial(choose_folds, folder, asked.folds)
    elif asked.stop_stage > 3:
        yield partial(choose_folds, folder, asked.folds)
        if asked.stage < 6:
            yield partial(_folds_of_protocol, asked, folder)


def _folds_of_protocol(asked: RunOptions, folder: Path) -> None:
    if (folder / "run.json").exists():
        protocol = load_config(asked.protocol, ProtocolConfig)
        require_folds(folder, protocol.model_dump(), asked.protocol)


def _text(asked: RunOptions) -> Iterator[Check]:
    """What transcripts allow, once stage 0 has written them."""
    if asked.stage == 0:
        return
    if asked.read_speech and asked.runs(2) and (READ / "text").exists():
        yield partial(_pieces, asked)
    if (SER / "text").exists() and asked.stop_stage > 3:
        if asked.recogniser == NONE:
            yield partial(_words_without_recogniser, asked)
        elif asked.heads and (asked.stage > 2 or asked.recogniser != HERE):
            yield partial(_script, asked)


def _pieces(asked: RunOptions) -> None:
    config = load_config(asked.conf / "bpe.yaml", BpeConfig)
    made = earlier_record(asked.bpe)
    if made is None or made["config"] != config.model_dump():
        check_num_pieces(read_table(READ / "text").values(), config, READ / "text")


def _words_without_recogniser(asked: RunOptions) -> None:
    systems = trainable_systems(asked.conf, asked.systems, SER)
    refuse_without_recogniser(asked.conf, systems, systems)


def _script(asked: RunOptions) -> None:
    model = asked.bpe / "bpe.model"
    if model.exists():
        Tokenizer.load(model).encode_all(read_table(SER / "text"), SER / "text")


def _memory(asked: RunOptions) -> Iterator[Check]:
    if asked.ngpu == 0 and asked.cmd == "local" and (asked.runs(3) or asked.runs(4)):
        yield partial(memory_for_training, asked)


def _disk(asked: RunOptions) -> Iterator[Check]:
    if asked.stage == 0:  # what there is to write is not known, and is asked again after it
        return
    if asked.runs(1):
        yield partial(room_for_features, asked)
    if asked.runs(4):
        yield partial(room_for_models, asked)
