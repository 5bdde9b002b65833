"""What is a leak of speakers between the parts of a fold; stage 0 and the audit refuse it."""

from collections.abc import Mapping

from ser.base.errors import SerError
from ser.config.protocol import ProtocolConfig
from ser.corpus.fold_files import TRAIN, VALID
from ser.kaldi.data_dir import DataDir


def require_speakers_apart(
    data: DataDir, fold: str, parts: Mapping[str, str], protocol: ProtocolConfig
) -> None:
    """Nobody trains or validates and is tested.

    Training and validation may share speakers where validation is a random share. A protocol that
    says ``speaker_dependent`` is exempt.

    Raises:
        SerError: A speaker is on two sides.
    """
    if protocol.speaker_dependent:
        return
    same_side = {TRAIN: VALID} if protocol.validation == "random_share" else {}
    spoken: dict[str, str] = {}
    for utt, part in parts.items():
        spk, side = data["utt2spk"][utt], same_side.get(part, part)
        if spoken.setdefault(spk, side) != side:
            raise SerError(
                f"{data.path}: in fold {fold} the speaker {spk} is both in {spoken[spk]} and in "
                f"{part} ({utt}); expected speaker-disjoint parts; change the fold unit"
            )
