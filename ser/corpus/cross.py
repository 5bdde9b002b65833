"""Several prepared corpora as one: whose speakers are whose stays apart."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from ser.base.errors import Faults
from ser.config.section import Section
from ser.corpus.utterance import EmotionCorpus, EmotionUtterance
from ser.kaldi.data_dir import read_data_dir

PLACES = {"utt2scene", "utt2dialogue"}  # each of one corpus
OWN = {"utt2spk", "utt2dur", "utt2emo", "utt2emo_raw", "utt2session", "utt2orig"}


class CrossConfig(Section):
    """``conf/cross.yaml``: each corpus's data directory, relative to the recipe, by its name.

    ``conf/labels.yaml`` beside it maps the labels of all of them, and the protocol's ``parts``
    name those that train and those that are tested.
    """

    corpora: dict[str, str] = Field(min_length=2)


def read_corpora(folders: Mapping[str, Path]) -> EmotionCorpus:
    """The utterances of data directories of stage 0, with ``utt2corpus``.

    Ids, speakers, sessions and scenes get the corpus's name in front; labels are those of the
    corpus, not the classes that its own recipe made of them. Labels that a recipe leaves out are
    not there.

    Args:
        folders: Data directories by the name of their corpus.

    Raises:
        SerError: A folder is no data directory, a recording is in two of them, or names of corpora
            would make speakers of two of them one.
    """
    faults = Faults()
    utterances = []
    corpus_of: dict[str, str] = {}
    first_with: dict[str, str] = {}  # the corpus of each speaker and session
    for corpus, folder in folders.items():
        data = read_data_dir(folder)
        gender_of = data.tables.get("spk2gender", {})
        more = [n for n in data.tables if n.startswith("utt2") and n not in OWN]
        for name in {*data["utt2spk"].values(), *data["utt2session"].values()}:
            if (first := first_with.setdefault(f"{corpus}_{name}", corpus)) != corpus:
                faults.add(
                    f"conf/cross.yaml: {corpus}_{name} would be a speaker or session of {first} "
                    f"and of {corpus}; expected names that keep them apart; rename one of the "
                    "corpora"
                )
        for wav in data["wav.scp"].values():
            first = corpus_of.setdefault(str(Path(wav).resolve()), corpus)
            if first != corpus:
                faults.add(
                    f"{folder}: holds {wav}, as does the corpus {first}; expected each recording "
                    "once, since one may train and the other be tested; correct conf/cross.yaml"
                )
        utterances += [
            EmotionUtterance(
                utt=f"{corpus}_{utt}",
                utt_orig=data["utt2orig"][utt],
                spk=f"{corpus}_{spk}",
                gender=gender_of.get(spk, ""),
                session=f"{corpus}_{data['utt2session'][utt]}",
                label=data["utt2emo_raw"][utt],
                wav=Path(data["wav.scp"][utt]),
                transcript=data["text"][utt],
                attributes={
                    **{n: data[n][utt] for n in more},
                    **{n: f"{corpus}_{data[n][utt]}" for n in more if n in PLACES and data[n][utt]},
                    "utt2corpus": corpus,
                },
            )
            for utt, spk in data["utt2spk"].items()
        ]
    faults.raise_any()
    return EmotionCorpus(utterances)
