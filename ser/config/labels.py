"""``conf/labels.yaml`` and ``conf/counts.yaml``: the classes, and how many of each there are."""

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from ser.base.names import CLASS, LABEL, composed
from ser.base.options import doubled
from ser.config.section import Count, CountOrZero, Section


class LabelsConfig(Section):
    """``conf/labels.yaml``: the classes in their order, each with the corpus labels it merges."""

    classes: dict[str, list[str]]
    exclude: list[str]

    @model_validator(mode="after")
    def _each_label_once(self) -> "LabelsConfig":
        raw = [label for merged in self.classes.values() for label in merged] + self.exclude
        wrong = [*map(CLASS.fault, self.classes), *map(LABEL.fault, raw)]
        if any(wrong):
            raise ValueError("; ".join(filter(None, wrong)))
        twice = doubled(map(composed, raw))
        if twice:
            raise ValueError(f"the labels {twice} occur twice; expected each corpus label once")
        if len(self.classes) < 2:
            raise ValueError(f"{len(self.classes)} classes; expected two or more")
        return self

    def __eq__(self, other: object) -> bool:
        """Another order of the classes, which is that of the outputs, is another mapping."""
        return isinstance(other, LabelsConfig) and self.record() == other.record()

    __hash__ = None  # type: ignore[assignment]  # as any configuration's

    def record(self) -> dict[str, Any]:
        """For a folder's record, whose digest knows no order of keys: with the order as a list."""
        return self.model_dump() | {"order": list(self.names)}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "LabelsConfig":
        """From what ``record`` gave."""
        return cls.model_validate({key: record[key] for key in cls.model_fields})

    @property
    def names(self) -> tuple[str, ...]:
        """The classes in the order of the model's outputs."""
        return tuple(self.classes)

    @property
    def class_of(self) -> dict[str, str]:
        """The class of each corpus label, ``composed``."""
        return {composed(raw): name for name, merged in self.classes.items() for raw in merged}

    @property
    def excluded(self) -> set[str]:
        """The corpus labels that are left out, ``composed``."""
        return set(map(composed, self.exclude))


class CountsConfig(Section):
    """``conf/counts.yaml``: what a whole corpus holds, to recognise a partial copy.

    ``sessions`` gives the turns a session of each label, and of women and men (``female``,
    ``male``) among the turns of these labels.
    """

    sessions: dict[str, dict[str, CountOrZero]]
    labelled_utterances: Count
