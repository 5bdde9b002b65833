"""Stage 1: the features of a data directory, in its own order, by several processes."""

import multiprocessing
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ser.audio.quality import why_no_speech
from ser.audio.reading import INT16_SCALE, read_audio
from ser.audio.truncation import LOST_SECONDS
from ser.base.errors import SerError, first_few
from ser.base.files import parsing, read_json_as, read_text
from ser.base.log import logger
from ser.base.process import end_with_parent
from ser.base.record import Record, Stage, Started, rerun_hint
from ser.base.writing import require_written_by, sole_run, write_json, write_text
from ser.config.features import FeaturesConfig
from ser.feats.definitions import Extractor, make_extractor
from ser.feats.speed_copies import speed_tables
from ser.kaldi.ark import ArkWriter, encode
from ser.kaldi.data_dir import is_table, read_data_dir, require_data_dir, write_data_dir

Item = tuple[str, str, str]  # utterance, audio file, its seconds by stage 0
# Utterance, frames, the matrix as it stands in the archive, why it cannot be speech.
Encoded = tuple[str, int, bytes, str | None]
CHUNK_UTTS = 8  # utterances that a process takes at a time
CHUNKS_AHEAD = 4  # for each process, so that none waits for another


def extract_features(
    data_path: Path,
    out: Path,
    config: FeaturesConfig,
    num_processes: int,
    speed_factor: float = 1.0,
) -> None:
    """Writes ``feats.ark``, ``feats.scp`` and ``utt2num_frames`` beside the tables of ``data``.

    A killed run goes on where it stood; a finished one returns at once.

    Args:
        data_path: Data directory of stage 0.
        out: Folder to write.
        config: The features.
        num_processes: Processes that read and transform; 1 is this one.
        speed_factor: Other than 1 for a copy at this speed, with ids of its own.

    Raises:
        SerError: Audio is missing, unreadable, cut, empty or as long as ``utt2dur`` does not say,
            or it or its features are not finite.
    """
    inputs = {str(data_path): require_data_dir(data_path)}
    settings = config.model_dump()
    if speed_factor != 1.0:
        settings["speed_factor"] = speed_factor
    record = Record(out, Stage.FEATURES, settings, inputs)
    with sole_run(out):
        if record.is_finished():
            logger.info("%s: finished already, with the same inputs", out)
            return
        start_or_resume(record)
        data = read_data_dir(data_path)
        tables = speed_tables(data.tables, speed_factor) if speed_factor != 1.0 else data.tables
        wavs = tables["wav.scp"]
        flagged = out / ".feats.flagged.partial"  # of a killed run too
        with ArkWriter(out, config.storage) as writer:
            seconds = tables["utt2dur"]
            items = [(u, w, seconds[u]) for u, w in wavs.items() if u not in writer.num_frames]
            progress = tqdm(
                _extract_all(items, config, speed_factor, num_processes),
                total=len(wavs),
                initial=len(wavs) - len(items),
                desc=str(out),
                unit="utt",
                disable=None,
            )
            with threadpool_limits(1):  # the processes share out the cores
                for utt, count, encoded, flag in progress:
                    writer.append(utt, count, encoded)
                    if flag:
                        with flagged.open("a", encoding="utf-8") as stream:
                            stream.write(f"{utt}\t{flag}\n")
            scp = writer.finish()
        num_frames = {utt: str(count) for utt, count in writer.num_frames.items()}
        write_data_dir(out, {**tables, "utt2num_frames": num_frames, "feats.scp": scp})
        _tell_no_speech(flagged, out / "no_speech.tsv", len(scp))
        hours = sum(map(float, tables["utt2dur"].values())) / 3600
        logger.info("%s: %s utterances, %.2f h", out, len(scp), hours)
        record.finish(num_utts=len(scp), hours=round(hours, 3))


