"""Videos of one person speaking -> their speaking style: tracked, heard, fitted, learnt.

Knows files and the order of the stages; how a style is learnt is `motion.adaptation`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from talkinghead.audio.speech_encoder import loudness_dbfs
from talkinghead.audio.waveform import load_audio
from talkinghead.errors import StyleError
from talkinghead.motion.adaptation import MAX_S, MIN_S, check_heard, learn_style
from talkinghead.motion.dataset import SpeechClip
from talkinghead.motion.style import SpeakingStyle
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.fitting import fit_motion
from talkinghead.tracking import tracked_video
from talkinghead.types import FPS, SAMPLES_PER_FRAME, Audio, FloatArray, SpeechFeatures


def adapt(head: TalkingHead, videos: Sequence[Path | str], say: Callable[[str], None] = lambda _: None) -> SpeakingStyle:
    """Videos of one person who is seen and heard -> their style, for `style=` of `TalkingHead`.

    Args:
        head: whose articulator is adapted; it stays as it is.
        videos: `MIN_S` to `MAX_S` in all; what comes after `MAX_S` is not looked at.
        say: hears what is being done.

    Raises:
        AudioError, VideoError: one cannot be read, has no sound, or shows a face in too little of its length.
        StyleError: too short, silent, or lips that do not follow the sound.
    """
    paths = [Path(video) for video in videos]
    sounds = [load_audio(path) for path in paths]
    if (total_s := sum(sound.duration_s for sound in sounds)) < MIN_S:
        names = ", ".join(map(str, paths))
        raise StyleError(f"{names}: {total_s:.1f} s, at least {MIN_S:g} s of one person speaking are wanted.")
    for path, sound in zip(paths, sounds, strict=True):
        check_heard(str(path), loudness_dbfs(sound.samples[: len(sound.samples) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME]))
    clips: list[SpeechClip] = []
    left = round(MAX_S * FPS)
    for path, sound in zip(paths, sounds, strict=True):
        if left > 1:
            say(f"tracking {path.name}")
            clips.append(speech_clip(head, str(path), sound, *tracked_video(head.tracker, path, left)))
            left -= len(clips[-1])
    say("learning the style")
    return learn_style(clips, head.motion.articulator, head.motion.gestures)


def speech_clip(
    head: TalkingHead, name: str, sound: Audio, points: FloatArray, scores: FloatArray, seen: FloatArray
) -> SpeechClip:
    """A clip's sound and what `TalkingHead.tracked` saw in it -> both in as many frames, with content and motion."""
    features = head.heard(Audio(sound.samples[: len(seen) * SAMPLES_PER_FRAME]))
    frames = slice(min(len(features), len(seen)))
    points, seen = points[frames], seen[frames]
    motion, _ = fit_motion(points, scores[frames], head.rig, seen)
    heard = SpeechFeatures(features.content[frames], features.loudness[frames])
    return SpeechClip(name, "", "", False, heard, motion, points, seen)
