"""Clips with sound and their tracked points -> speech features and fitted motion, for the articulator and the gestures.

    python scripts/prepare_speech.py ../shared/data --prepared data/prepared --features data/features --motion data/motion
    python scripts/prepare_speech.py ../shared/data --speech-encoder wavlm-base-plus   # features of your own network

Writes `<features>/<clip>.npz` (content, loudness) and `<motion>/<clip>.npz` (as `talkinghead track`). Resumable: what is
there is skipped, a clip cut off in the middle leaves no file. What was left out and why is in `<features>/report.json`.
Needs no extra.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from rich.progress import track as progress

from talkinghead.audio.hidden_unit_encoder import AnySpeechEncoder, load_speech_encoder
from talkinghead.audio.sound_variation import vary_voice
from talkinghead.audio.waveform import load_audio
from talkinghead.emotion.voices import EMODB_FRAMES
from talkinghead.errors import TalkingHeadError
from talkinghead.motion.io import save_motion
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import fit_motion
from talkinghead.training import read_manifest, save_arrays
from talkinghead.types import SAMPLES_PER_FRAME, Audio

UNUSABLE = (TalkingHeadError, OSError, EOFError, KeyError, ValueError, BadZipFile)
"""What a recording or a file of points that is damaged raises: it costs its own clip only."""
MAX_PLAIN = 6
MAX_VARIED_FRAMES = 300
VOICES = ("ravdess", "emodb")
CHECKPOINT = Path(__file__).parents[1] / "checkpoints/default"


def write_features(clip: Path, target: Path, encoder: AnySpeechEncoder) -> None:
    """Encode the sound of one clip; content is kept in half precision."""
    features = encoder.encode(load_audio(clip), with_voice=True)
    assert features.voice is not None
    halves = {"content": features.content.astype(np.float16), "voice": features.voice.astype(np.float16)}
    save_arrays(target, loudness=features.loudness, **halves)


def write_voice(file: Path, target: Path, number: int, encoder: AnySpeechEncoder) -> None:
    """A recording as it is (number 0), or its beginning varied: the same file and number give the same variation."""
    if number == 0:
        return write_features(file, target, encoder)
    num_frames = EMODB_FRAMES if target.parent.name == "emodb" else MAX_VARIED_FRAMES
    samples = load_audio(file).samples[: num_frames * SAMPLES_PER_FRAME]
    audio = Audio(vary_voice(samples, np.random.default_rng([number, *target.stem.encode()])))
    features = encoder.encode(audio, with_voice=True)
    assert features.voice is not None
    # Nobody learns content from a varied voice.
    halves = {"content": features.content[:, :0].astype(np.float16), "voice": features.voice.astype(np.float16)}
    return save_arrays(target, loudness=features.loudness, **halves)


def plain_voices(source: Path, rows: list[dict[str, Any]]) -> list[Path]:
    """Speech that nobody acted, some of each talker of `train`, and what is read aloud: to be heard as neutral."""
    taken: dict[str, list[Path]] = {}
    for row in rows:
        if row["split"] == "train" and row["audio"] and len(taken.setdefault(row["identity"], [])) < MAX_PLAIN:
            taken[row["identity"]].append(source / row["file"])
    return [file for files in taken.values() for file in files] + sorted((source / "speech/librivox").glob("*.flac"))


def write_motion(tracked: Path, target: Path, rig: FaceRig) -> None:
    """Fit the rig to one tracked clip."""
    with np.load(tracked) as archive:
        motion, _ = fit_motion(archive["points"], archive["scores"], rig, archive["presence"])
    target.parent.mkdir(parents=True, exist_ok=True)
    save_motion(target, motion)


def reason_against(write: Callable[[], None], target: Path) -> str | None:
    """Write a file that is not there yet; why it could not be, or None."""
    try:
        if not target.exists():
            write()
    except UNUSABLE as error:
        return str(error) or type(error).__name__
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder that holds manifest.jsonl")
    parser.add_argument("--prepared", type=Path, default=Path("data/prepared"))
    parser.add_argument("--features", type=Path, default=Path("data/features"))
    parser.add_argument("--motion", type=Path, default=Path("data/motion"))
    parser.add_argument("--varied", type=int, default=4, help="variations of each voice, for the emotion encoder to learn from")
    parser.add_argument("--common-source", default="grid_s1", help="folder of the one talker with most clips: they come last")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="whose speech encoder and rig are used")
    parser.add_argument("--speech-encoder", type=Path, help="another: your folder of a wav2vec2, HuBERT or WavLM model")
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        rows = read_manifest(options.source)
        encoder = load_speech_encoder(options.speech_encoder or options.checkpoint / "speech_encoder")
        rig = FaceRig.from_pretrained(options.checkpoint / "rig")
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    # The fewest first: training can start on many talkers while the many clips of one talker are still being fitted.
    rows.sort(key=lambda row: options.common_source in Path(row["file"]).parts)
    left_out: dict[str, str] = {}
    for row in progress(rows, description="encoding and fitting"):
        clip, name = row["file"], Path(row["file"]).with_suffix(".npz")
        sound, motion, tracked = options.features / name, options.motion / name, options.prepared / name
        reasons = []
        if row["audio"]:
            reasons.append(reason_against(lambda c=clip, t=sound: write_features(options.source / c, t, encoder), sound))
        if tracked.exists():
            reasons.append(reason_against(lambda f=tracked, t=motion: write_motion(f, t, rig), motion))
        if any(reasons):
            left_out[clip] = "; ".join(filter(None, reasons))
    voices = [file for name in VOICES for file in sorted((options.source / name).glob("*.ogg"))]
    voices += plain_voices(options.source, rows)
    for number, file in progress([(n, f) for n in range(options.varied + 1) for f in voices], description="encoding voices"):
        kind = file.parent.name if file.parent.name in VOICES else "plain"
        stem = file.stem if kind in VOICES else f"{file.parent.name}_{file.stem}"
        place = f"voices_varied/{number}" if number else "voices"
        target = options.features / place / kind / f"{stem}.npz"
        if number and f"voices/{kind}/{stem}" in left_out:
            continue  # said once
        if reason := reason_against(lambda f=file, t=target, n=number: write_voice(f, t, n, encoder), target):
            left_out[f"{place}/{kind}/{stem}"] = reason
    options.features.mkdir(parents=True, exist_ok=True)
    report = options.features / "report.json"
    report.write_text(json.dumps(left_out, indent=1, sort_keys=True))
    print(f"{len(rows) + len(voices) - len(left_out)} clips and voices are ready, {len(left_out)} left out: {report}")


if __name__ == "__main__":
    main()
