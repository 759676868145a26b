"""What training made + an existing checkpoint -> a folder for `--checkpoint`, whole and tried, or none at all.

    python scripts/make_checkpoint.py runs -o my_checkpoint
    talkinghead generate --checkpoint my_checkpoint ...
    python scripts/make_checkpoint.py runs/mead                     # makes runs/mead/checkpoint, which is meant by
    talkinghead generate --checkpoint runs/mead ...

A wav2vec2, HuBERT or WavLM encoder is your own transformers folder: --speech_encoder wavlm-base-plus. Alone it makes a
checkpoint to prepare data with; with an articulator that learnt from its features, one that speaks.

Takes the finished models of RUNS/speech_encoder, RUNS/rig, RUNS/articulator, RUNS/expression, RUNS/gesture,
RUNS/emotion_encoder, RUNS/denoiser and RUNS/mouth_expert or else RUNS/latent_denoiser, those that are there (or other
folders, by option), and everything else from `--base`. What each was trained on goes with it, so that nobody is scored on
people whom it has seen.
Needs no extra.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from safetensors import SafetensorError

from talkinghead.audio.adapter import FILE, ArticulationAdapter
from talkinghead.audio.hidden_unit_encoder import is_hidden_unit_folder
from talkinghead.checkpoints import MADE, checkpoint_folder, default_folder
from talkinghead.corpus.splits import read, record
from talkinghead.emotion.emotion_encoder import EmotionEncoder
from talkinghead.errors import CheckpointError, InputError, OutputError, TalkingHeadError
from talkinghead.files import whole_folder
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.expression_fitting import load_prototypes
from talkinghead.motion.gesture_denoiser import GestureDenoiser
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.face_rig import FaceRig
from talkinghead.synthesis.denoiser import ResidualDenoiser
from talkinghead.synthesis.pipeline import FaceRenderer

FINISHED = {
    "speech_encoder": "adapter.safetensors",
    "rig": "rig/config.json",
    "articulator": "articulator/config.json",
    "expression": "expression/config.json",
    "gesture": "gesture/config.json",
    "emotion_encoder": "emotion_encoder/config.json",
    "denoiser": "denoiser/config.json",
    "mouth_expert": "denoiser/config.json",
    "latent_denoiser": "renderer/model_index.json",
}
"""Stage -> the file below its folder that is there when training has ended."""
NETWORKS = ("denoiser", "mouth_expert")
"""Those of the renderer. The latent denoiser is a renderer by itself and takes their place."""
CARD = """# Model card

Made by scripts/make_checkpoint.py: {stages} trained anew. What follows is the card of the checkpoint that all else is of; for
what was trained anew, its data and licence are those of your clips.

