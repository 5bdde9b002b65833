"""Stage 5: each model on the fold that it never saw."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from ser.base.errors import SerError
from ser.base.log import logger
from ser.base.outputs import faults
from ser.base.paths import prediction_table_of
from ser.base.record import Record, Stage, earlier_record, read_record, require, rerun_hint
from ser.base.writing import sole_run, write_json, write_text
from ser.config.baselines import ProbeConfig, VectorsConfig, WordsConfig
from ser.config.labels import LabelsConfig
from ser.config.made_with import labels_of, require_features
from ser.config.systems import load_system
from ser.corpus.fold_files import TEST, fold_list_name
from ser.data.utterances import FeatureDir, read_feature_dir
from ser.predict.functionals import functionals_record
from ser.predict.linear import predict_from_vectors
from ser.predict.networks import predict_parts
from ser.predict.prediction import Prediction, table_digest
from ser.predict.probe import probe_record
from ser.predict.words import predict_from_words, resolve_source
from ser.score.predictions.experiment import PredictRecord, read_predict_record, sources_of
from ser.score.predictions.table import columns
from ser.train.engine.distributed import prepare_process
from ser.train.resolve import FinetuneRun

ATTRIBUTES = (
    "spk2gender",
    "utt2emo_raw",
    "utt2type",
    "utt2scene",
    "utt2cue",
    "utt2dur",
    "utt2votes",
)


def predict_all(runs: Sequence[FinetuneRun]) -> None:
    """Writes ``predictions/<system>/seed<s>_fold<k>.tsv`` of every run, and ``attributes.tsv``.

    A table that is there and belongs to the run and its weights is kept.

    Raises:
        SerError: A run is not finished, or was made from other inputs than are there now.
    """
    started = time.time()
    out = runs[0].exp_dir / "predictions"
    prepare_process(runs[0].num_threads, seed=0)
    conf, feats = runs[0].conf, runs[0].feats
    made = require(feats, Stage.FEATURES)  # of baselines too, which are not resolved
    require_features(feats, made, conf)
    labels = labels_of(conf, feats, made)
    features = read_feature_dir(feats)
    sources = [_source(run, labels, features) for run in runs]
    own = {run.system: source.speaker_prior for run, source in zip(runs, sources, strict=True)}
    with sole_run(out, wait=True):
        earlier = _earlier(out)
        tables = _still_valid(out)
        # What is killed before its end has no record of its runs, and still has that of others.
        called = {str(run.folder) for run in runs}
        others = {name: table for name, table in tables.items() if name not in called}
        (out / "run.json").unlink(missing_ok=True)
        if others and (out / "attributes.tsv").is_file():
            _finish(out, others, _priors(earlier), started)
    num_written = 0
    seedless: dict[tuple[str, str], list[Prediction]] = {}  # by system and fold
    for run, source in tqdm(
        list(zip(runs, sources, strict=True)), desc="predictions", unit="run", disable=None
    ):
        record = source.record
        tables[str(run.folder)] = str(record.folder), record.identity
        path = prediction_table_of(out, run.folder)
        if not _is_table_of(path, record, fold_list_name(run.exp_dir / "folds", run.fold)):
            predictions = seedless.get((run.system, run.fold)) or source.predict()
            if not source.has_seed:
                seedless[run.system, run.fold] = predictions
            _write_table(path, run, features, labels, predictions)
            digest = table_digest(path, record.folder, record.identity)
            write_text(path.with_suffix(".sha256"), digest)
            num_written += 1
    with sole_run(out, wait=True):
        _write_attributes(out / "attributes.tsv", features)
        priors = {**_priors(earlier), **_priors(_earlier(out)), **own}
        tables |= _still_valid(out)  # of a call that ended meanwhile
        tables = dict(sorted(tables.items()))  # whichever were there before
        sources_now = {name: source for name, (source, _) in tables.items()}
        if (
            earlier
            and not num_written
            and sources_of(earlier) == sources_now
            and _priors(earlier).items() <= priors.items()
            and not faults(out, earlier.get("outputs", {}))
        ):
            write_json(out / "run.json", earlier)  # with the commit and the day of these tables
        else:
            _finish(out, tables, priors, started)
    logger.info("%s tables in %s", len(runs), out)


def _finish(
    out: Path,
    tables: Mapping[str, tuple[str, str]],
    priors: Mapping[str, float | None],
    started: float,
) -> None:
    """Writes the record of these runs' tables: source and its identity of each."""
    outputs = [out / "attributes.tsv", *(prediction_table_of(out, Path(name)) for name in tables)]
    systems = {Path(name).parts[-3] for name in tables}
    Record(out, Stage.PREDICT, {}, dict(tables.values()), started).finish(
        outputs,
        sources={name: source for name, (source, _) in tables.items()},
        speaker_prior={name: prior for name, prior in priors.items() if prior and name in systems},
    )


