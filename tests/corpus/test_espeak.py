"""Each utterance is spoken as if it were the first."""

import numpy as np
import pytest

from ser.corpus.synthetic.corpus import READ_VOICES
from ser.corpus.synthetic.espeak import SAMPLE_RATE_HZ, Prosody, speak
from ser.corpus.synthetic.iemocap import ACTORS

NEUTRAL = Prosody(rate_wpm=175, volume=70, pitch=50, pitch_range=50)
READERS = [voice for voices in READ_VOICES.values() for voice in voices]


@pytest.mark.parametrize("voice", [*(actor.voice for actor in ACTORS.values()), *READERS])
def test_what_was_said_before_does_not_change_the_samples(voice: str) -> None:
    alone = speak("it was happy and sad", voice, NEUTRAL)
    speak("they keep her here", "grandma", NEUTRAL)
    assert np.array_equal(alone, speak("it was happy and sad", voice, NEUTRAL))


def test_unknown_voice_is_an_error() -> None:
    with pytest.raises(ValueError, match="voice nobody"):
        speak("hello", "nobody", NEUTRAL)


def test_silence_at_both_ends_is_cut() -> None:
    samples = speak("now", "f1", NEUTRAL)
    assert 0.1 < len(samples) / SAMPLE_RATE_HZ < 0.6
    assert np.abs(samples[:400]).max() > 100
    assert np.abs(samples[-400:]).max() > 32
