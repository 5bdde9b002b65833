"""SentencePiece BPE as the recogniser's subword units; id 0 is CTC's blank."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import sentencepiece

from ser.base.errors import SerError, naming
from ser.base.files import parsing, read_bytes
from ser.base.log import logger
from ser.base.record import Record
from ser.base.writing import atomic_folder
from ser.config.schema import BpeConfig

MAX_MODEL_BYTES = 64 << 20  # of a hundred thousand pieces, with room
UNKNOWN_ID = 1  # the unknown piece, SentencePiece's own id 0
MAX_UNKNOWN_PROB = 0.2  # of the tokens: some foreign letters are borne, another script is not
WITHOUT_CTC = (
    "leave the systems with a CTC head out (--systems), or pre-train on speech in this script"
)
MAX_PIECE_CHARS = 16  # SentencePiece's; the mark of a word's beginning is one of them


def train_bpe(transcripts: Iterable[str], config: BpeConfig, where: Path) -> bytes:
    """Trains a BPE model of exactly ``config.num_pieces`` pieces.

    Args:
        transcripts: Normalised transcripts; empty ones are passed over.
        config: Number of pieces and character coverage.
        where: The file of the transcripts, for messages.

    Returns:
        The serialised SentencePiece model.

    Raises:
        SerError: There is no text, or too little for that many pieces; the message gives the
            largest number that works.
    """
    lines = [line for line in transcripts if line]
    if not lines:
        raise SerError(f"{where}: no words in it; BPE needs transcripts; check the corpus")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            model_type="bpe",
            vocab_size=config.num_pieces,
            character_coverage=config.character_coverage,
            normalization_rule_name="identity",  # ser.text.normalise has done it
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            max_sentence_length=1 << 20,
            minloglevel=2,
        )
    except RuntimeError as error:
        message = str(error)
        largest = re.search(r"to a value <= (\d+)", message)
        smallest = re.search(r"required_chars\. \d+ vs (\d+)", message)
        if largest:
            limit = f"is more than the {len(lines)} transcripts give; expected at most {largest[1]}"
        elif smallest:
            limit = f"is less than the characters of the text; expected at least {smallest[1]}"
        else:
            limit = f"failed in SentencePiece ({message.strip()}); expected trainable text"
        raise SerError(
            f"{where}: bpe.yaml num_pieces {config.num_pieces} {limit}; change conf/bpe.yaml"
        ) from error
    return model.getvalue()


def check_num_pieces(transcripts: Iterable[str], config: BpeConfig, where: Path) -> None:
    """Checks that a text is enough for the number of pieces.

    BPE can make each short word a piece, so that a text with as many different ones needs no
    trial; one with fewer is tried, which is quick.

    Raises:
        SerError: As for ``train_bpe``.
    """
    lines = list(transcripts)
    words = {word for line in lines for word in line.split()}
    num_short = sum(len(word) < MAX_PIECE_CHARS for word in words)
    num_chars = len(set().union(*words)) + 2  # with the mark and the unknown piece
    if not num_chars <= config.num_pieces <= num_short:
        train_bpe(lines, config, where)


class Tokenizer:
    """Transcripts to CTC targets and back. Id 0 is the blank; a SentencePiece id p is p + 1.

    Attributes:
        vocab_size: V, pieces and blank.
        model: The bytes of ``bpe.model``.
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        self._pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.vocab_size = int(self._pieces.vocab_size()) + 1

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Reads ``bpe.model``.

        Raises:
            SerError: The file is missing or is no SentencePiece model.
        """
        if not path.is_file():
            raise SerError(f"{path}: no such file; expected the BPE model of stage 2; run stage 2")
        return cls.read(read_bytes(path, MAX_MODEL_BYTES), path, "rerun stage 2")

    @classmethod
    def read(cls, model: bytes, where: Path, remedy: str) -> "Tokenizer":
        """From the bytes of a file.

        Raises:
            SerError: They are no SentencePiece model.
        """
        if not model:  # which SentencePiece takes without a word
            raise SerError(f"{where}: 0 bytes; expected a SentencePiece model; {remedy}")
        with parsing(where, "not a SentencePiece model", remedy):
            return cls(model)

    def encode(self, transcript: str) -> list[int]:
        """Token ids in [1, V)."""
        return [piece + 1 for piece in self._pieces.encode(transcript)]

    def encode_all(
        self, transcripts: Mapping[str, str], where: Path, remedy: str = WITHOUT_CTC
    ) -> dict[str, list[int]]:
        """The tokens of every utterance; unknown ones are logged.

        Args:
            transcripts: By utterance.
            where: Their file, for messages.
            remedy: For the error.

        Raises:
            SerError: Too many tokens are unknown to the recogniser's BPE: it is of another script.
        """
        tokens = {utt: self.encode(text) for utt, text in transcripts.items()}
        num_tokens = sum(map(len, tokens.values()))
        num_unknown = sum(own.count(UNKNOWN_ID) for own in tokens.values())
        if not num_unknown:
            return tokens
        utt = next(utt for utt, own in tokens.items() if UNKNOWN_ID in own)
        said = (
            f"{where}: {num_unknown} of {num_tokens} tokens are unknown to the recogniser's BPE, "
            f"the first in {utt}"
        )
        if num_unknown / num_tokens > MAX_UNKNOWN_PROB:
            raise SerError(f"{said}; expected a share of at most {MAX_UNKNOWN_PROB}; {remedy}")
        logger.warning("%s; they all become one token", said)
        return tokens

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """The piece of each token; one that begins a word begins with a space."""
        names = [str(self._pieces.id_to_piece(token - 1)) for token in tokens]
        return [name.replace("\u2581", " ") for name in names]

    def decode(self, tokens: Sequence[int]) -> str:
        """The words of token ids, among which is no CTC blank."""
        return str(self._pieces.decode([token - 1 for token in tokens]))


def write_bpe(record: Record, transcripts: Iterable[str], config: BpeConfig, where: Path) -> None:
    """Stage 2: trains the model into the record's folder, unless it is there already.

    Raises:
        SerError: As for ``train_bpe``.
    """
    if record.is_finished():
        logger.info("%s: finished already, with the same inputs", record.folder)
        return
    model = train_bpe(transcripts, config, where)
    with atomic_folder(record.folder, stage=record.stage) as folder:
        with naming(record.folder / "bpe.model"):
            (folder / "bpe.model").write_bytes(model)
        replace(record, folder=folder).finish(num_pieces=config.num_pieces)
    logger.info("%s: %s pieces", record.folder, config.num_pieces)
