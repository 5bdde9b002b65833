"""``conf/protocol/<name>.yaml``: the keys of a cross-validation protocol."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ser.base.errors import SerError
from ser.base.options import doubled
from ser.config.schema import SystemConfig
from ser.config.section import Section


class ProtocolConfig(Section):
    """``conf/protocol/<name>.yaml``: who is held out, and which weights are kept.

    Sessions, speakers or scenes (``fold_unit``) are held out, one a fold where they are as many as
    ``num_folds``, else dealt into so many groups, or as ``groups`` names them; ``random`` deals
    single utterances; ``parts`` is one fold whose ``train``, ``valid`` and ``test`` are values of
    ``parts_table``: a corpus's own division, or corpora to train and to test on. Where a speaker
    may be in training and in the test, the protocol says ``speaker_dependent``, and every
    table does. ``num_scene_groups`` splits each fold by scene: the
    tested scenes are removed from training too. ``validation`` is taken from what would train:
    the next fold, the other speaker of the tested speaker's session, or a random share of each
    class (``validation_share``). ``only_types`` keeps improvised or scripted turns,
    ``leave_out_labels`` drops turns by the corpus's own label, ``test_folds`` runs some folds
    alone. ``average_epochs`` averages the weights of so many epochs, the last or the best.
    """

    fold_unit: Literal["session", "speaker", "scene", "random", "parts"]
    num_folds: Annotated[int, Field(ge=1, le=10_000)]
    groups: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(default_factory=dict)
    num_scene_groups: Annotated[int, Field(ge=2, le=26)] | None = None
    parts_table: str = "utt2split"
    parts: dict[Literal["train", "valid", "test"], list[str]] = Field(default_factory=dict)
    validation: Literal["none", "next_fold", "other_speaker", "random_share", "parts"]
    validation_share: Annotated[float, Field(ge=1e-6, lt=1)] = 0.2
    selection: Literal["last", "best_valid_ua"]
    average_epochs: Annotated[int, Field(ge=1, le=1000)] | None = None
    only_types: list[str] = Field(default_factory=list)
    leave_out_labels: list[str] = Field(default_factory=list)
    test_folds: list[str] = Field(default_factory=list)
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    speaker_dependent: bool = False

    @model_validator(mode="after")
    def _says_so_where_speakers_leak(self) -> "ProtocolConfig":
        if self.fold_unit == "random" and not self.speaker_dependent:
            raise ValueError(
                "fold_unit random without speaker_dependent: true; expected the protocol to say "
                "so: its test speakers are in training too"
            )
        return self

    @model_validator(mode="after")
    def _selection_has_data(self) -> "ProtocolConfig":
        if self.selection != "last" and self.validation == "none":
            raise ValueError(
                f"selection {self.selection} with validation none; expected a validation set "
                "(next_fold, other_speaker or random_share), since nothing is selected on a test "
                "fold"
            )
        if self.validation == "next_fold" and self.num_folds < 3:
            raise ValueError(
                f"num_folds {self.num_folds} with validation next_fold leaves 0 folds to train "
                "on; expected 3 or more"
            )
        return self

    @model_validator(mode="after")
    def _parts_are_whole(self) -> "ProtocolConfig":
        if (self.fold_unit == "parts") != bool(self.parts):
            raise ValueError(
                f"fold_unit {self.fold_unit} with {len(self.parts)} parts; expected fold_unit "
                "parts together with parts"
            )
        if (self.num_folds == 1) != bool(self.parts):
            raise ValueError(
                f"num_folds {self.num_folds}; expected 1 with fold_unit parts, and 2 or more else"
            )
        if self.parts and (not self.parts.get("train") or not self.parts.get("test")):
            raise ValueError("parts without train or test; expected both, and valid as wanted")
        if (self.validation == "parts") != bool(self.parts.get("valid")):
            raise ValueError(
                f"validation {self.validation} with {len(self.parts.get('valid', []))} values of "
                "the part valid; expected validation parts together with the part valid"
            )
        if self.parts and self.validation in ("next_fold", "other_speaker"):
            raise ValueError(
                f"validation {self.validation} with fold_unit parts; expected parts, random_share "
                "or none"
            )
        values = [value for part in self.parts.values() for value in part]
        twice = doubled(values)
        if twice:
            raise ValueError(f"parts: {twice[0]} occurs twice; expected each value once")
        return self

    @model_validator(mode="after")
    def _groups_are_folds(self) -> "ProtocolConfig":
        units = [unit for group in self.groups.values() for unit in group]
        twice = doubled(units)
        if twice:
            raise ValueError(f"groups: {twice[0]} occurs twice; expected each unit once")
        if self.groups and len(self.groups) != self.num_folds:
            raise ValueError(
                f"{len(self.groups)} groups with num_folds {self.num_folds}; expected as many"
            )
        if self.groups and self.fold_unit in ("random", "parts"):
            raise ValueError(
                f"groups with fold_unit {self.fold_unit}; expected session, speaker or scene"
            )
        if self.test_folds and self.fold_unit == "parts":
            raise ValueError("test_folds with fold_unit parts; expected none: it is one fold")
        if self.fold_unit == "scene" and self.num_scene_groups:
            raise ValueError("num_scene_groups with fold_unit scene; expected one of the two")
        return self


def under_protocol(
    name: str, system: SystemConfig, protocol: ProtocolConfig, path: Path
) -> SystemConfig:
    """A system as a protocol has it trained: with the protocol's averaging.

    Args:
        name: Of the system.
        system: Its configuration.
        protocol: What ``path`` says.
        path: ``conf/protocol/<name>.yaml``.

    Raises:
        SerError: The two contradict each other.
    """
    trainings = {"training": system.training}
    if system.head_first:
        trainings["head_first.training"] = system.head_first.training
    for key, training in trainings.items():
        if training.patience_epochs and protocol.validation == "none":
            raise SerError(
                f"{name}: {key}.patience_epochs {training.patience_epochs} with validation none in "
                f"{path}; early stopping needs a validation set; write null, or use another "
                "protocol"
            )
    if not protocol.average_epochs:
        return system
    if protocol.average_epochs > system.training.max_epochs:
        raise SerError(
            f"{path}: average_epochs {protocol.average_epochs}, and {name} has max_epochs "
            f"{system.training.max_epochs}; expected at most as many; lower it"
        )
    if system.training.average_epochs > 1:
        raise SerError(
            f"{path}: average_epochs {protocol.average_epochs}, and {name} has "
            f"training.average_epochs {system.training.average_epochs}; expected one of the two; "
            "remove one"
        )
    training = system.training.model_copy(update={"average_epochs": protocol.average_epochs})
    return system.model_copy(update={"training": training})
