"""The systems of Table 1, from their configuration, and the transfer of pre-trained weights."""

from collections.abc import Mapping

import torch

from ser.base.errors import SerError
from ser.config.schema import SystemConfig
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.emotion import EmotionModel

NEW_IN_FINETUNING = ("emotion_embedding", "emotion_head.")


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
    return EmotionModel(config.model, num_emotions, vocab_size if config.ctc_alpha else None)


def transfer(weights: Mapping[str, torch.Tensor], model: EmotionModel, where: str) -> None:
    """Copies a recogniser's weights into an emotion model, every key accounted for.

    The encoder is taken whole. The CTC head is taken where the model has one and is otherwise
    dropped, which is all that TL and TL+MTL differ in. What fine-tuning adds (x_e and the
    classifier) keeps its initial values.

    Raises:
        SerError: A weight is missing, is left over, or has another shape; all are listed.
    """
    own = model.state_dict()
    wanted = {name: tensor.shape for name, tensor in own.items()}
    wanted = {k: shape for k, shape in wanted.items() if not k.startswith(NEW_IN_FINETUNING)}
    given = {
        name: tensor
        for name, tensor in weights.items()
        if model.ctc_head is not None or not name.startswith("ctc_head.")
    }
    wrong = [f"{name} is missing" for name in wanted.keys() - given.keys()]
    wrong += [f"{name} is left over" for name in given.keys() - wanted.keys()]
    wrong += [
        f"{name} is {tuple(given[name].shape)}, expected {tuple(wanted[name])}"
        for name in wanted.keys() & given.keys()
        if given[name].shape != wanted[name]
    ]
    if wrong:
        raise SerError(
            f"{where}: {len(wrong)} weights do not fit the model: {'; '.join(sorted(wrong))}; "
            "expected the encoder of this system; rerun stage 3 with its configuration"
        )
    model.load_state_dict(own | given)
