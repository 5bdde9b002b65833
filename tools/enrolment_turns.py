"""How well a speaker is recognised by how few turns of enrolment: WA and UA over the test folds.

In a recipe's folder: . ./path.sh && python ../../tools/enrolment_turns.py SYSTEM ENCODED
    [--beside SYSTEM] [--seed N] [--draws N] [--turns "1 2 5"]

SYSTEM is the folder of trained runs of a system with readout.speaker_prior (exp/<system>), ENCODED
what its encoder made of the turns (exp/encoded/<encoder>.<readout>/ser), --beside a system with the
same readout that takes no mean of a speaker. Every turn of a test part is predicted by the model
that never saw its fold, enrolled by other turns of its speaker, drawn at random. In the rows "only"
each speaker has turns of half the classes, drawn at random, and is enrolled by all of them.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ser.base.arrays import Floats
from ser.base.errors import SerError, run_program
from ser.base.options import require_within, whole_numbers
from ser.corpus.fold_files import TEST, in_part, read_fold
from ser.data.utterances import read_feature_dir
from ser.feats.speaker_means import speaker_means
from ser.infer.loading import load
from ser.metrics.classification import confusion_matrix, unweighted_accuracy, weighted_accuracy
from ser.nn.emotion import EmotionModel
from ser.nn.readout import Mean

# Which turns enrol a speaker: of the speaker's others, as (id, class), the ids of some.
Choice = Callable[[Sequence[tuple[str, str]]], list[str]]


def choices(
    numbers: Sequence[int], labels: Sequence[str], rng: np.random.Generator
) -> dict[str, Choice]:
    """What is compared, by its name."""

    def drawn(number: int) -> Choice:
        return lambda others: [
            others[i][0] for i in rng.permutation(len(others))[: min(number, len(others))]
        ]

    def of(classes: Callable[[], set[str]]) -> Choice:
        def choose(others: Sequence[tuple[str, str]]) -> list[str]:
            wanted = classes()
            return [utt for utt, label in others if label in wanted]

        return choose

    half = len(labels) // 2
    return {
        "none": lambda others: [],
        **{f"{number} drawn at random": drawn(number) for number in numbers},
        "all": drawn(10**9),
        f"those of {half} classes drawn at random": of(
            lambda: {labels[i] for i in rng.permutation(len(labels))[:half]}
        ),
        **{f"those of {label} alone": of(lambda label=label: {label}) for label in labels},
    }


def network_of(folder: Path) -> EmotionModel:
    """That of a finished run."""
    (found,) = load(folder).engine.networks  # type: ignore[attr-defined]  # of PyTorch
    if not isinstance(found, EmotionModel) or not isinstance(found.readout, Mean):
        raise SerError(f"{folder}: no statistics of the frames; expected a system that pools them")
    return found


def fitting(path: Path, folder: Path, vectors: Mapping[str, Floats], labels: Sequence[str]) -> None:
    """Refuses vectors of another readout than that of a run, and a run of other classes.

    Raises:
        SerError: Either is so.
    """
    model = network_of(folder)
    (width,) = next(iter(vectors.values())).shape
    if width != model.readout.size:
        raise SerError(
            f"{path}: {width} values a turn; expected the {model.readout.size} that {folder} reads"
        )
    if (found := load(folder).labels) != labels:
        raise SerError(f"{folder}: classes {' '.join(found)}; expected {' '.join(labels)}")


def for_turns(model: EmotionModel, turns: Sequence[Floats]) -> EmotionModel:
    """The model enrolled by encoded turns (W,), or as it is without any."""
    means = speaker_means(("speaker", turn) for turn in turns)
    return model.for_speaker(means["speaker"]) if means else model


def recognised(model: EmotionModel, vector: Floats) -> int:
    """The class of an encoded turn (W,)."""
    with torch.inference_mode():
        output = model(torch.from_numpy(vector)[None, None], torch.ones(1, dtype=torch.long), True)
    return int(output.emotion_logits.argmax())


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("system", type=Path)
    parser.add_argument("encoded", type=Path)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="of the runs (1)")
    parser.add_argument("--draws", type=int, default=3, help="of each number of turns (3)")
    parser.add_argument("--turns", default="1 2 5 10 20")
    args = parser.parse_args()
    require_within("--draws", args.draws, 1, 1000)
    torch.set_num_threads(1)
    features = read_feature_dir(args.encoded)
    spk_of, emotion_of = features.data["utt2spk"], features.data["utt2emo"]
    pairs: dict[str, list[tuple[int, int]]] = defaultdict(list)
    numbers = whole_numbers("--turns", args.turns)
    for number in numbers:
        require_within("--turns", number, 1, 1000)
    folders = sorted((args.system / f"seed{args.seed}").glob("fold*"))
    if not folders:
        raise SerError(f"{args.system}: no seed{args.seed}/fold*; expected exp/<system>, trained")
    labels: Sequence[str] = ()
    for folder in tqdm(folders, unit="fold", disable=None):
        model, labels = network_of(folder), load(folder).labels
        if not model.speaker_prior:
            raise SerError(f"{folder}: takes no mean of a speaker; expected readout.speaker_prior")
        beside = args.beside and network_of(args.beside / folder.parent.name / folder.name)
        rng = np.random.default_rng(args.seed)
        compared = choices(numbers, labels, rng)
        fold = read_fold(args.system.parent / "folds", folder.name.removeprefix("fold"))
        utts = in_part(fold, TEST)
        if absent := sorted(set(utts) - features.num_frames.keys()):
            raise SerError(
                f"{args.encoded}: lacks {absent[0]}; expected the turns, no copies of them"
            )
        vectors = {utt: features.feats[utt][0] for utt in utts}
        fitting(args.encoded, folder, vectors, labels)
        if beside:
            fitting(args.encoded, args.beside / folder.parent.name / folder.name, vectors, labels)
        for utt, vector in vectors.items():
            spk, wanted = spk_of[utt], labels.index(emotion_of[utt])
            others = [(u, emotion_of[u]) for u in vectors if spk_of[u] == spk and u != utt]
            if beside:
                pairs[f"none, {args.beside.name}"].append((wanted, recognised(beside, vector)))
            for name, choose in compared.items():
                for _ in range(args.draws if "drawn" in name else 1):
                    enrolled = for_turns(model, [vectors[u] for u in choose(others)])
                    pairs[name].append((wanted, recognised(enrolled, vector)))
        for spk in sorted({spk_of[utt] for utt in vectors}):
            for _ in range(args.draws):
                classes = {labels[i] for i in rng.permutation(len(labels))[: len(labels) // 2]}
                own = [u for u in vectors if spk_of[u] == spk and emotion_of[u] in classes]
                enrolled = for_turns(model, [vectors[u] for u in own])
                networks = {"none": model, "all": enrolled}
                if beside:
                    networks[f"none, {args.beside.name}"] = beside
                for name, network in networks.items():
                    pairs[f"only half the classes: {name}"] += [
                        (labels.index(emotion_of[u]), recognised(network, vectors[u])) for u in own
                    ]
    print("| turns of enrolment | WA % | UA % |\n|---|--:|--:|")
    for name, found in pairs.items():
        confusion = confusion_matrix(*np.array(found).T, len(labels))
        wa, ua = weighted_accuracy(confusion), unweighted_accuracy(confusion)
        print(f"| {name} | {100 * wa:.1f} | {100 * ua:.1f} |")


if __name__ == "__main__":
    run_program(main)