def _tell_no_speech(flagged: Path, listed: Path, num_utts: int) -> None:
    """Lists what cannot be speech, and says how much it is."""
    lines = read_text(flagged).splitlines() if flagged.exists() else []
    with parsing(flagged, "not lines of utterance<TAB>reason", "remove the file"):
        reasons = dict(line.split("\t", 1) for line in lines)
    listed.unlink(missing_ok=True)
    if reasons:
        counts = ", ".join(f"{n} {why}" for why, n in sorted(Counter(reasons.values()).items()))
        if len(reasons) == num_utts:
            raise SerError(
                f"{listed.parent}: none of {num_utts} utterances can be speech ({counts}); look at "
                "them (floating point is within +-1), correct them, and rerun stage 0"
            )
        write_text(listed, "".join(f"{utt}\t{why}\n" for utt, why in reasons.items()))
        logger.warning(
            "%s: %s of %s utterances cannot be speech (%s), %s the first; look at them: "
            "they train and are tested as labelled",
            listed,
            len(reasons),
            num_utts,
            counts,
            next(iter(reasons)),
        )
    flagged.unlink(missing_ok=True)


def start_or_resume(record: Record) -> None:
    """Clears what another run left: only a partial archive of the same inputs goes on.

    Raises:
        SerError: Another stage wrote the folder, or somebody else.
    """
    folder = record.folder
    folder.mkdir(parents=True, exist_ok=True)
    started = folder / "started.json"
    if (folder / "run.json").exists():
        require_written_by(folder, record.stage)
    elif not started.exists() and (
        tables := sorted(path.name for path in folder.iterdir() if is_table(path.name))
    ):
        raise SerError(
            f"{folder}: holds {first_few(tables)}, which no stage wrote and which would be lost; "
            "expected a new folder; name another (--out), or move these away"
        )
    same = started.exists() and (
        read_json_as(started, Started, "stage 1 first")["identity"] == record.identity
    )
    if not same:
        write_json(started, {"identity": ""})  # what is killed meanwhile is known as ours
    (folder / "run.json").unlink(missing_ok=True)
    if not same:
        for path in folder.iterdir():  # a table may have no successor
            if is_table(path.name) or path.match(".feats.*.partial"):
                path.unlink()
        write_json(started, {"identity": record.identity})


def _extract_all(
    items: Sequence[Item], config: FeaturesConfig, speed_factor: float, num_processes: int
) -> Iterator[Encoded]:
    """Features of some utterances, in their order; few wait in memory."""
    if num_processes == 1:
        yield from (_extract(item, config, speed_factor) for item in items)
        return
    chunks = (items[i : i + CHUNK_UTTS] for i in range(0, len(items), CHUNK_UTTS))
    # Forked, the processes need not import anything; nothing that they use has threads here.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(num_processes, context, initializer=_begin_worker) as pool:
        waiting = deque(
            pool.submit(_extract_chunk, chunk, config, speed_factor)
            for chunk in islice(chunks, CHUNKS_AHEAD * num_processes)
        )
        try:
            while waiting:
                yield from waiting.popleft().result()
                waiting.extend(
                    pool.submit(_extract_chunk, chunk, config, speed_factor)
                    for chunk in islice(chunks, 1)
                )
        except BrokenProcessPool as error:
            raise SerError(
                "--nj: a process of feature extraction was killed; expected it to finish (is the "
                "memory full?); rerun the stage with fewer processes"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Ctrl-C is for the parent: a worker that it ends may hold the lock of the others' queue."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _extract_chunk(
    chunk: Sequence[Item], config: FeaturesConfig, speed_factor: float
) -> list[Encoded]:
    return [_extract(item, config, speed_factor) for item in chunk]


@cache
def _extractor(config: FeaturesConfig) -> Extractor:
    return make_extractor(config)


def _extract(item: Item, config: FeaturesConfig, speed_factor: float) -> Encoded:
    utt, wav, seconds = item
    samples = read_audio(Path(wav), utt, config.sample_rate_hz, speed_factor)
    decoded = len(samples) / config.sample_rate_hz
    if abs(decoded - float(seconds)) > LOST_SECONDS:
        raise SerError(
            f"{wav}: {decoded:.2f} s decoded ({utt}); utt2dur says {seconds} s; expected the same "
            f"within {LOST_SECONDS} s: the file was changed or cut since; "
            f"run {rerun_hint(Stage.DATA)}"
        )
    with np.errstate(all="ignore"):  # an overflow is reported with its name
        feats = _extractor(config)(samples)
    if not np.isfinite(feats).all():
        raise SerError(
            f"{wav}: its features are not finite ({utt}; the largest sample is "
            f"{np.abs(samples).max() / INT16_SCALE:.3g} of full scale); expected samples of at "
            "most full scale; replace the file"
        )
    flag = why_no_speech(samples, config.sample_rate_hz)
    return utt, len(feats), encode(feats, config.storage), flag
