"""The estimate of a full run: for every shipped configuration, and by hand for the paper's."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from programs import call
from tracked import own

import ser
from ser.base.errors import SerError
from ser.train.estimate import all_reduce_bytes, describe_plan, read_card, run_cost
from ser.train.plan import Plan, read_plans

EGS = Path(ser.__file__).parents[1] / "egs"
SHIPPED = [
    path
    for path in own(EGS, "*/conf/**/pretrain/*.yaml", "*/conf/**/systems/*.yaml")
    if path.stem != "published"
]
TUNING = EGS / "ravdess" / "conf" / "whisper" / "tuning"
PAPER = EGS / "iemocap" / "conf" / "pretrain" / "ctc.yaml"
QUICK = ("iemocap", "mini", "ravdess")  # the other recipes have the settings of ravdess


def read(path: Path, *options: float | None) -> Plan:
    (plan,) = read_plans(path, *options)
    return plan


def paper(**changes: float) -> Plan:
    options = {"vocab_size": None, "hours": None, "epochs": None}
    return read(PAPER, *{**options, **changes}.values())


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path,
            id=str(path.relative_to(EGS)),
            marks=() if path.relative_to(EGS).parts[0] in QUICK else pytest.mark.slow,
        )
        for path in SHIPPED
    ],
)
def test_every_shipped_configuration_is_estimated(path: Path) -> None:
    text = describe_plan(read(path, None, None, None), [1, 8])
    assert text.startswith(
        f"{path}: arithmetic on the configuration\nthe card: NVIDIA's data sheet"
    )
    assert "on 1 H100" in text and "on 8 H100" in text


def test_the_papers_run_by_hand() -> None:
    plan = paper()
    assert plan.num_parameters == 69_013_897
    one, eight = (run_cost(plan, count, "bfloat16") for count in (1, 8))
    # 16.5 encoder frames a second, 12 * 25 * 512^2 products of the second convolution, 18 blocks
    # of 3.15 M, and about 11 M more; each is 2 operations, three times.
    by_hand = 960 * 3600 * 25 * 16.5 * (78.6e6 + 56.6e6 + 11e6) * 2 * 3
    assert one.flops == pytest.approx(by_hand, rel=0.02)
    assert one.compute == pytest.approx(one.flops / (0.4 * 989e12))
    assert eight.compute == pytest.approx(one.compute / 8)
    assert (one.all_reduce, one.bound, one.seconds) == (0, "compute", one.compute)
    assert all_reduce_bytes(plan, 8) == pytest.approx(2 * 7 / 8 * 4 * 69_013_897)
    assert plan.bytes_per_second == pytest.approx(100 * 80 * 4)


def test_published_weights_take_no_training() -> None:
    path = EGS / "ravdess" / "conf" / "whisper" / "pretrain" / "published.yaml"
    with pytest.raises(SerError, match=r"published\.yaml: the weights are published"):
        read_plans(path, None, None, None)


def test_a_frozen_encoder_is_passed_once() -> None:
    """14 epochs of forward and backward pass without; the same sizes but for the readout."""
    scratch, frozen = (
        run_cost(read(path, None, 5.6, None), 1, "float32").flops
        for path in (TUNING / "transformer.yaml", TUNING.parent / "systems" / "transformer_tl.yaml")
    )
    assert scratch / frozen == pytest.approx(3 * 14, rel=0.02)


def test_a_head_alone_is_trained_in_every_epoch() -> None:
    path = EGS / "ravdess" / "conf" / "whisper" / "pretrain" / "ctc_head.yaml"
    plan = read(path, 201, 5.0, None)
    forward = plan.whole.forward
    convolutions, linear = forward["ctc_head.convolutions"], forward["ctc_head"]
    encoder = forward.total() - convolutions - linear
    # Of two alike, the first convolution needs no gradient of what it reads.
    head = plan.training.max_epochs * (2.5 * convolutions + 3 * linear)
    utts = 5.0 * 3600 * 100 / plan.num_frames
    assert run_cost(plan, 1, "float32").flops == pytest.approx(utts * (encoder + head))
    assert convolutions + linear > 0.1 * encoder
    # What goes into each convolution and each GELU, and into the linear layer; the scores.
    frames = (plan.num_frames + 1) // 2
    kept = 16 * frames * 4 * (5 * 384 + 201) / 1e9  # of a batch, which is smaller than the memory
    said = describe_plan(plan, [1])
    assert f"kept for the backward pass {kept:.2f} GB a micro-batch of 16 utterances" in said
    assert f"disk for encoder outputs   {5.0 * 3600 / 12.3 * frames * 384 * 4 / 1e9:.1f} GB" in said


def test_a_readout_that_learns_is_trained_in_every_epoch() -> None:
    plan = read(TUNING / "transformer_tl_attentive.yaml", None, None, None)
    forward = plan.whole.forward
    trained = forward["readout"] + forward["readout.scores"] + forward["emotion_head"]
    # Nearly all of it reads the encoded frames, which need no gradient.
    flops = forward.total() - trained + 2 * plan.training.max_epochs * trained
    utts = plan.hours_per_epoch * 3600 * 100 / plan.num_frames
    assert run_cost(plan, 1, "float32").flops == pytest.approx(utts * flops, rel=0.01)


def test_the_gradient_of_the_emotion_vector_goes_through_a_frozen_encoder(tmp_path: Path) -> None:
    shutil.copytree(TUNING.parent.parent, tmp_path, dirs_exist_ok=True)
    system = tmp_path / "whisper" / "tuning" / "transformer_tl_vector.yaml"
    trained = read(system, None, None, None)
    system.write_text(system.read_text().replace("frozen: []", "frozen: [encoder]"))
    frozen = read(system, None, None, None)
    forward = trained.step.forward
    assert forward == frozen.step.forward
    first, second, head = (forward[p] for p in ("encoder.conv1", "encoder.conv2", "emotion_head"))
    scores = forward["encoder.blocks.attention"]  # both factors are functions of x_e
    linear = forward.total() - first - second - head - scores
    assert trained.step.backward == 2 * forward.total() - first
    assert frozen.step.backward == linear + 2 * (scores + head)
    assert frozen.flops == 6 * (forward.total() + frozen.step.backward)
    assert "(encoder.blocks " in describe_plan(frozen, [1])


def test_a_head_that_is_trained_first_is_a_training_of_its_own() -> None:
    head, tuned = read_plans(TUNING / "transformer_tl_tuned.yaml", None, None, None)
    frozen = read(TUNING.parent / "systems" / "transformer_tl.yaml", None, None, None)
    assert (head.num_trained, head.num_steps) == (frozen.num_trained, frozen.num_steps)
    assert head.training.max_epochs > tuned.training.max_epochs
    assert run_cost(head, 1, "float32").flops == run_cost(frozen, 1, "float32").flops
    assert tuned.num_trained > 100 * head.num_trained
    assert "transformer_tl_tuned.yaml, after it: arithmetic" in describe_plan(tuned, [1])


def test_a_card_that_was_measured_takes_the_place_of_the_data_sheet(tmp_path: Path) -> None:
    figures = {
        "ceiling": {
            "TFLOP/s, float32 product of 8192": 50.0,
            "TFLOP/s, TF32 product of 8192": 400.0,
            "TFLOP/s, bfloat16 product of 8192": 800.0,
            "TB/s, read and written, copy": 3.0,
        },
        "pretraining": {"TFLOP/s, TF32": 100.0, "TFLOP/s, bfloat16": 320.0},
    }
    path = tmp_path / "gpu.json"

    def write(parts: dict[str, Any]) -> None:
        told = {name: {"seconds": 1.0, "figures": given} for name, given in parts.items()}
        path.write_text(json.dumps({"card": "Some Card", "parts": told}))

    write(figures)
    card = read_card(path)
    run = run_cost(paper(), 1, "bfloat16", card)
    assert run.compute == pytest.approx(run.flops / 320e12)
    said = call("estimate", PAPER, "--measured", path).out
    assert f"the card: {path}: measured" in said
    assert "on 8 Some Card" in said
    assert "at 0.4 x 800 TFLOP/s" in said and "at 0.25 x 400 TFLOP/s" in said
    for lacking in ("ceiling", "pretraining"):
        write({name: given for name, given in figures.items() if name != lacking})
        with pytest.raises(SerError, match=rf"gpu\.json: .* \(no '{lacking}'\); expected what"):
            read_card(path)


def test_options_scale_the_run() -> None:
    whole, half = (run_cost(paper(hours=h), 1, "float32").flops for h in (100, 50))
    assert whole == pytest.approx(2 * half)
    assert run_cost(paper(hours=50, epochs=50), 1, "float32").flops == pytest.approx(whole)
    assert paper(vocab_size=101).num_parameters == 69_013_897 - 513 * (5001 - 101)


def test_speed_copies_are_trained_on_too() -> None:
    plan = paper()
    training = plan.training.model_copy(update={"speed_factors": [0.8]})
    slow = Plan(**{**plan.__dict__, "training": training})
    assert slow.hours_per_epoch == 960 * (1 + 1 / 0.8)
    assert slow.num_steps == pytest.approx(2 * plan.num_steps, rel=1e-3)


def test_padding_is_paid_for_in_every_utterance() -> None:
    plan = read(TUNING / "transformer.yaml", None, 4.55, None)
    fbank = plan.fbank.model_copy(update={"pad_seconds": 30.0})
    padded = Plan(**{**plan.__dict__, "fbank": fbank})
    assert (padded.num_frames, padded.num_steps) == (3000, plan.num_steps)
    costs = [run_cost(p, 1, "float32") for p in (padded, plan)]
    assert costs[0].flops > 30 / 4.55 * costs[1].flops and costs[0].speech == costs[1].speech
    said = describe_plan(padded, [1])
    stored = {"float32": 4, "kaldi_compressed": 1}[fbank.storage]
    assert f"disk for features          {plan.num_utts * 3000 * 80 * stored / 1e9:.1f} GB" in said
    assert "a second of speech, utterances of 4.55 s" in said
    assert f"{3000 * 80 * 4 / 4.55 / 1e3:.1f} kB a second of speech" in said


def test_another_file_is_refused() -> None:
    with pytest.raises(SerError, match=r"encoder\.yaml: neither 'encoder' nor 'model'"):
        read_plans(EGS / "mini" / "conf" / "encoder.yaml", None, None, None)


def test_program_prints_and_refuses_in_one_line() -> None:
    result = call("estimate", PAPER, "--num-gpus", "4")
    assert (result.status, result.err) == (0, "")
    assert "on 4 H100" in result.out
    wrong = call("estimate", PAPER, "--hours", "0")
    assert (wrong.status, wrong.err) == (1, "error: --hours 0: expected 0.001 to 1e+07\n")
