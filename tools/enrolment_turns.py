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
from collections.abc import Callable, Iterator, Mapping, Sequence
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


def network_of(folder: Path, width: int) -> tuple[EmotionModel, Sequence[str]]:
    """The network of a finished run, and its classes.

    Raises:
        SerError: It does not read vectors of this width.
    """
    model = load(folder)
    (found,) = model.engine.networks  # type: ignore[attr-defined]  # of PyTorch
    if not isinstance(found, EmotionModel) or not isinstance(found.readout, Mean):
        raise SerError(f"{folder}: no statistics of the frames; expected a system that pools them")
    if found.readout.size != width:
        raise SerError(
            f"{folder}: reads {found.readout.size} values a turn; expected the {width} of ENCODED"
        )
    return found, model.labels


def for_turns(model: EmotionModel, turns: Sequence[Floats]) -> EmotionModel:
    """The model enrolled by encoded turns (W,), or as it is without any."""
    means = speaker_means(("speaker", turn) for turn in turns)
    return model.for_speaker(means["speaker"]) if means else model


def recognised(model: EmotionModel, vector: Floats) -> int:
    """The class of an encoded turn (W,)."""
    with torch.inference_mode():
        output = model(torch.from_numpy(vector)[None, None], torch.ones(1, dtype=torch.long), True)
    return int(output.emotion_logits.argmax())


def pairs_of_fold(
    model: EmotionModel,
    beside: EmotionModel | None,
    turns: Mapping[str, tuple[str, int, Floats]],
    compared: Mapping[str, Choice],
    rng: np.random.Generator,
    num_draws: int,
    labels: Sequence[str],
) -> Iterator[tuple[str, tuple[int, int]]]:
    """The name of a row with the true and the recognised class of a turn, for all rows and turns.

    Args:
        model: Takes the mean of a speaker off.
        beside: Takes none off.
        turns: Speaker, class and vector (W,) of each.
        compared: As of ``choices``.
        rng: Draws classes.
        num_draws: Of what is drawn.
        labels: The classes.
    """
    for utt, (spk, wanted, vector) in turns.items():
        others = [(u, labels[c]) for u, (s, c, _) in turns.items() if s == spk and u != utt]
        if beside:
            yield "none, --beside", (wanted, recognised(beside, vector))
        for name, choose in compared.items():
            for _ in range(num_draws if "drawn" in name else 1):
                enrolled = for_turns(model, [turns[u][2] for u in choose(others)])
                yield name, (wanted, recognised(enrolled, vector))
    for spk in sorted({spk for spk, _, _ in turns.values()}):
        for _ in range(num_draws):
            classes = set(rng.permutation(len(labels))[: len(labels) // 2].tolist())
            own = [(c, v) for s, c, v in turns.values() if s == spk and c in classes]
            networks = {"none": model, "all": for_turns(model, [v for _, v in own])}
            if beside:
                networks["none, --beside"] = beside
            for name, network in networks.items():
                for wanted, vector in own:
                    yield f"only half the classes: {name}", (wanted, recognised(network, vector))


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
    for number in (numbers := whole_numbers("--turns", args.turns)):
        require_within("--turns", number, 1, 1000)
    torch.set_num_threads(1)
    features = read_feature_dir(args.encoded)
    spk_of, emotion_of = features.data["utt2spk"], features.data["utt2emo"]
    width = features.feats.num_bins
    pairs: dict[str, list[tuple[int, int]]] = defaultdict(list)
    folders = sorted((args.system / f"seed{args.seed}").glob("fold*"))
    if not folders:
        raise SerError(f"{args.system}: no seed{args.seed}/fold*; expected exp/<system>, trained")
    labels: Sequence[str] = ()
    for folder in tqdm(folders, unit="fold", disable=None):
        model, labels = network_of(folder, width)
        if not model.speaker_prior:
            raise SerError(f"{folder}: takes no mean of a speaker; expected readout.speaker_prior")
        beside = None
        if args.beside:
            path = args.beside / folder.parent.name / folder.name
            beside, others = network_of(path, width)
            if others != labels:
                raise SerError(f"{path}: {' '.join(others)}; expected classes {' '.join(labels)}")
        fold = read_fold(args.system.parent / "folds", folder.name.removeprefix("fold"))
        utts = in_part(fold, TEST)
        if absent := sorted(set(utts) - features.num_frames.keys()):
            raise SerError(f"{args.encoded}: lacks {absent[0]}; expected the turns, not copies")
        turns = {
            utt: (spk_of[utt], labels.index(emotion_of[utt]), features.feats[utt][0])
            for utt in utts
        }
        rng = np.random.default_rng(args.seed)
        compared = choices(numbers, labels, rng)
        for name, pair in pairs_of_fold(model, beside, turns, compared, rng, args.draws, labels):
            pairs[name].append(pair)
    print("| turns of enrolment | WA % | UA % |\n|---|--:|--:|")
    for name, found in pairs.items():
        confusion = confusion_matrix(*np.array(found).T, len(labels))
        wa, ua = weighted_accuracy(confusion), unweighted_accuracy(confusion)
        print(f"| {name} | {100 * wa:.1f} | {100 * ua:.1f} |")


if __name__ == "__main__":
    run_program(main)