"""


def finished_models(runs: Path, folders: dict[str, Path | None]) -> dict[str, Path]:
    """Stage -> the folder of its finished model, of the stages that were trained.

    Raises:
        InputError: none was trained, one that was asked for is not there, or training has not ended.
    """
    found = {}
    for stage, below in FINISHED.items():
        folder = folders[stage] or runs / stage
        if folder.is_dir() or folders[stage]:
            if stage == "speech_encoder" and is_hidden_unit_folder(folder):
                below = "model.safetensors"
            if not (folder / below).is_file():
                raise InputError(f"{folder}: holds no finished {stage}; train it to its end with scripts/train.py {stage}.")
            found[stage] = (folder / below).parent
    if "latent_denoiser" in found and found.keys() & set(NETWORKS):
        latent = bool(folders["latent_denoiser"])
        if latent == any(folders[name] for name in NETWORKS):
            raise InputError(f"{runs}: holds two renderers; name one of them with --latent_denoiser, or --denoiser.")
        for name in NETWORKS if latent else ("latent_denoiser",):
            found.pop(name, None)
    if not found:
        raise InputError(f"{runs}: holds none of {', '.join(FINISHED)}; train one with scripts/train.py first.")
    return found


def make_checkpoint(models: dict[str, Path], base: Path, output: Path) -> None:
    """Write the folder beside, try it, and rename it.

    Raises:
        OutputError: it is there already. CheckpointError: a model is not whole, or does not fit the others.
    """
    if output.exists():
        raise OutputError(f"output {output}: is there already; give a new name.")
    base = checkpoint_folder(base)
    with whole_folder(output) as part:
        shutil.copytree(base, part, dirs_exist_ok=True)
        if "speech_encoder" in models and is_hidden_unit_folder(models["speech_encoder"]):
            _take_network(models["speech_encoder"], part)
        elif "speech_encoder" in models:
            ArticulationAdapter.load(models["speech_encoder"] / FILE)
            shutil.copyfile(models["speech_encoder"] / FILE, part / "speech_encoder" / FILE)
        if "rig" in models:
            FaceRig.from_pretrained(models["rig"])
            shutil.copytree(models["rig"], part / "rig", dirs_exist_ok=True)
        if "articulator" in models:
            _replaced(Articulator.load(models["articulator"]), part / "articulator")
        if "expression" in models:
            load_prototypes(models["expression"])
            shutil.rmtree(part / "expression", ignore_errors=True)
            shutil.copytree(models["expression"], part / "expression")
        if "gesture" in models:
            _replaced(GestureDenoiser.load(models["gesture"]), part / "gesture")
        if "emotion_encoder" in models:
            _replaced(EmotionEncoder.load(models["emotion_encoder"]).half(), part / "emotion_encoder")
        if models.keys() & set(NETWORKS):
            networks = {name: _denoiser(models.get(name, base / "renderer" / name)) for name in NETWORKS}
            scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(base / "renderer/scheduler")
            _replaced(FaceRenderer(**networks, scheduler=scheduler), part / "renderer")
        if "latent_denoiser" in models:
            shutil.rmtree(part / "renderer")
            shutil.copytree(models["latent_denoiser"], part / "renderer")
            _without_paths(part / "renderer")
        for stage, folder in models.items():
            if stage != "latent_denoiser":  # whose record came with it
                record(part / ("renderer" if stage in NETWORKS else "") / stage, read(folder))
        for name in NETWORKS if "latent_denoiser" not in models else ():
            if name not in models and read(base / "renderer" / name):
                record(part / "renderer" / name, read(base / "renderer" / name))
        card = part / "README.md"
        text = card.read_text() if card.is_file() else ""
        card.write_text(CARD.format(stages=", ".join(models)) + text)
        head = TalkingHead.from_pretrained(part, device="cpu")
        heard, given = head.motion.articulator.config.content_width, head.speech_encoder.content_width
        # An encoder alone is a checkpoint to prepare data with, from which an articulator is still to learn.
        if heard != given and set(models) != {"speech_encoder"}:
            raise CheckpointError(
                f"the articulator hears {heard} features a frame, the speech encoder gives {given}; train anew."
            )


def _take_network(folder: Path, part: Path) -> None:
    """Put the user's own network in place of Whisper; what heard emotion in Whisper's blocks cannot hear it in these."""
    shutil.rmtree(part / "speech_encoder")
    shutil.rmtree(part / "emotion_encoder", ignore_errors=True)
    (part / "speech_encoder").mkdir()
    for name in ("config.json", "model.safetensors", "preprocessor_config.json"):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, part / "speech_encoder" / name)


def _denoiser(folder: Path) -> ResidualDenoiser:
    """In half precision, as its trainer exports it."""
    try:
        return ResidualDenoiser.from_pretrained(
            folder, torch_dtype=torch.float16, local_files_only=True, low_cpu_mem_usage=False
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{folder}: not a denoiser ({' '.join(str(error).split())[:160]}); train it again.") from error


def _replaced(model: Articulator | GestureDenoiser | EmotionEncoder | FaceRenderer, folder: Path) -> None:
    """Save a model in place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    _without_paths(folder)


def _without_paths(folder: Path) -> None:
    """Where a model was on this machine is nobody's business."""
    for file in folder.rglob("*.json"):
        content = json.loads(file.read_text())
        if isinstance(content, dict) and content.pop("_name_or_path", None) is not None:
            file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="?", default=Path("runs"), help="folder that holds the stages' folders")
    parser.add_argument("-o", "--output", type=Path, help="folder to make; it must not be there. (Default: RUNS/checkpoint.)")
    parser.add_argument("--base", type=Path, default=default_folder(), help="checkpoint that all else is taken from")
    for stage in FINISHED:
        parser.add_argument(f"--{stage}", type=Path, help=f"output folder of the {stage}'s training, instead of RUNS/{stage}")
    options = parser.parse_args()
    output = options.output or options.runs / MADE
    try:
        models = finished_models(options.runs, {stage: getattr(options, stage) for stage in FINISHED})
        make_checkpoint(models, options.base, output)
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    print(f"{output}: " + ", ".join(f"{stage} of {folder}" for stage, folder in models.items()))


if __name__ == "__main__":
    main()