@dataclass(frozen=True)
class _Source:
    """Where the predictions of a run come from.

    Attributes:
        record: Of what they are made from.
        predict: Makes them.
        has_seed: Whether the run's seed plays a part.
        speaker_prior: Of its system.
    """

    record: Record
    predict: Callable[[], list[Prediction]]
    has_seed: bool = True
    speaker_prior: float | None = None


def _source(run: FinetuneRun, labels: LabelsConfig, features: FeatureDir) -> _Source:
    system = load_system(run.conf, run.system)
    if isinstance(system, VectorsConfig):
        if isinstance(system, ProbeConfig):
            record = probe_record(run, system)
        else:
            record = functionals_record(run, system, features)
        predict = partial(predict_from_vectors, run, system, labels.names, features, record.folder)
        return _Source(record, predict, has_seed=False, speaker_prior=system.speaker_prior)
    resolved = resolve_source(run)
    if not resolved.record.is_finished():
        if (resolved.run.folder / "run.json").exists():
            require(resolved.run.folder, Stage.FINETUNE)  # says what is lost
        raise SerError(
            f"{resolved.run.folder}: not trained, or with another configuration than there is now; "
            f"expected {resolved.run.name}; run {rerun_hint(Stage.FINETUNE)}"
        )
    if isinstance(system, WordsConfig):
        return _Source(resolved.record, partial(predict_from_words, resolved, features))
    return _Source(
        resolved.record,
        lambda: list(predict_parts(resolved, features, (TEST,))),
        speaker_prior=resolved.system.readout.speaker_prior,
    )


def _is_table_of(path: Path, record: Record, fold_list: str) -> bool:
    """Whether a table is there, whole, and belongs to the run, its weights and today's fold."""
    made_from = path.with_suffix(".sha256")
    if not (path.is_file() and made_from.is_file()):
        return False
    with path.open(encoding="utf-8", errors="replace") as rows:  # it may have been saved anew
        is_of_fold = f"\t{fold_list}\t" in "".join(islice(rows, 2))
    digest = table_digest(path, record.folder, record.identity)
    return is_of_fold and made_from.read_bytes() == digest.encode()


def _earlier(out: Path) -> PredictRecord | None:
    return read_predict_record(out) if earlier_record(out) else None


def _priors(record: PredictRecord | None) -> dict[str, float | None]:
    """``speaker_prior`` of the systems of a record, None of those that have none."""
    if record is None:
        return {}
    noted = record["notes"].get("speaker_prior", {})
    return {name: noted.get(name) for name in (Path(run).parts[-3] for run in sources_of(record))}


def _still_valid(out: Path) -> dict[str, tuple[str, str]]:
    """Source and its identity of each run of an earlier call whose table is as it was made then."""
    record = _earlier(out)
    if record is None:
        return {}
    made = {source: i for source, i in record["inputs"].items() if _is_current(Path(source), i)}
    sealed = record.get("outputs", {})
    return {
        name: (source, made[source])
        for name, source in sources_of(record).items()
        for table in [prediction_table_of(out, Path(name))]
        if source in made
        and table.exists()
        and not faults(out, {k: v for k, v in sealed.items() if out / k == table})
    }


def _is_current(source: Path, identity: str) -> bool:
    """Whether a folder is whole, the one of an identity, and made from what is there now."""
    with contextlib.suppress(SerError):
        return require(source, read_record(source)["stage"])["identity"] == identity
    return False


def _write_table(
    path: Path,
    run: FinetuneRun,
    features: FeatureDir,
    labels: LabelsConfig,
    predictions: list[Prediction],
) -> None:
    data = features.data
    fold_list = fold_list_name(run.exp_dir / "folds", run.fold)
    rows = [columns(labels.names, with_words=predictions[0].words is not None)]
    for p in sorted(predictions, key=lambda p: p.utt):
        rows.append(
            (
                p.utt,
                data["utt2spk"][p.utt],
                data["utt2session"][p.utt],
                fold_list,
                data["utt2emo"][p.utt],
                p.best_of(labels.names),
                *(f"{x:.6f}" for x in p.posteriors),
                data["text"][p.utt],
                *([] if p.words is None else [p.words]),
            )
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join("\t".join(row) + "\n" for row in rows))


def _write_attributes(path: Path, features: FeatureDir) -> None:
    """What the breakdowns of stage 6 group by, as far as the corpus knows it."""
    tables = features.data.tables
    columns = {name[name.index("2") + 1 :]: tables[name] for name in ATTRIBUTES if name in tables}
    by_speaker = {"gender"}
    rows = [["utt", *columns]]
    for utt, spk in tables["utt2spk"].items():
        rows.append([utt, *(t[spk if n in by_speaker else utt] for n, t in columns.items())])
    write_text(path, "".join("\t".join(row) + "\n" for row in rows))
