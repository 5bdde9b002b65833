"""Another order of the classes is another mapping: a model's outputs have that order."""

import pytest
from tiny import write_config
from tiny_audio import packing
from tiny_recipe import CONF, LABELS, finetune_run

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.release.pack import pack
from ser.train.finetune import finetune

TURNED = LabelsConfig(
    classes=dict(reversed(LABELS.classes.items())),
    exclude=LABELS.exclude,
)


def test_mappings_are_told_apart() -> None:
    assert TURNED.classes == LABELS.classes, "for Python dictionaries have no order"
    assert TURNED != LABELS
    assert TURNED.record() != LABELS.record()
    assert LabelsConfig.of_record(TURNED.record()) == TURNED


@pytest.mark.usefixtures("trained")
def test_a_run_is_not_taken_up_and_folds_are_not_packed_together() -> None:
    write_config(CONF / "labels.yaml", TURNED)
    with pytest.raises(SerError, match=r"holds another run \(config\.labels\.order was \['ang"):
        finetune(finetune_run("transformer_tl_mtl", fold="1"))
    finetune(finetune_run("transformer_tl_mtl", fold="1", force=True))
    with pytest.raises(SerError, match=r"from fold 1 to fold 2 labels\.order was"):
        pack(packing(), (CONF / "model").resolve())
