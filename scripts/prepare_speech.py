"""Clips with sound and their tracked points -> speech features and fitted motion, for the articulator and the gestures.

    python scripts/prepare_speech.py ../shared/data --prepared data/prepared --features data/features --motion data/motion

Writes `<features>/<clip>.npz` (content, loudness) and `<motion>/<clip>.npz` (as `talkinghead track`). Resumable: what is
there is skipped, a clip cut off in the middle leaves no file. Needs no extra.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from rich.progress import track as progress

from talkinghead.audio.speech_encoder import SpeechEncoder
from talkinghead.audio.waveform import load_audio
from talkinghead.errors import TalkingHeadError
from talkinghead.motion.io import save_motion
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import fit_motion
from talkinghead.training import read_manifest, save_arrays

VOICES = ("ravdess", "emodb")
CHECKPOINT = Path(__file__).parents[1] / "checkpoints/default"


def write_features(clip: Path, target: Path, encoder: SpeechEncoder) -> None:
    """Encode the sound of one clip; content is kept in half precision."""
    features = encoder.encode(load_audio(clip))
    save_arrays(target, content=features.content.astype(np.float16), loudness=features.loudness)


def write_motion(tracked: Path, target: Path, rig: FaceRig) -> None:
    """Fit the rig to one tracked clip."""
    with np.load(tracked) as archive:
        motion, _ = fit_motion(archive["points"], archive["scores"], rig, archive["presence"])
    target.parent.mkdir(parents=True, exist_ok=True)
    save_motion(target, motion)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder that holds manifest.jsonl")
    parser.add_argument("--prepared", type=Path, default=Path("data/prepared"))
    parser.add_argument("--features", type=Path, default=Path("data/features"))
    parser.add_argument("--motion", type=Path, default=Path("data/motion"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        rows = read_manifest(options.source)
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    # The fewest first: training can start on many talkers while the many clips of one talker are still being fitted.
    rows.sort(key=lambda row: "grid_s1" in row["file"])
    encoder, rig = SpeechEncoder.from_pretrained(CHECKPOINT / "speech_encoder"), FaceRig.from_pretrained(CHECKPOINT / "rig")
    left_out: dict[str, str] = {}
    for row in progress(rows, description="encoding and fitting"):
        name = Path(row["file"]).with_suffix(".npz")
        try:
            if row["audio"] and not (options.features / name).exists():
                write_features(options.source / row["file"], options.features / name, encoder)
            if (options.prepared / name).exists() and not (options.motion / name).exists():
                write_motion(options.prepared / name, options.motion / name, rig)
        except TalkingHeadError as error:
            left_out[row["file"]] = str(error)
    voices = [file for name in VOICES for file in sorted((options.source / name).glob("*.ogg"))]
    for file in progress(voices, description="encoding voices"):
        target = options.features / "voices" / file.parent.name / f"{file.stem}.npz"
        if not target.exists():
            write_features(file, target, encoder)
    report = "\n".join(f"{clip}: {reason}" for clip, reason in sorted(left_out.items()))
    raise SystemExit(f"{len(left_out)} clips left out:\n{report}" if left_out else 0)


if __name__ == "__main__":
    main()
