"""Stage 6: scores the predictions: results.json, RESULTS.md, report.html, figures, a table.

Of some of the protocol's folds alone all this is called partial in its title, and is written beside
the report of all folds: RESULTS.partial.md, ...
"""

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

from ser.base.errors import SerError, run_program
from ser.base.files import read_json
from ser.base.log import logger
from ser.base.options import distinct_words, whole_numbers
from ser.base.paths import run_folders
from ser.base.record import Stage, read_record, require
from ser.base.writing import sole_run, write_json, write_text
from ser.config.made_with import labels_of, require_features, require_system_of_run
from ser.corpus.fold_files import choose_folds, fold_names
from ser.data.trainable import trainable_systems
from ser.kaldi.table import read_table
from ser.score.predictions.experiment import check_runs
from ser.score.report.figures import write_figures
from ser.score.report.files import ReportFiles
from ser.score.report.main_table import terminal_table
from ser.score.report.page import Audio, audio_of, page
from ser.score.report.paper import read_paper_results
from ser.score.report.provenance import read_curves, read_pretraining, read_protocol
from ser.score.report.report import report
from ser.score.results import figure_digests, score_experiment


def parse_args() -> argparse.Namespace:
    """The program's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp-dir", type=Path, required=True, help="has predictions/; is written")
    parser.add_argument("--pretrain", type=Path, required=True, help="folder of the recognisers")
    parser.add_argument("--conf", type=Path, required=True, help="may hold paper_results.yaml")
    parser.add_argument("--systems", required=True, help="rows of the table")
    parser.add_argument("--seeds", required=True)
    parser.add_argument("--folds", default="", help="all of the protocol's by default")
    parser.add_argument("--feats", type=Path, help="its text and wav.scp are read")
    parser.add_argument("--command", required=True, help="what the user typed, for the report")
    parser.add_argument("--publish", type=Path, help="folder that gets a copy of RESULTS.md")
    return parser.parse_args()


def main() -> None:
    """Reads, scores, draws, writes, prints."""
    args = parse_args()
    systems = distinct_words("--systems", args.systems)
    if args.feats:
        if (args.feats / "run.json").exists():  # else they were made room of
            made = read_record(args.feats)
            require_features(args.feats, made, args.conf)
            labels_of(args.conf, args.feats, made)
        systems = trainable_systems(args.conf, systems, args.feats)
    if args.publish and not args.publish.is_dir():
        raise SerError(f"--publish {args.publish}: no such folder; expected one; make it")
    seeds = list(map(str, whole_numbers("--seeds", args.seeds)))
    folds = choose_folds(args.exp_dir / "folds", args.folds)
    partial = set(folds) != set(fold_names(args.exp_dir / "folds"))
    files = ReportFiles(args.exp_dir, partial)
    require(args.exp_dir / "predictions", Stage.PREDICT)
    runs = {s: run_folders(args.exp_dir, s, seeds, folds) for s in systems}
    asked = [folder for folders in runs.values() for folder in folders]
    check_runs(args.exp_dir / "predictions", asked)
    for system, folders in runs.items():
        for folder in (args.exp_dir / system, *folders):
            if (folder / "run.json").exists():
                require_system_of_run(folder, args.conf, system)
    paper = read_paper_results(args.conf, read_protocol(args.exp_dir))
    with sole_run(files.results):
        predictions, results = score_experiment(
            files, systems, seeds, folds, args.command, args.pretrain, paper
        )
        finetune = {system: read_curves(folders) for system, folders in runs.items()}
        pretraining = read_pretraining(args.pretrain)
        _warn_of_less(files, systems, seeds)
        earlier = _earlier_figures(files.results)
        drawn = write_figures(files.figures, results, finetune, pretraining, earlier)
        results["figures"] = figure_digests(files.figures, drawn)
        write_json(files.results, results)
        write_text(files.report, report(results, files.figures.name))
        audio = _audio(args.feats, files.page)
        write_text(files.page, page(results, predictions, files.figures, audio))
    if args.publish:
        write_text(args.publish / files.report.name, report(results))
    print(terminal_table(results))


def _warn_of_less(files: ReportFiles, systems: Sequence[str], seeds: Sequence[str]) -> None:
    """Tells what the report that is replaced has and the new one has not."""
    with contextlib.suppress(SerError, KeyError, TypeError):
        earlier = read_json(files.results)
        gone = [name for name in earlier["systems"] if name not in systems]
        gone += [f"seed {seed}" for seed in earlier["run"]["seeds"] if seed not in seeds]
        if gone:
            logger.warning(
                "%s had %s too, and is written without; name all that it should have "
                "with --systems and --seeds",
                files.report,
                ", ".join(gone),
            )


def _earlier_figures(path: Path) -> list[str]:
    """The figures that an earlier ``results.json`` names; none of one that is damaged."""
    with contextlib.suppress(SerError, KeyError, TypeError):
        return list(read_json(path)["figures"])
    return []


def _audio(feats: Path | None, page_path: Path) -> Audio | None:
    """What the page plays, where the features say what they were made of."""
    if feats is None or not (feats / "wav.scp").exists():
        return None
    return audio_of(read_table(feats / "wav.scp"), page_path)


if __name__ == "__main__":
    run_program(main)
