"""CTC against the sum over all alignments, and eq. (8)."""

import itertools
import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny import ctc_config

from ser.nn.losses import ctc_sum, multitask_loss, too_short_for_ctc
from ser.nn.recogniser import transcribe

PER_TOKEN = ctc_config(normalisation="per_token")
PER_UTTERANCE = ctc_config(normalisation="per_utterance")
TARGETS = [[1, 2], [1, 1], [2], [], [3, 1, 3], [1, 2, 3]]


def collapse(path: tuple[int, ...]) -> list[int]:
    """CTC's B: repetitions merged, then blanks (0) removed."""
    return [t for i, t in enumerate(path) if t and (i == 0 or path[i - 1] != t)]


def brute_force(logits: torch.Tensor, target: list[int]) -> float:
    """-ln of the summed probability of every path (S, V) that collapses to the target."""
    log_probs = logits.double().log_softmax(dim=1)
    total = 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        if collapse(path) == target:
            total += math.exp(sum(float(log_probs[s, v]) for s, v in enumerate(path)))
    return -math.log(total)


def batch(targets: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.zeros(len(targets), max(map(len, targets)), dtype=torch.long)
    for row, target in zip(tokens, targets, strict=True):
        row[: len(target)] = torch.tensor(target, dtype=torch.long)
    return tokens, torch.tensor([len(target) for target in targets])


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("num_frames", [3, 5])
def test_equals_the_sum_over_all_alignments(target: list[int], num_frames: int) -> None:
    torch.manual_seed(num_frames)
    logits = torch.randn(1, num_frames + 2, 4) * 2  # two frames of padding
    tokens, token_lens = batch([target])
    loss = ctc_sum(logits, torch.tensor([num_frames]), tokens, token_lens, PER_UTTERANCE)
    assert float(loss) == pytest.approx(brute_force(logits[0, :num_frames], target), rel=1e-5)


def test_normalisation_of_a_batch() -> None:
    """Per token: each utterance by its own number of tokens, which PyTorch calls mean."""
    torch.manual_seed(0)
    logits, lens = torch.randn(len(TARGETS), 6, 4), torch.tensor([6, 5, 4, 6, 6, 5])
    tokens, token_lens = batch(TARGETS)
    single = [
        brute_force(row[:size], target)
        for row, size, target in zip(logits, lens.tolist(), TARGETS, strict=True)
    ]
    per_utterance = ctc_sum(logits, lens, tokens, token_lens, PER_UTTERANCE)
    assert float(per_utterance) == pytest.approx(sum(single), rel=1e-5)
    per_token = ctc_sum(logits, lens, tokens, token_lens, PER_TOKEN)
    expected = sum(x / max(1, len(target)) for x, target in zip(single, TARGETS, strict=True))
    assert float(per_token) == pytest.approx(expected, rel=1e-5)
    log_probs = logits.log_softmax(dim=-1).transpose(0, 1)
    mean = torch.nn.functional.ctc_loss(log_probs, tokens, lens, token_lens, reduction="mean")
    assert float(per_token) / len(TARGETS) == pytest.approx(float(mean), rel=1e-5)


@settings(max_examples=80)
@given(num_frames=st.integers(0, 6), target=st.lists(st.integers(1, 2), max_size=5))
@example(num_frames=2, target=[1, 1])
@example(num_frames=3, target=[1, 1])
@example(num_frames=0, target=[])
def test_too_short_is_where_no_alignment_exists(num_frames: int, target: list[int]) -> None:
    paths = itertools.product(range(3), repeat=num_frames)
    assert too_short_for_ctc(num_frames, target) == all(collapse(p) != target for p in paths)


@pytest.mark.parametrize("config", [PER_TOKEN, PER_UTTERANCE], ids=lambda c: c.normalisation)
def test_too_short_utterances_give_no_loss_and_no_gradient(config) -> None:
    torch.manual_seed(0)
    targets = [[1, 2], [1, 1, 1], [3]]
    lens = torch.tensor([5, 4, 5])
    assert too_short_for_ctc(4, targets[1])
    logits = torch.randn(3, 5, 4, requires_grad=True)
    loss = ctc_sum(logits, lens, *batch(targets), config)
    (grad,) = torch.autograd.grad(loss, logits)
    assert grad.isfinite().all()
    assert not grad[1].any()
    assert grad[0].any() and grad[2].any()
    others = [0, 2]
    without = ctc_sum(logits[others], lens[others], *batch([targets[i] for i in others]), config)
    assert float(loss.detach()) == pytest.approx(float(without.detach()))


def test_batch_without_any_token() -> None:
    """Transcripts of laughter alone are empty: all frames are blanks."""
    logits = torch.randn(2, 3, 4, requires_grad=True)
    loss = ctc_sum(logits, torch.tensor([3, 2]), *batch([[], []]), PER_TOKEN)
    blank = logits.log_softmax(dim=-1)[:, :, 0]
    assert float(loss.detach()) == pytest.approx(
        -float((blank[0].sum() + blank[1, :2].sum()).detach())
    )
    (grad,) = torch.autograd.grad(loss, logits)
    assert grad.isfinite().all() and grad.any()


def test_logits_of_bfloat16_are_summed_in_float32() -> None:
    logits = torch.randn(1, 5, 4).bfloat16()
    loss = ctc_sum(logits, torch.tensor([5]), *batch([[1, 2]]), PER_UTTERANCE)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(brute_force(logits[0].float(), [1, 2]), rel=1e-5)


def test_equation_8() -> None:
    """Two utterances whose probabilities of the right class are 1/2 and 1/4."""
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]))
    labels = torch.tensor([0, 1])
    loss = multitask_loss(logits, labels, torch.tensor(10.0), alpha=0.6)
    assert loss.emotion is not None and loss.ctc is not None
    assert float(loss.emotion) == pytest.approx(math.log(2) + math.log(4))
    assert float(loss.ctc) == 10.0
    assert float(loss.total) == pytest.approx(math.log(8) + 6.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_alone_by_hand(smoothing: float) -> None:
    logits, labels = torch.randn(5, 4), torch.tensor([0, 3, 2, 1, 1])
    loss = multitask_loss(logits, labels, None, alpha=0.0, label_smoothing_prob=smoothing)
    wanted = torch.full((5, 4), smoothing / 4)
    wanted[range(5), labels] += 1 - smoothing
    assert loss.ctc is None
    assert float(loss.total) == pytest.approx(-float((wanted * logits.log_softmax(1)).sum()))


@pytest.mark.parametrize(
    ("best", "size", "tokens"),
    [
        ([0, 0, 0], 3, []),
        ([1, 1, 1], 3, [1]),
        ([1, 0, 1], 3, [1, 1]),
        ([1, 1, 0, 0, 2, 2, 1], 7, [1, 2, 1]),
        ([0, 3, 3, 0, 3, 2, 2, 0], 8, [3, 3, 2]),
        ([1, 2, 3, 3], 2, [1, 2]),
        ([2, 0, 0, 0], 1, [2]),
    ],
)
def test_greedy_ctc(best: list[int], size: int, tokens: list[int]) -> None:
    logits = torch.nn.functional.one_hot(torch.tensor([best, best]), 4).float()
    lens = torch.tensor([size, len(best)])
    assert transcribe(logits, lens) == [tokens, collapse(tuple(best))]
