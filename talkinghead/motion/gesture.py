"""Speech and emotion -> what head, brows, eyes and lids do by themselves: sampled, by a seed, from a small diffusion model.

The model makes a few seconds at a time and goes on from what it did before, so a performance has any length, and no memory
beyond it is needed. Knows curves; what becomes of them on a face is `gesture_face`'s. Sources: Lipman et al., "Flow Matching
for Generative Modeling", 2023; Busso et al., "Rigid head motion in expressive speech animation", 2007 (heads move more in anger
and joy; how much more is set here by hand, for no training clip says what its talker felt).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from talkinghead.motion.gesture_blinks import BlinkHabits
from talkinghead.motion.gesture_dataset import CHANNELS, lasting_effort, voice_curves
from talkinghead.motion.gesture_denoiser import FoldedDenoiser, GestureDenoiser
from talkinghead.motion.smoothing import SlowNoise, moving_average
from talkinghead.types import EMOTIONS, EmotionTrack, FloatArray, SpeechFeatures

KNOWN_TOKENS: Final = 6
"""How much of what it did before the model is told: a second."""
STEPS: Final = 6
JOIN_FRAMES: Final = 10
CHAIN_WINDOWS: Final = 8
MAX_CHAINS: Final = 32
"""Windows one after the other (16 s), and how many such chains are made side by side: memory does not grow beyond that."""
ACCENT: Final = 0.09
ACCENTED: Final = [CHANNELS.index("browInnerUp"), CHANNELS.index("browOuterUp")]
"""Brows rise with accents of the voice, by so much on a strong one. Set by hand: in the tracked clips it drowns in what brows
do besides. Source: Cavé et al., "About the relationship between eyebrow movements and F0 variations", 1996."""
RESPONSE: Final = 0.25
"""How much of a change in liveliness that it is told the model's head makes its own (of log speed, measured): what vocal effort
does to the head is told it so much more loudly."""
_PERSON: Final = (0.4, 0.2, 0.2)
_MOOD_S: Final = 3.0
_MAX_DEVIATIONS: Final = 5.0

LIVELINESS_OF: Final[dict[str, tuple[float, float, float]]] = {
    "angry": (0.7, 0.3, 0.0),
    "contempt": (-0.2, 0.0, 0.1),
    "disgusted": (0.2, 0.2, 0.1),
    "fear": (0.3, 0.3, 0.3),
    "happy": (0.7, 0.25, 0.1),
    "neutral": (0.0, 0.0, 0.0),
    "sad": (-0.5, -0.1, 0.1),
    "surprised": (0.4, 0.35, 0.1),
}
"""What an emotion at full strength adds to the liveliness of head, brows and gaze."""


@dataclass(frozen=True, eq=False)
class GestureModel:
    """The denoiser and its scheduler: SpeechFeatures and EmotionTrack -> (T, 12) curves as `CHANNELS`."""

    denoiser: GestureDenoiser
    steps: int = STEPS

    @staticmethod
    def from_pretrained(folder: Path | str) -> GestureModel:
        """Load `config.json` and `diffusion_pytorch_model.safetensors`.

        Raises:
            CheckpointError: a file is missing or is not what it should be.
        """
        return GestureModel(GestureDenoiser.load(Path(folder)))

    @property
    def habits(self) -> BlinkHabits:
        """How the talkers of the training clips blinked."""
        config = self.denoiser.config
        return BlinkHabits(config.blinks_per_minute, config.closing_s, config.opening_s)

    @property
    def scale(self) -> FloatArray:
        """(12,) the usual deviation of each channel within seconds."""
        return np.array(self.denoiser.config.scale, np.float32)

    def __call__(self, features: SpeechFeatures, emotion: EmotionTrack, seed: int) -> FloatArray:
        """(T, 12) curves about rest, in rad, m and coefficients; the seed is also the person, livelier or calmer."""
        voice = voice_curves(features.loudness)
        curves = self.sample(voice, self.liveliness(voice, emotion, seed), seed)
        curves[:, ACCENTED] += ACCENT * accents(voice)[:, None]
        return curves

    def liveliness(
        self, voice: FloatArray, emotion: EmotionTrack, seed: int, wandering: FloatArray | None = None
    ) -> FloatArray:
        """voice: (T, 3) -> (T, 3): the person's own, the emotion's, for the head vocal effort's, and what comes and goes.

        wandering: (T, 1) the last of these as `moods` makes it; None from the seed's first frame on.
        """
        config = self.denoiser.config
        lively = emotion.activation.mean(1) @ np.array([LIVELINESS_OF[name] for name in EMOTIONS], np.float32)
        lively += np.random.default_rng([seed, 5]).normal(0, _PERSON)
        wandering = moods(seed)(len(voice)) if wandering is None else wandering
        lively[:, 0] += config.effort_slope / RESPONSE * (lasting_effort(voice) - config.usual_effort)
        lively[:, 0] += config.unexplained * np.clip(wandering[:, 0], -2, 2)
        result: FloatArray = lively.astype(np.float32)
        return result

    def sample(self, voice: FloatArray, lively: FloatArray, seed: int) -> FloatArray:
        """voice: (T, 3), lively: (T, 3) -> (T, 12) curves.

        Within a chain of windows each goes on from the last second of the one before. Chains are made side by side, for a
        network as small as this is several times faster so, and fade into each other over a second.
        """
        window, known = self.denoiser.config.window_frames, KNOWN_TOKENS * self.denoiser.token_frames
        chain = window + (CHAIN_WINDOWS - 1) * (window - known)
        num_frames = len(voice)
        starts = np.arange(0, max(1, num_frames - known), chain - known)
        fade = np.linspace(0, 1, known + 2, dtype=np.float32)[1:-1, None]
        fade = fade * fade * (3 - 2 * fade)
        curves = np.empty((num_frames, len(CHANNELS)), np.float32)
        for first in range(0, len(starts), MAX_CHAINS):
            side_by_side = starts[first : first + MAX_CHAINS]
            frames = side_by_side[:, None] + np.arange(min(chain, max(window, num_frames - side_by_side[0])))
            randoms = [np.random.default_rng([seed, 6, first + index]) for index in range(len(side_by_side))]
            held = np.minimum(frames, num_frames - 1)
            for start, made in zip(side_by_side, self._chains(voice[held], lively[held], randoms), strict=True):
                both = min(known, num_frames - start) if start else 0
                before = curves[start : start + both].copy()
                stop = min(start + len(made), num_frames)
                curves[start:stop] = made[: stop - start]
                curves[start : start + both] = before + fade[:both] * (made[:both] - before)
        result: FloatArray = curves * self.scale
        return result

    def _chains(self, voice: FloatArray, lively: FloatArray, randoms: list[np.random.Generator]) -> FloatArray:
        """voice: (B, T, 3), lively: (B, T, 3), T at least a window -> (B, T, 12) in usual deviations, a window at a time."""
        token, window = self.denoiser.token_frames, self.denoiser.config.window_frames
        num_chains, num_frames = voice.shape[:2]
        known = KNOWN_TOKENS * token
        curves = np.empty((num_chains, num_frames, len(CHANNELS)), np.float32)
        start, last = 0, np.zeros((num_chains, 0, len(CHANNELS)), np.float32)
        while True:
            frames = np.minimum(np.arange(start, start + window), num_frames - 1)
            noise = np.stack([random.standard_normal((window, len(CHANNELS)), np.float32) for random in randoms])
            made = self.window(noise, last, voice[:, frames], lively[:, frames[::token]])
            if start:
                made[:, known:] += joined(last, made[:, known:])
            stop = min(start + window, num_frames)
            curves[:, start + last.shape[1] : stop] = made[:, last.shape[1] : stop - start]
            if stop == num_frames:
                return curves
            last, start = made[:, window - known :].copy(), start + window - known

    @torch.inference_mode()
    def window(self, noise: FloatArray, last: FloatArray, voice: FloatArray, lively: FloatArray) -> FloatArray:
        """noise: (B, W, 12), last: (B, K, 12) what came before -> (B, W, 12) in usual deviations; the first K mean nothing."""
        frames = slice(0, last.shape[1])
        known = torch.zeros(lively.shape[:2])
        known[:, : last.shape[1] // self.denoiser.token_frames] = 1
        past = torch.zeros(noise.shape)
        past[:, frames] = torch.from_numpy(last)
        fresh, heard, mood = (torch.from_numpy(np.ascontiguousarray(x)) for x in (noise, voice, lively))
        velocity, sigmas = self._sampler
        context = velocity.context(past, known, heard, mood)
        sample = fresh.clone()
        for step, (sigma, following) in enumerate(pairwise(sigmas)):
            # What is known is as noisy as the rest, as it was in training.
            sample[:, frames] = (1 - sigma) * past[:, frames] + sigma * fresh[:, frames]
            sample.add_(velocity(sample, step, context), alpha=following - sigma)
        made: FloatArray = sample.clamp(-_MAX_DEVIATIONS, _MAX_DEVIATIONS).numpy()
        return made

    @cached_property
    def _sampler(self) -> tuple[FoldedDenoiser, list[float]]:
        """The denoiser made ready for the scheduler's shares of noise, and these: one more than steps, the last is 0."""
        scheduler = FlowMatchEulerDiscreteScheduler()
        scheduler.set_timesteps(self.steps)
        return FoldedDenoiser(self.denoiser, scheduler.sigmas[:-1].float()), scheduler.sigmas.tolist()


def joined(last: FloatArray, made: FloatArray) -> FloatArray:
    """last: (B, K, 12), made: (B, N, 12) that follows -> (B, N, 12) what to add at first: neither value nor pace jumps."""
    frames = np.arange(made.shape[1], dtype=np.float32)[:, None]
    fading = np.clip(1 - frames / JOIN_FRAMES, 0, 1)
    gap = 2 * last[:, -1:] - last[:, -2:-1] - made[:, :1]
    joining: FloatArray = (gap * fading * fading * (3 - 2 * fading)).astype(np.float32)
    return joining


def moods(seed: int) -> SlowNoise:
    """What makes the next (T, 1) of how the head's liveliness comes and goes."""
    return SlowNoise(1, _MOOD_S, np.random.default_rng([seed, 8]))


def accents(voice: FloatArray) -> FloatArray:
    """voice: (T, 3) -> (T,) 0 to about 1 on syllables that are louder than their surroundings."""
    effort = voice[:, 0]
    above = np.maximum(moving_average(effort, 0.12) - moving_average(effort, 1.0), 0)
    return moving_average(np.clip(2.5 * above, 0, 1.5).astype(np.float32), 0.12)
