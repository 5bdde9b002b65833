"""``conf/baselines/<name>.yaml``: baselines without a network of their own, which stage 5 makes."""

from typing import Annotated, Literal

from pydantic import Field

from ser.config.section import Positive, Section, SpeakerPrior


class WordsConfig(Section):
    """``conf/baselines/<name>.yaml`` of a classifier that reads another system's transcripts.

    TF-IDF and logistic regression on the words of that system's CTC head.
    """

    words_of: str


class VectorsConfig(Section):
    """What linear classifiers of a vector an utterance have: costs to choose from.

    The vectors are standardised on the training part. The cost is that of the best UA on training
    speakers held out in turn, in so many divisions. ``speaker_prior`` is that of a readout.
    """

    costs: Annotated[list[Positive], Field(min_length=1, max_length=100)]
    num_cost_folds: Annotated[int, Field(ge=2, le=100)]
    speaker_prior: SpeakerPrior = None


class FunctionalsConfig(VectorsConfig):
    """``conf/baselines/<name>.yaml`` of a comparison without a network.

    Functionals of a whole utterance by opensmile, and a linear support vector machine.
    """

    functionals: Literal["eGeMAPSv02", "ComParE_2016"]


class ProbeConfig(VectorsConfig):
    """``conf/baselines/<name>.yaml`` of what an encoder knows as it is, without any training of it.

    Mean and standard deviation of each layer over the frames, and logistic regression.
    ``least_loudness`` is that of a readout.
    """

    probe_of: str
    least_loudness: Annotated[float, Field(ge=0, lt=1)] = 0.0
