"""Whether a call of ``run.sh`` can succeed, as far as that is known before its first stage.

Every check raises ``SerError`` with what is wrong and its remedy, or tells it through the log; none
decodes audio or imports torch, which is slow, but where only the network can tell. Finished folders
are compared with their digests.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ser.base.errors import SerError
from ser.base.log import logger
from ser.base.names import CONFIGURATION
from ser.base.options import max_jobs, max_processes, require_within, whole_numbers
from ser.base.record import Stage, earlier_record, first_difference, require
from ser.config.baselines import FunctionalsConfig
from ser.config.features import (
    load_features,
    num_frames,
    require_bands,
    require_same_features,
)
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.made_with import difference
from ser.config.pretraining import (
    refuse_without_recogniser,
    require_same_head,
    require_same_network,
)
from ser.config.protocol import ProtocolConfig, under_protocol
from ser.config.schema import BpeConfig, PretrainConfig, SystemConfig
from ser.config.systems import load_system, system_path, trained_systems
from ser.corpus.fold_files import TRAIN, choose_folds, in_part, read_fold, require_folds
from ser.data.trainable import trainable_systems
from ser.doctor.corpora import corpora_and_weights, require_package
from ser.doctor.earlier_stages import earlier_stages
from ser.doctor.findings import Findings, attempt
from ser.doctor.options import HERE, NONE, READ, SER, RunOptions
from ser.doctor.resources import disk, memory, unfinished_runs
from ser.kaldi.data_dir import is_positive
from ser.kaldi.table import read_table
from ser.text.bpe import Tokenizer, check_num_pieces
from ser.train.engine.shutdown import deadline_after
from ser.train.inputs import head_of
from ser.train.launch.job_pool import require_short_paths

SEED = re.compile(r"seed\d+")  # a folder of the runs of a system
OWN = ("conf", "data", "dump", "local")  # what a recipe holds beside its experiments


def look(asked: RunOptions, found: Findings) -> None:
    """Calls all checks, kind by kind; an error outside an ``attempt`` ends a kind."""
    kinds: dict[str, Callable[[RunOptions], None]] = {
        "options": _options,
        "configuration": _configuration,
        "corpora": corpora_and_weights,
        "recogniser": _recogniser,
        "folds": _folds,
        "earlier stages": earlier_stages,
        "text": _text,
        "memory": memory,
        "disk": disk,
    }
    for kind, check in kinds.items():
        found.kind = kind
        attempt(check, asked)


def _options(asked: RunOptions) -> None:
    if not 0 <= asked.stage <= asked.stop_stage <= 6:
        said = "--stage %s --stop-stage %s: no range of the stages 0 to 6"
        logger.error(said, asked.stage, asked.stop_stage)
    if asked.conf.name != "conf" and (fault := CONFIGURATION.fault(asked.conf.name)):
        logger.error("--conf %s: %s", asked.conf, fault)
    attempt(_place_of_results, asked)
    attempt(require_within, "--nj", asked.nj, 1, max_processes())
    attempt(require_within, "--jobs", asked.jobs, 1, max_jobs(asked.cmd))
    attempt(require_within, "--ngpu", asked.ngpu, 0, 1024)
    attempt(whole_numbers, "--seeds", asked.seeds)
    attempt(deadline_after, asked.max_minutes)
    if asked.runs(4) and asked.cmd == "local":
        attempt(require_short_paths)
    attempt(_gpus, asked)


def _place_of_results(asked: RunOptions) -> None:
    """Whether ``--exp-dir`` is a place of its own."""
    place, recipe = asked.exp_dir.resolve(), Path.cwd()
    if recipe.is_relative_to(place) or any(map(place.is_relative_to, map(recipe.joinpath, OWN))):
        raise SerError(
            f"--exp-dir {asked.exp_dir}: a folder of the recipe that holds something else; "
            "expected exp, or a new folder"
        )
    of_system = any(SEED.fullmatch(path.name) for path in place.glob("seed*"))
    if (place.exists() and not place.is_dir()) or of_system:
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


def _configuration(asked: RunOptions) -> None:
    attempt(_labels, asked.conf / "labels.yaml")
    attempt(load_features, asked.conf)
    attempt(load_config, asked.protocol, ProtocolConfig)
    if asked.cmd == "slurm" and not Path("conf/slurm.conf").exists():
        logger.error("conf/slurm.conf: no such file; expected sbatch's options; write it")
    for name in asked.system_names:
        attempt(_system, asked, name)
    if asked.read_speech:
        attempt(load_config, asked.conf / "bpe.yaml", BpeConfig)
    for name, encoder in asked.encoders.items():
        bands = encoder.encoder.num_mel_bins
        attempt(require_bands, asked.conf, f"pretrain/{name}.yaml", bands)
        if isinstance(encoder, PretrainConfig):
            attempt(_frozen_names, asked.conf / "pretrain" / f"{name}.yaml", encoder)


def _labels(path: Path) -> None:
    """Stage 0 writes the classes of ``conf``, whichever configuration is asked for."""
    labels, own = load_config(path, LabelsConfig), Path("conf/labels.yaml")
    if own.exists():
        written = load_config(own, LabelsConfig)
        if changed := first_difference(written.record(), labels.record()):
            raise SerError(
                f"{path}: other classes than {own} has, with which stage 0 writes data/ser "
                f"({changed}); expected the same (!include ../{own.name}); for others make "
                "another recipe: tools/new_recipe.sh"
            )


def _system(asked: RunOptions, name: str) -> None:
    system = load_system(asked.conf, name)
    if isinstance(system, FunctionalsConfig) and asked.runs(5):
        require_package("opensmile", f"{name} needs it (its licence allows research only)")
    if isinstance(system, SystemConfig):
        attempt(require_bands, asked.conf, f"{name}.yaml", system.model.num_mel_bins)
        attempt(_fits_encoder, asked, name, system)
        attempt(_frozen_names, system_path(asked.conf, name), system)
        protocol = load_config(asked.protocol, ProtocolConfig)
        under_protocol(name, system, protocol, asked.protocol)


def _frozen_names(path: Path, config: SystemConfig | PretrainConfig) -> None:
    """Whether ``optimizer.frozen`` names parameters, and leaves some to train."""
    has_encoder = isinstance(config, PretrainConfig) or config.model.type != "cnn_blstm_sa"
    if config.optimizer.frozen not in ([], ["encoder"] if has_encoder else []):
        import torch

        from ser.nn.systems import build_recogniser, build_system
        from ser.train.engine.optimizer import freeze

        with torch.device("meta"):
            if isinstance(config, PretrainConfig):
                freeze(build_recogniser(config, 2), config.optimizer.frozen, path)
            else:
                freeze(build_system(config, 2, 2), config.optimizer.frozen, path)


def _fits_encoder(asked: RunOptions, name: str, system: SystemConfig) -> None:
    # Another recipe's encoder is looked at as it is, by stage 4.
    start = asked.encoders.get(system.init) if asked.recogniser == HERE else None
    if start is not None:
        values = start.encoder.model_dump()
        require_same_network(name, system.model, values, f"pretrain/{system.init}.yaml")
        head = start.ctc.head if isinstance(start, PretrainConfig) else None
        require_same_head(name, system, head)


def _recogniser(asked: RunOptions) -> None:
    """Checks that the systems can do without a recogniser, where there is to be none."""
    if asked.recogniser == NONE and asked.stop_stage > 0:
        # Whether the corpus has words, so that a CTC head can be, is known after stage 0.
        sure = [name for name in asked.system_names if name not in asked.heads]
        refuse_without_recogniser(asked.conf, asked.system_names, sure)
    elif asked.recogniser not in (HERE, NONE) and asked.stop_stage > 3:
        if not Path(asked.recogniser, "run.sh").exists():
            raise SerError(
                f"--recogniser {asked.recogniser}: no run.sh there; expected the folder of a "
                "recipe; check the path"
            )
        for name in asked.encoders:
            attempt(_encoder_of_another, asked, asked.pretrain / name)
        if asked.heads:
            require(asked.bpe, Stage.BPE)


def _encoder_of_another(asked: RunOptions, folder: Path) -> None:
    record = require(folder, Stage.PRETRAIN)
    features = load_features(asked.conf).model_dump()
    trained_on = record["notes"].get("fbank", {})
    require_same_features(features, trained_on, asked.conf / "fbank.yaml", str(folder))
    for name, system in trained_systems(asked.conf, asked.system_names).items():
        if system.init == folder.name:
            encoder = record["config"].get("encoder", {})
            require_same_network(name, system.model, encoder, str(folder))
            require_same_head(name, system, head_of(record))


def _folds(asked: RunOptions) -> None:
    """Those that are asked for, as soon as there are some of this protocol."""
    folder = asked.exp_dir / "folds"
    if asked.stage == 0:
        protocol = load_config(asked.protocol, ProtocolConfig)
        record = earlier_record(folder)
        if record and not difference(record["config"], protocol):
            choose_folds(folder, asked.folds)
    elif asked.stop_stage > 3:
        attempt(choose_folds, folder, asked.folds)
        if asked.stage < 6 and (folder / "run.json").exists():
            protocol = load_config(asked.protocol, ProtocolConfig)
            require_folds(folder, protocol, asked.protocol)


def _text(asked: RunOptions) -> None:
    """What transcripts allow, once stage 0 has written them."""
    if asked.stage == 0:
        return
    if asked.read_speech and asked.runs(2) and (READ / "text").exists():
        attempt(_pieces, asked)
    if (SER / "text").exists() and asked.stop_stage > 3:
        if asked.recogniser == NONE:
            systems = trainable_systems(asked.conf, asked.system_names, SER)
            refuse_without_recogniser(asked.conf, systems, systems)
        elif asked.heads and (asked.stage > 2 or asked.recogniser != HERE):
            model = asked.bpe / "bpe.model"
            if model.exists():
                tokenizer = Tokenizer.load(model)
                tokens = tokenizer.encode_all(read_table(SER / "text"), SER / "text")
                if asked.runs(3) and (asked.exp_dir / "folds" / "run.json").exists():
                    _frames_for_tokens(asked, tokens)


def _frames_for_tokens(asked: RunOptions, tokens: Mapping[str, Sequence[int]]) -> None:
    """What stage 4 would refuse after the pre-training: CTC needs a frame for each token."""
    import torch  # which knows the strides

    from ser.data.utterances import Utterance
    from ser.nn.encoders import build_encoder
    from ser.train.ctc_targets import check_ctc_lengths

    config, seconds = load_features(asked.conf), read_table(SER / "utt2dur")
    utterances = {
        utt: Utterance(utt, round(num_frames(config, float(seconds[utt]))), own)
        for utt, own in tokens.items()
        if is_positive(seconds.get(utt, ""))
    }
    for name in asked.heads:
        system = asked.networks[name]
        if system.model.type == "cnn_blstm_sa" or system.ctc.targets != "transcripts":
            continue
        with torch.device("meta"):
            encoder = build_encoder(system.model)
        for run in unfinished_runs(asked, name):
            fold = read_fold(asked.exp_dir / "folds", run.name.removeprefix("fold"))
            train = [utterances[utt] for utt in in_part(fold, TRAIN) if utt in utterances]
            where = SER / f"text ({name}, {run.name})"
            check_ctc_lengths(train, encoder, system.ctc, where, None)


def _pieces(asked: RunOptions) -> None:
    config = load_config(asked.conf / "bpe.yaml", BpeConfig)
    made = earlier_record(asked.bpe)
    if made is None or difference(made["config"], config):
        check_num_pieces(read_table(READ / "text").values(), config, READ / "text")
