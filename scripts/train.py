"""Train one stage: `accelerate launch scripts/train.py STAGE --config configs/STAGE.yaml`.

Flat YAML, one frozen dataclass a stage; an unknown key lists the known ones. `configs/debug.yaml` has a section for each stage.
Killed and started again, a stage ends where an uninterrupted run ends. Articulator, denoiser, latent_denoiser and mouth_expert
need accelerate: pip install -e '.[train]'.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from talkinghead.errors import TalkingHeadError
from talkinghead.training import load_config
from talkinghead.training_log import Report, RunLog, unheard, unseen


def train_articulator(config: Path, stage: str) -> str:
    """Speech content to mouth, jaw and cheeks."""
    from talkinghead.motion.lips import LipTravel
    from talkinghead.motion.trainer import train_articulator
    from talkinghead.motion.training_clips import ArticulatorConfig
    from talkinghead.perception import face_losses
    from talkinghead.rig.face_rig import FaceRig

    options = load_config(config, ArticulatorConfig, stage)
    rig = FaceRig.from_pretrained(Path(options.rig))
    travel, losses = LipTravel.of_rig(rig.neutral, rig.deltas), face_losses(options, rig)
    return str(train_articulator(options, travel, print, logged(options.output, config), losses))


def train_speech_encoder(config: Path, stage: str) -> str:
    """Speech with known phones to what the mouth does for them: an adapter of the speech encoder."""
    from talkinghead.audio.adapter_training import AdapterConfig, train_adapter

    options = load_config(config, AdapterConfig, stage)
    return str(train_adapter(options, print, logged(options.output, config)))


def train_in_noise(config: Path, stage: str) -> str:
    """The speech encoder's adapter, to hear in noise what it hears without: any speech, no labels."""
    from talkinghead.audio.noise_training import NoiseConfig, train_in_noise
    from talkinghead.motion.articulator import Articulator

    options = load_config(config, NoiseConfig, stage)
    kernel = Articulator.load(Path(options.articulator)).kernel
    return str(train_in_noise(options, kernel, print, logged(options.output, config)))


def train_denoiser(config: Path, stage: str) -> str:
    """Guides to frames: of the face, or of the mouth alone, as the configuration's `part` says."""
    from talkinghead.preparation.meshes import training_meshes
    from talkinghead.rig.face_rig import FaceRig
    from talkinghead.rigged_portrait import mesh_topology
    from talkinghead.synthesis.trainer import DenoiserConfig, train_denoiser

    options, rig = load_config(config, DenoiserConfig, stage), FaceRig.from_pretrained(CHECKPOINT / "rig")
    log = logged(options.output, config)
    report, show = every_twentieth(log), log.show if isinstance(log, RunLog) else unseen
    clips, trained = training_meshes(Path(options.meshes), options.split, CHECKPOINT / "rig")
    return str(train_denoiser(options, mesh_topology(rig), report, clips, trained, show))


def train_latent_denoiser(config: Path, stage: str) -> str:
    """Windows of guides to windows of frames, in the latents of the user's own VAE and UNet: the full grade's renderer."""
    from talkinghead.preparation.meshes import training_meshes
    from talkinghead.rig.face_rig import FaceRig
    from talkinghead.rigged_portrait import mesh_topology
    from talkinghead.synthesis.latent_trainer import LatentConfig, train_latent_denoiser

    options, rig = load_config(config, LatentConfig, stage), FaceRig.from_pretrained(CHECKPOINT / "rig")
    clips, trained = training_meshes(Path(options.meshes), options.split, CHECKPOINT / "rig", options.every)
    report = every_twentieth(logged(options.output, config))
    return str(train_latent_denoiser(options, mesh_topology(rig), report, clips, trained))


def train_emotion(config: Path, stage: str) -> str:
    """Emotion heard in the voice, from acted speech."""
    from talkinghead.emotion.emotion_training import EmotionConfig, train_emotion_encoder

    options = load_config(config, EmotionConfig, stage)
    return str(train_emotion_encoder(options, print, logged(options.output, config)))


def train_expression(config: Path, stage: str) -> str:
    """What each emotion looks like, from tracked clips whose emotion is known; of one emotion or person, an adaptation."""
    from talkinghead.motion.expression_fitting import ExpressionConfig, train_expression

    options = load_config(config, ExpressionConfig, stage)
    return str(train_expression(options, print, logged(options.output, config)))


def train_gesture(config: Path, stage: str) -> str:
    """Head, brows, eyes and lids from tracked clips and their voice."""
    from talkinghead.motion.gesture_trainer import GestureConfig, train_gesture

    options = load_config(config, GestureConfig, stage)
    return str(train_gesture(options, print, logged(options.output, config)))


def train_prior(config: Path, stage: str) -> str:
    """What mouths do, from tracked clips alone."""
    from talkinghead.motion.prior_trainer import PriorConfig, train_prior

    options = load_config(config, PriorConfig, stage)
    return str(train_prior(options, print, logged(options.output, config)))


def train_rig(config: Path, stage: str) -> str:
    """How skin moves with each blendshape, from tracked clips alone."""
    from talkinghead.rig.training import RigConfig, train_rig

    options = load_config(config, RigConfig, stage)
    return str(train_rig(options, print, logged(options.output, config)))


def every_twentieth(keep: Report) -> Callable[[int, dict[str, float]], None]:
    """A report that prints and keeps one step in twenty, and what is measured on people who were kept out."""

    def report(step: int, losses: dict[str, float]) -> None:
        if step % 20 == 0 or "held_out" in losses:
            print(step, " ".join(f"{name} {value:.4f}" for name, value in losses.items()), flush=True)
            keep(step, losses)

    return report


def logged(output: str, config: Path) -> Report:
    """What keeps a run's numbers beside what it makes; of several processes the first one's."""
    return RunLog(Path(output), config) if os.environ.get("RANK", "0") == "0" else unheard


CHECKPOINT: Final = Path(__file__).parents[1] / "checkpoints/default"
STAGES: Final[dict[str, Callable[[Path, str], str]]] = {
    "articulator": train_articulator,
    "denoiser": train_denoiser,
    "emotion": train_emotion,
    "expression": train_expression,
    "gesture": train_gesture,
    "latent_denoiser": train_latent_denoiser,
    "mouth_expert": train_denoiser,
    "prior": train_prior,
    "rig": train_rig,
    "speech_encoder": train_speech_encoder,
    "speech_encoder_in_noise": train_in_noise,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=sorted(STAGES), help="which model")
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="YAML file, see configs/; configs/debug.yaml tries any stage in a minute or two",
    )
    options = parser.parse_args()
    try:
        result = STAGES[options.stage](options.config, options.stage)
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    if os.environ.get("RANK", "0") == "0":  # of several processes the first one speaks
        print(result)


if __name__ == "__main__":
    main()
