"""What each ingredient of the face's network is worth: the shipped network after the same short training without it.

    python scripts/ablate_renderer.py --meshes data/meshes/train --steps 150

Needs what scripts/prepare_meshes.py wrote. A row is PSNR in dB of the aligned crop, eyes and skin, by one step and by four, on
people left out of the short training (not of the long one before it: the rows are for each other). From noise a few hundred
steps do not yet beat the warp, so a network that predicts the picture instead of a residual, which cannot start from the
shipped one, stays far behind in this time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor
from torch.utils.data import DataLoader

from talkinghead.rig.face_rig import FaceRig
from talkinghead.rigged_portrait import mesh_topology
from talkinghead.synthesis.dataset import PairDataset
from talkinghead.synthesis.denoiser import ResidualDenoiser
from talkinghead.synthesis.losses import noisy, reconstruction_loss
from talkinghead.synthesis.pipeline import FaceRenderer, fixed_noise

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/default"
CHANNELS = (32, 64, 128, 192)
SKULL = slice(3, 6)
"""Of the guides: the reference moved with the skull."""
SCALE = 0.25
PEOPLE_LEFT_OUT = 8
NUM_JUDGED = 96


def everything(guide: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 16, h, w) guides -> what the network sees, and the picture that it adds to, (B, 3, h, w) in [0, 1]."""
    return guide, (guide[:, :3] + 1) / 2


def without_guides(guide: Tensor) -> tuple[Tensor, Tensor]:
    seen = guide.clone()
    seen[:, 3:] = 0
    return seen, (guide[:, :3] + 1) / 2


def without_warp(guide: Tensor) -> tuple[Tensor, Tensor]:
    seen = guide.clone()
    seen[:, :3] = guide[:, SKULL]
    return seen, (guide[:, SKULL] + 1) / 2


def without_residual(guide: Tensor) -> tuple[Tensor, Tensor]:
    return guide, torch.full_like(guide[:, :3], 0.5)


VARIANTS = {
    "everything": everything,
    "without the guides": without_guides,
    "without the warp": without_warp,
    "without the residual (the whole picture is predicted)": without_residual,
}


def trained(see: Callable[[Tensor], tuple[Tensor, Tensor]], pairs: DataLoader, seed: int) -> ResidualDenoiser:
    torch.manual_seed(seed)
    network = ResidualDenoiser(channels=CHANNELS, residual_scale=SCALE)
    if see is not without_residual:
        network = ResidualDenoiser.from_pretrained(CHECKPOINT / "renderer/denoiser", torch_dtype=torch.float32)
    network = network.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.9, 0.99))
    random = torch.Generator().manual_seed(seed)
    for step, (guide, real) in enumerate(pairs):
        optimiser.param_groups[0]["lr"] = 1e-4 * min(1, (step + 1) / 50) * (1 - 0.9 * step / len(pairs))
        seen, base = see(guide)
        sigma, share = torch.rand(2, len(guide), generator=random)
        sigma = torch.where(share < 0.5, torch.ones_like(sigma), sigma)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = network(noisy((real - base) / SCALE, sigma, random), sigma, seen)
        loss = reconstruction_loss(base + found.float() * SCALE, real, guide)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    return network.eval()


def judged(see: Callable[[Tensor], tuple[Tensor, Tensor]], network: ResidualDenoiser | None, pairs: DataLoader) -> list[float]:
    """PSNR in dB: eyes, skin by one step; eyes, skin by four."""
    renderer = None if network is None else FaceRenderer(network, network, FlowMatchEulerDiscreteScheduler())
    found: list[list[float]] = []
    for guide, real in pairs:
        seen, base = see(guide)
        noise = fixed_noise(0, *guide.shape[2:])
        eyes, skin = guide[:, 15:16], guide[:, 13:14] * (1 - guide[:, 14:15])
        row: list[Tensor] = []
        for steps in (1, 4):
            output = base if renderer is None else base + renderer.denoise(network, seen, noise, steps)
            error = (output.clamp(0, 1) - real).square().mean(1, keepdim=True) + 1e-6
            row += [-10 * torch.log10((error * m).sum((1, 2, 3)) / m.sum((1, 2, 3)).clamp_min(1)) for m in (eyes, skin)]
        found += torch.stack(row, 1).tolist()
    return [float(value) for value in np.mean(found, axis=0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meshes", type=Path, default=Path("data/meshes/train"))
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch-size", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    files = sorted(file for file in options.meshes.rglob("*.npz") if "photographs" not in file.parts)
    if not files:
        raise SystemExit(f"error: {options.meshes} holds no prepared clip; run scripts/prepare_meshes.py first.")
    topology = mesh_topology(FaceRig.from_pretrained(CHECKPOINT / "rig"))
    people = PairDataset(files, topology, options.seed, 1).by_identity
    left_out = set(sorted(people)[:: max(1, len(people) // PEOPLE_LEFT_OUT)][:PEOPLE_LEFT_OUT])
    ours, others = ([f for name, fs in people.items() if (name in left_out) == out for f in fs] for out in (True, False))
    judges = DataLoader(PairDataset(ours, topology, 1, NUM_JUDGED), batch_size=8)
    print("| PSNR, dB | eyes, 1 step | skin, 1 step | eyes, 4 steps | skin, 4 steps |\n|---|---|---|---|---|")
    rows = [("the warp itself", everything, None), *((name, see, options.steps) for name, see in VARIANTS.items())]
    for name, see, steps in rows:
        data = PairDataset(others, topology, options.seed, (steps or 0) * options.batch_size)
        network = None if steps is None else trained(see, DataLoader(data, options.batch_size, num_workers=1), options.seed)
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in judged(see, network, judges))} |", flush=True)


if __name__ == "__main__":
    main()
