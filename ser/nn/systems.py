"""The systems of Table 1, from their configuration, and the transfer of pre-trained weights."""

from collections.abc import Mapping

import torch

from ser.base.errors import SerError, first_few
from ser.base.log import logger
from ser.config.schema import PretrainConfig, SystemConfig
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.emotion import EmotionModel
from ser.nn.recogniser import Recogniser
from ser.nn.weights import misfits

CTC_HEAD = "ctc_head."
# What a pre-trained recogniser lacks; another head's weights would be listed here.
NEW_IN_FINETUNING = ("emotion_embedding", "emotion_head.", "readout.")


def build_recogniser(config: PretrainConfig, vocab_size: int) -> Recogniser:
    """The network that is pre-trained, with V tokens."""
    return Recogniser(config.encoder, vocab_size, config.ctc.head)


def build_system(
    config: SystemConfig, num_emotions: int, vocab_size: int | None
) -> EmotionModel | CnnBlstmSa:
    """The network of one system; it has a CTC head only where ``ctc_alpha`` is above 0.

    Args:
        config: The system.
        num_emotions: C.
        vocab_size: V; may be None for a system without CTC head.

    Raises:
        SerError: A CTC head is asked for and there are no tokens.
    """
    if config.model.type == "cnn_blstm_sa":
        return CnnBlstmSa(config.model, num_emotions)
    if config.ctc_alpha and vocab_size is None:
        raise SerError(
            f"ctc_alpha {config.ctc_alpha}: CTC needs tokens; expected a BPE model; run stage 2"
        )
    return EmotionModel(
        config.model,
        num_emotions,
        vocab_size if config.ctc_alpha else None,
        config.readout,
        config.ctc.head,
    )


def load_pretrained(
    weights: Mapping[str, torch.Tensor], model: EmotionModel | Recogniser, where: str
) -> None:
    """Copies an encoder's weights into a model, every key accounted for.

    The encoder is taken whole. An emotion model takes the CTC head where it has one and otherwise
    drops it, which is all that TL and TL+MTL differ in. A recogniser takes the CTC head where
    there is one of its size, and else starts with its own. What fine-tuning adds (x_e, readout and
    classifier) keeps its initial values.

    Raises:
        SerError: A weight is missing, is left over, or has another shape; all are listed.
    """
    own = model.state_dict()
    wanted = {name: tensor.shape for name, tensor in own.items()}
    wanted = {k: shape for k, shape in wanted.items() if not k.startswith(NEW_IN_FINETUNING)}
    given = dict(weights)
    head = {name for name in given if name.startswith(CTC_HEAD)}
    if isinstance(model, Recogniser):
        own_head = {name for name in wanted if name.startswith(CTC_HEAD)}
        if head != own_head or any(given[name].shape != wanted[name] for name in head):
            if head:
                logger.warning("%s: its CTC head is of another form; left out", where)
            given = {name: tensor for name, tensor in given.items() if name not in head}
            wanted = {k: shape for k, shape in wanted.items() if not k.startswith(CTC_HEAD)}
    elif model.ctc_head is None:
        given = {name: tensor for name, tensor in given.items() if name not in head}
    elif not head:
        raise SerError(
            f"{where}: an encoder without a CTC head, for a system with ctc_alpha above 0; "
            "expected one that was trained as a recogniser; start from such (init), or set "
            "ctc_alpha: 0.0"
        )
    if wrong := misfits(wanted, given):
        raise SerError(
            f"{where}: {len(wrong)} weights do not fit the model: {first_few(sorted(wrong))}; "
            "expected the encoder of this system; rerun stage 3 with its configuration"
        )
    model.load_state_dict(own | given)
