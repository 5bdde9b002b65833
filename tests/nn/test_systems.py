"""The four systems, and the transfer of pre-trained weights with every key accounted for."""

import pytest
import torch
from tiny import SYSTEMS, encoder_config, system_config

from ser.base.errors import SerError
from ser.config.network import CtcHeadConfig
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.emotion import EmotionModel
from ser.nn.mask import length_mask
from ser.nn.recogniser import Recogniser
from ser.nn.systems import build_system, load_pretrained

VOCABULARY = 12


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return Recogniser(encoder_config(), VOCABULARY).state_dict()


def emotion_model(vocab_size: int | None) -> EmotionModel:
    torch.manual_seed(2)
    return EmotionModel(encoder_config(), 4, vocab_size)


@pytest.mark.parametrize("name", SYSTEMS)
def test_builds_the_system(name: str) -> None:
    model = build_system(system_config(name), 4, VOCABULARY)
    output = model.eval()(torch.randn(2, 50, 80), torch.tensor([50, 30]))
    assert output.emotion_logits.shape == (2, 4)
    if name == "transformer_tl_mtl":
        assert output.ctc_logits.shape == (2, 7, VOCABULARY)
        assert output.frame_lens.tolist() == [7, 4]
    else:
        assert output.ctc_logits is None
    assert isinstance(model, CnnBlstmSa if name == "cnn_blstm_sa" else EmotionModel)


def test_ctc_head_without_tokens_is_refused() -> None:
    with pytest.raises(SerError, match=r"ctc_alpha 0.6: CTC needs tokens.*stage 2"):
        build_system(system_config("transformer_tl_mtl"), 4, None)


@pytest.mark.parametrize("vocab_size", [None, VOCABULARY], ids=["TL", "TL+MTL"])
def test_transfer_copies_all_but_what_fine_tuning_adds(
    weights: dict[str, torch.Tensor], vocab_size: int | None
) -> None:
    model = emotion_model(vocab_size)
    new = {"emotion_embedding", "emotion_head.weight", "emotion_head.bias"}
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    load_pretrained(weights, model, "ctc")
    after = model.state_dict()
    head = {"ctc_head.weight", "ctc_head.bias"} if vocab_size else set()
    assert after.keys() == {n for n in weights if n.startswith("encoder.")} | head | new
    for name, tensor in after.items():
        assert torch.equal(tensor, before[name] if name in new else weights[name]), name


def test_transferred_recogniser_hears_the_same() -> None:
    """With x_e out of sight, z_1..z_N and the CTC logits are the recogniser's."""
    torch.manual_seed(3)
    recogniser = Recogniser(encoder_config(), VOCABULARY).eval()
    model = emotion_model(VOCABULARY).eval()
    load_pretrained(recogniser.state_dict(), model, "ctc")
    feats, lens = torch.randn(2, 70, 80), torch.tensor([70, 40])
    expected, expected_lens = recogniser(feats, lens)
    x, frame_lens = model.encoder.frames(feats, lens)
    z = model.encoder.layers(x, length_mask(frame_lens, x.shape[1]))[-1]
    assert torch.allclose(model.ctc_head(z, frame_lens), expected, atol=1e-6)
    assert torch.equal(frame_lens, expected_lens)


@torch.no_grad()
def test_equations_5_and_7() -> None:
    """z_e goes to the emotions alone, z_1..z_N to the tokens alone."""
    model = emotion_model(VOCABULARY).eval()
    feats, lens = torch.randn(2, 70, 80), torch.tensor([70, 40])
    x, frame_lens = model.encoder.frames(feats, lens)
    x = torch.cat([model.emotion_embedding.expand(2, 1, -1), x], dim=1)
    mask = torch.nn.functional.pad(length_mask(frame_lens, 10), (1, 0), value=True)
    z = model.encoder.layers(x, mask)[-1]
    output = model(feats, lens)
    assert z.shape == (2, 1 + 10, 32)
    assert torch.equal(output.emotion_logits, model.emotion_head(z[:, 0]))
    assert torch.equal(output.ctc_logits, model.ctc_head(z[:, 1:], frame_lens))
    assert output.frame_lens.tolist() == frame_lens.tolist() == [10, 5]


def test_all_that_does_not_fit_is_listed(weights: dict[str, torch.Tensor]) -> None:
    del weights["encoder.blocks.1.attention.qkv.bias"]
    del weights["encoder.subsampling.conv1.weight"]
    weights["encoder.blocks.2.attention.qkv.bias"] = torch.zeros(3)
    weights["decoder.weight"] = torch.zeros(3)
    weights["ctc_head.weight"] = torch.zeros(VOCABULARY + 1, 32)
    model = emotion_model(VOCABULARY)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(SerError) as caught:
        load_pretrained(weights, model, "exp/pretrain/ctc/model.safetensors")
    message = str(caught.value)
    assert message.startswith("exp/pretrain/ctc/model.safetensors: 5 weights do not fit")
    for part in (
        "encoder.blocks.1.attention.qkv.bias is missing",
        "encoder.subsampling.conv1.weight is missing",
        "encoder.blocks.2.attention.qkv.bias is left over",
        "decoder.weight is left over",
        f"ctc_head.weight is ({VOCABULARY + 1}, 32), expected ({VOCABULARY}, 32)",
        "stage 3",
    ):
        assert part in message
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), "nothing is copied in part"


def test_convolutions_of_the_ctc_head_are_part_of_it(caplog: pytest.LogCaptureFixture) -> None:
    recogniser = Recogniser(encoder_config(), VOCABULARY, head=CtcHeadConfig(kernel_sizes=[5]))
    weights = recogniser.state_dict()
    model = EmotionModel(encoder_config(), 4, VOCABULARY, head=CtcHeadConfig(kernel_sizes=[5]))
    load_pretrained(weights, model, "ctc")
    for name in ("ctc_head.convolutions.0.weight", "ctc_head.weight"):
        assert torch.equal(model.state_dict()[name], weights[name])
    load_pretrained(weights, emotion_model(None), "ctc")
    with pytest.raises(SerError, match=r"ctc_head\.convolutions\.0\.bias is left over"):
        load_pretrained(weights, emotion_model(VOCABULARY), "ctc")
    other = Recogniser(encoder_config(), VOCABULARY, head=CtcHeadConfig(kernel_sizes=[3]))
    before = other.ctc_head.weight.clone()
    load_pretrained(weights, other, "ctc")  # a head of another form starts with its own weights
    assert "ctc: its CTC head is of another form; left out" in caplog.text
    assert torch.equal(other.ctc_head.weight, before)
    assert torch.equal(
        other.encoder.blocks[0].feed_forward[0].bias,
        weights["encoder.blocks.0.feed_forward.0.bias"],
    )


def test_missing_ctc_head_is_refused_where_it_is_wanted(weights: dict[str, torch.Tensor]) -> None:
    encoder = {n: t for n, t in weights.items() if not n.startswith("ctc_head.")}
    with pytest.raises(SerError, match="ctc: an encoder without a CTC head, for a system with"):
        load_pretrained(encoder, emotion_model(VOCABULARY), "ctc")
    load_pretrained(encoder, emotion_model(None), "ctc")


def test_emotion_vector_starts_like_one_scaled_input_vector() -> None:
    torch.manual_seed(0)
    vector = EmotionModel(encoder_config(d_model=512, num_blocks=1), 4, None).emotion_embedding
    assert vector.requires_grad
    assert abs(float(vector.detach().mean())) < 0.15
    assert 0.9 < float(vector.detach().std()) < 1.1
