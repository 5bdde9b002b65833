"""``conf/cross.yaml``: corpora that are trained and tested on together."""

from pydantic import Field

from ser.config.section import Section


class CrossConfig(Section):
    """The data directory of each corpus by a name of its own, relative to the recipe.

    ``conf/labels.yaml`` beside it maps the labels of all of them, and the protocol's ``parts``
    name those that train and those that are tested.
    """

    corpora: dict[str, str] = Field(min_length=2)
