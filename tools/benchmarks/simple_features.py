"""Stage 1 as a simple loop: soundfile, torchaudio and kaldiio. The other side of a benchmark.

    python simple_features.py WAV_SCP ARK SCP

Reads ``utt file`` lines and writes a Kaldi archive and its list, in one process and one thread.
"""

import sys
from pathlib import Path

import kaldiio
import soundfile
import torch
import torchaudio

RATE_HZ = 16000
NUM_MEL_BINS = 80


def main() -> None:
    """Extracts the features of one list."""
    wav_scp, ark, scp = sys.argv[1:]
    torch.set_num_threads(1)
    with kaldiio.WriteHelper(f"ark,scp:{ark},{scp}") as writer:
        for line in Path(wav_scp).read_text().splitlines():
            utt, _, wav = line.partition(" ")
            samples, rate = soundfile.read(wav, dtype="float32", always_2d=True)
            mono = torch.from_numpy(samples).mean(dim=1)
            if rate != RATE_HZ:
                mono = torchaudio.functional.resample(mono, rate, RATE_HZ)
            feats = torchaudio.compliance.kaldi.fbank(
                mono[None] * 32768,
                sample_frequency=RATE_HZ,
                num_mel_bins=NUM_MEL_BINS,
                dither=0.0,
            )
            writer(utt, feats.numpy())


if __name__ == "__main__":
    main()
