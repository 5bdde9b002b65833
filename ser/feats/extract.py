"""Stage 1: the features of a data directory, in its own order, by several processes."""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ser.base.errors import SerError
from ser.base.files import read_json, write_json
from ser.base.log import logger
from ser.base.process import end_with_parent
from ser.base.record import Record, sole_run
from ser.config.schema import FbankConfig
from ser.feats.fbank import Fbank
from ser.kaldi.ark import ArkWriter, Matrix
from ser.kaldi.audio import read_audio
from ser.kaldi.data_dir import read_data_dir, require_data_dir, write_data_dir

Item = tuple[str, str]
AHEAD = 256  # utterances that may wait for their turn


def extract_features(data_path: Path, out: Path, config: FbankConfig, num_processes: int) -> None:
    """Writes ``feats.ark``, ``feats.scp`` and ``utt2num_frames`` beside the tables of ``data``.

    A killed run goes on where it stood; a finished one returns at once.

    Args:
        data_path: Data directory of stage 0.
        out: Folder to write.
        config: The features.
        num_processes: Processes that read and transform; 1 is this one.

    Raises:
        SerError: Audio is missing, unreadable, empty or not finite.
    """
    inputs = {str(data_path): require_data_dir(data_path)}
    record = Record(out, 1, config.model_dump(), inputs)
    with sole_run(out):
        if record.is_finished():
            logger.info("%s: finished already, with the same inputs", out)
            return
        _start_or_resume(record)
        data = read_data_dir(data_path)
        with ArkWriter(out, config.storage) as writer:
            items = [item for item in data["wav.scp"].items() if item[0] not in writer.num_frames]
            progress = tqdm(
                _matrices(items, config, num_processes),
                total=len(data.utts),
                initial=len(data.utts) - len(items),
                desc=str(out),
                unit="utt",
                disable=None,
            )
            for utt, feats in progress:
                writer.write(utt, feats)
            scp = writer.finish()
        num_frames = {utt: str(count) for utt, count in writer.num_frames.items()}
        tables = {**data.tables, "utt2num_frames": num_frames, "feats.scp": scp}
        write_data_dir(out, tables)
        hours = sum(map(float, data["utt2dur"].values())) / 3600
        logger.info("%s: %s utterances, %.2f h", out, len(scp), hours)
        record.finish(num_utts=len(scp), hours=round(hours, 3))


def _start_or_resume(record: Record) -> None:
    """Clears what another run left: only a partial archive of the same inputs goes on."""
    (record.folder / "run.json").unlink(missing_ok=True)
    started = record.folder / "started.json"
    if not (started.exists() and read_json(started)["identity"] == record.identity):
        for partial in record.folder.glob(".feats.*.partial"):
            partial.unlink()
        record.folder.mkdir(parents=True, exist_ok=True)
        write_json(started, {"identity": record.identity})


def _matrices(
    items: list[Item], config: FbankConfig, num_processes: int
) -> Iterator[tuple[str, Matrix]]:
    """Features of (utterance, audio file) pairs, in their order; few wait in memory."""
    if num_processes == 1:
        yield from (_extract(item, config) for item in items)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_processes, context, initializer=_start_worker) as pool:
        remaining = iter(items)
        waiting = deque(pool.submit(_extract, i, config) for i in islice(remaining, AHEAD))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(_extract, i, config) for i in islice(remaining, 1))
        except BrokenProcessPool as error:
            raise SerError(
                "--nj: a process of feature extraction was killed; expected it to finish (is the "
                "memory full?); rerun the stage with fewer processes"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    end_with_parent()
    torch.set_num_threads(1)


@cache
def _fbank(config: FbankConfig) -> Fbank:
    return Fbank(config)


def _extract(item: Item, config: FbankConfig) -> tuple[str, Matrix]:
    utt, wav = item
    samples = read_audio(Path(wav), utt, config.sample_rate_hz)
    return utt, np.asarray(_fbank(config)(torch.from_numpy(samples)).numpy())
