"""Prepared clips -> a trained articulator: the closed-form read-out, then the temporal head on top of it, with accelerate.

Killed and started again, training ends where it would have ended: every batch is a function of (seed, step), a checkpoint is
written beside and renamed, and what was fitted by another configuration is refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from accelerate import Accelerator

from talkinghead.corpus.splits import record
from talkinghead.corpus.store import trained_on
from talkinghead.errors import ConfigError
from talkinghead.files import take_back, whole_folder
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.face_losses import FaceLosses, check_weights
from talkinghead.motion.head_trainer import HeadTrainer
from talkinghead.motion.lip_correlation import lip_correlation
from talkinghead.motion.lips import LipTravel
from talkinghead.motion.readout import fit_readout
from talkinghead.motion.training_clips import ArticulatorConfig, held_out_clips, training_clips
from talkinghead.training import check_resumable, save_config
from talkinghead.training_log import Report, unheard

FREE_KEYS: Final = ("output", "num_threads", "save_every")
"""What may differ when a run is resumed: nothing that is learnt depends on it."""


def train_articulator(
    config: ArticulatorConfig,
    travel: LipTravel | None,
    say: Callable[[str], None],
    report: Report = unheard,
    losses: FaceLosses | None = None,
) -> Path:
    """Run one configuration to its end, or from where it was killed; returns the folder of the finished articulator.

    travel: of the rig that the motion is for. report: called with the loss when it is saved. losses: on what the face looks
    like, of `perception.face_losses`; needed where the configuration has a weight for one.

    Raises:
        ConfigError: no clip to learn from, the output folder holds a run of another configuration, or losses that are not here.
        InputError: no manifest.
    """
    if check_weights(config) and losses is None:
        raise ConfigError("losses: the configuration has weights for them; give those of talkinghead.perception.face_losses.")
    torch.set_num_threads(config.num_threads)
    accelerator = Accelerator()
    output = Path(config.output)
    readout, state, finished = folders = [output / name for name in ("readout", "state", "articulator")]
    if accelerator.is_main_process:
        for folder in folders:
            take_back(folder)
        if not readout.is_dir():
            say("fitting the read-out")
            torch.manual_seed(config.seed)  # a temporal head stands beside it that nothing has taught yet
            fitted = fit_readout(lambda: training_clips(config), config, travel)
            shutil.rmtree(state, ignore_errors=True)  # steps on a read-out that is gone
            save_config(output / "config.json", config)
            with whole_folder(readout) as part:
                fitted.save_pretrained(part)
    accelerator.wait_for_everyone()
    check_resumable(output / "config.json", config, FREE_KEYS)
    model = Articulator.load(readout)
    others = held_out_clips(config) if accelerator.is_main_process else {}
    if others:
        found = lip_correlation(model, others)
        say(f"read-out, {len(others)} people kept out: " + ", ".join(f"{name} {r:.3f}" for name, r in found.items()))
        report(0, found)
    if config.steps and model.head is not None:
        trainer = HeadTrainer(model, config, accelerator, losses)
        if state.is_dir():
            trainer.load(state)
            say(f"going on from step {trainer.step}")
        while trainer.step < config.steps:
            loss = trainer.train_step()
            if accelerator.is_main_process and (trainer.step % config.save_every == 0 or trainer.step == config.steps):
                with whole_folder(state) as part:
                    trainer.save(part)
                say(f"step {trainer.step}: loss {loss:.4f}")
                report(trainer.step, {"loss": loss} | trainer.terms | trainer.lips_of_others(others))
        model = trainer.finished()
    if accelerator.is_main_process:
        trained = trained_on(Path(config.data), config.split)
        with whole_folder(finished) as part:
            model.save_pretrained(part)
            record(part, [trained])
    return finished
