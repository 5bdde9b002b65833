"""Every number that the report shows, as one JSON value (``results.json``).

``stats/system.py`` computes a system's figures; ``report/report.py`` lays out RESULTS.md.
Accuracies and error rates are fractions. Figures of a system are means over its seeds of the value
pooled over the folds, unless their name says ``fold``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ser.base.files import digest_file
from ser.base.paths import prediction_table
from ser.corpus.fold_files import fold_names
from ser.score.predictions.evaluation import Evaluation, encode
from ser.score.predictions.experiment import Predictions, check_held_out, read_predictions
from ser.score.report.files import ReportFiles
from ser.score.report.paper import PaperResult, paper_name
from ser.score.report.provenance import describe_run, read_audit
from ser.score.report.sentences import compare_in_words
from ser.score.stats.agreement import human_ceiling, parse_votes
from ser.score.stats.groups import OWN, TITLES, classes_of_labels, groups_of
from ser.score.stats.intervals import CellCounts, bootstrap
from ser.score.stats.paired import compare_all, difference
from ser.score.stats.system import score_system

Results = dict[str, Any]

NUM_ROUNDS = 10_000


def score_experiment(
    files: ReportFiles,
    systems: Sequence[str],
    seeds: Sequence[str],
    folds: Sequence[str],
    command: str,
    pretrain: Path | None,
    paper: Mapping[str, PaperResult],
    earlier: Mapping[str, Any] | None = None,
    num_rounds: int = NUM_ROUNDS,
) -> tuple[Predictions, Results]:
    """The predictions of an experiment, and every number but the figures' digests.

    Args:
        files: Where the report is written.
        systems: Rows of the table.
        seeds: The seeds scored.
        folds: The folds scored.
        command: The user's command.
        pretrain: Folder of the recognisers; None where they are not at hand.
        paper: The paper's figures by system; may lack systems, or be empty.
        earlier: ``run`` of an earlier ``results.json``, used where the files of training are gone.
        num_rounds: Rounds of the hierarchical bootstrap.

    Raises:
        SerError: A table is missing, malformed or of another protocol.
    """
    exp_dir = files.exp_dir
    tables = exp_dir / "predictions"
    predictions = read_predictions(tables, systems, seeds, folds)
    check_held_out(predictions, tables, exp_dir / "folds")
    run = describe_run(exp_dir, systems, seeds, folds, command, pretrain, earlier or {})
    if files.partial:
        run["all_folds"] = fold_names(exp_dir / "folds")
    results = assemble_results(predictions, paper, run, read_audit(exp_dir), num_rounds)
    return predictions, results | {"digests": input_digests(exp_dir, systems, seeds, folds)}


def input_digests(
    exp_dir: Path, systems: Sequence[str], seeds: Sequence[str], folds: Sequence[str]
) -> dict[str, str]:
    """SHA-256 of every file that the figures come from, by path inside ``exp``.

    A file that is not there has none.
    """
    names = [
        prediction_table(Path("predictions"), system, seed, fold).as_posix()
        for system in systems
        for seed in seeds
        for fold in folds
    ]
    names += ["predictions/attributes.tsv", "predictions/run.json", "audit.json"]
    names += ["folds/run.json", *(f"folds/fold{name}" for name in folds)]
    return {name: digest_file(exp_dir / name) for name in names if (exp_dir / name).exists()}


def figure_digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """SHA-256 of every figure of the report, by name."""
    return {name: digest_file(folder / name) for name in names if (folder / name).exists()}


def assemble_results(
    predictions: Predictions,
    paper: Mapping[str, PaperResult],
    run: Mapping[str, Any],
    audited: Mapping[str, Any] | None = None,
    num_rounds: int = NUM_ROUNDS,
) -> Results:
    """Everything that the report shows but the digests of files and figures.

    Args:
        predictions: What is scored.
        paper: The paper's figures by system; may lack systems, or be empty.
        run: How the predictions came about (``describe_run``).
        audited: ``audit.json`` of stage 0, if there is one.
        num_rounds: Rounds of the hierarchical bootstrap.
    """
    evaluation = encode(predictions)
    groups = groups_of(evaluation, predictions.attributes, audited)
    human = _human(evaluation, predictions)
    rounds = _bootstrap_all(evaluation, num_rounds)
    systems = {}
    for i, system in enumerate(predictions.folds):
        row = score_system(evaluation, predictions.folds[system], system, groups, rounds[i])
        row["paper_name"] = paper_name(system, run.get("published", ()))
        if system in paper:
            row["paper"] = {"wa": paper[system].wa / 100, "ua": paper[system].ua / 100}
        systems[system] = row
    return {
        "labels": list(predictions.labels),
        "systems": systems,
        "num_rounds": num_rounds,
        "clusters": {
            "number": evaluation.clusters.number,
            "unit": evaluation.clusters.unit,
            "share_models": evaluation.clusters.share_models,
        },
        **_comparisons(evaluation, groups, {s: row["paper_name"] for s, row in systems.items()}),
        "human": human,
        "missing": _missing(groups, human),
        "audit": audited and {k: v for k, v in audited.items() if k != "seen"},
        "digests": {},
        "figures": [],
        "run": dict(run),
    }


def _missing(groups: Mapping[str, list[str]], human: Mapping[str, Any]) -> list[str]:
    """What is not known of the corpus, and the report therefore leaves out."""
    unknown = [TITLES[name] for name in TITLES if name not in groups and name not in OWN]
    return unknown if human else [*unknown, "human ceiling"]


def _bootstrap_all(evaluation: Evaluation, num_rounds: int) -> list[CellCounts]:
    """The same rounds for every system."""
    correct = np.column_stack([evaluation.correct(system) for system in evaluation.hyp])
    rounds = bootstrap(
        evaluation.session,
        evaluation.speaker,
        evaluation.ref,
        correct,
        len(evaluation.labels),
        num_rounds,
    )
    return [CellCounts(rounds.counts, rounds.correct[:, :, [i]]) for i in range(correct.shape[1])]


def _comparisons(
    evaluation: Evaluation, groups: Mapping[str, list[str]], names: Mapping[str, str | None]
) -> dict[str, Any]:
    """All pairs, and a sentence for each system against the one above it in the table."""
    comparisons = compare_all(evaluation)
    unseen = np.array([value == "no" for value in groups.get("line", [])])
    order = list(evaluation.hyp)
    sentences = []
    for above, system in pairwise(order):
        comparison = next(c for c in comparisons if (c.a, c.b) == (system, above))
        on_unseen = None
        if unseen.any() and not unseen.all():
            on_unseen = difference(evaluation.only(unseen), system, above, "wa")
        name, name_above = (names[n] or n for n in (system, above))
        sentences.append(
            compare_in_words(comparison, name, name_above, on_unseen, evaluation.clusters.unit)
        )
    return {"comparisons": [asdict(c) for c in comparisons], "sentences": sentences}


def _human(evaluation: Evaluation, predictions: Predictions) -> dict[str, Any]:
    """What the annotators reach, where the corpus has their votes."""
    if "votes" not in predictions.attributes or "emo_raw" not in predictions.attributes:
        return {}
    class_of = classes_of_labels(evaluation, predictions.attributes)
    votes = {
        utt: parse_votes(predictions.attributes["votes"][utt], class_of) for utt in evaluation.utts
    }
    references = {
        utt: evaluation.labels[ref]
        for utt, ref in zip(evaluation.utts, evaluation.ref, strict=True)
    }
    return human_ceiling(votes, references)
