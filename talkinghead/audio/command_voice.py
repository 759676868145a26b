"""Any program that writes a sound file as a `Speaker`: `espeak-ng -w {output} {text}`, `say -o {output} {text}`.

Word times come by alignment; pace, pitch and melody by the vocoder. Knows command lines; the program is the user's.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.audio.alignment import align
from talkinghead.audio.espeak_voice import USUAL_RATE
from talkinghead.audio.prosody import Prosody, louder, new_time, reshape, stressed_gain
from talkinghead.audio.speaker import Utterance
from talkinghead.audio.voice import DEFAULT_VOICE, Phoneme
from talkinghead.audio.waveform import load_audio
from talkinghead.errors import AudioError
from talkinghead.types import SAMPLE_RATE

TIMEOUT_S: Final = 300


@dataclass(frozen=True)
class CommandSpeaker:
    """template: a command line with {text} and {output}, and {rate} if it takes words a minute. language: of its words."""

    template: str
    language: str = DEFAULT_VOICE

    def say(self, words: Sequence[str], stressed: Collection[int], prosody: Prosody) -> Utterance:
        """As `Speaker.say`; the program is run without a shell.

        Raises:
            AudioError: it is not there, fails, takes too long, or writes no sound.
            DependencyError: the prosody needs the vocoder, which is not installed.
        """
        has_rate = "{rate}" in self.template
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "speech.wav"
            values = {"text": " ".join(words), "output": str(output), "rate": str(round(USUAL_RATE * prosody.rate))}
            self._run([part.format(**values) for part in shlex.split(self.template)])
            if not output.is_file():
                raise AudioError(f"voice: {self._program!r} wrote no {{output}}; try the command by itself.")
            audio = load_audio(output)
        return reshaped(align(audio, words, self.language), stressed, replace(prosody, rate=1.0) if has_rate else prosody)

    @property
    def _program(self) -> str:
        return shlex.split(self.template)[0]

    def _run(self, command: list[str]) -> None:
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
        except OSError as error:
            raise AudioError(
                f"voice: {command[0]!r} cannot be started ({error.strerror}); install it, or name another."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise AudioError(f"voice: {command[0]!r} took more than {TIMEOUT_S} s; try the command by itself.") from error
        if done.returncode:
            said = " ".join(done.stderr.decode("utf8", "replace").split())[-160:]
            raise AudioError(f"voice: {command[0]!r} failed with status {done.returncode} ({said}); try the command by itself.")


def reshaped(spoken: Utterance, stressed: Collection[int], prosody: Prosody) -> Utterance:
    """What any voice said -> said so, its silences at both ends cut off."""
    begin_s, end_s = max(0.0, spoken.words[0][0] - 0.02), spoken.words[-1][1] + 0.03
    part = spoken.samples[int(begin_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
    marked = [(spoken.words[index][0] - begin_s, spoken.words[index][1] - begin_s) for index in sorted(stressed)]
    samples, times = reshape(part, prosody, marked)

    def now(time_s: float) -> float:
        return new_time(times, time_s - begin_s)

    words = tuple((now(a), now(b)) for a, b in spoken.words)
    phonemes = tuple(Phoneme(p.symbol, now(p.start_s), now(p.end_s)) for p in spoken.phonemes if p.end_s > begin_s)
    gain = stressed_gain(len(samples), [words[index] for index in sorted(stressed)])
    return Utterance(np.clip(louder(samples, prosody) * gain, -1, 1).astype(np.float32), phonemes, words)
