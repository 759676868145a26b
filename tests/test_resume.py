"""Training that is killed with SIGKILL ends, when it is started again, where an uninterrupted run ends.

And training by two processes: each sees pairs of its own, both end with the same weights, and one of them saves and reports.
"""

import os
import signal
import subprocess
import sys
import time

import imageio.v3 as iio
import numpy as np
import pytest
from safetensors.numpy import load_file

from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import fit_face
from talkinghead.rig.placement import portrait_mesh

STEPS = 24
CONFIG = """
meshes: {meshes}
output: {output}
steps: {steps}
batch_size: 2
channels: [4, 8]
adversarial_from: {adversarial_from}
adversarial_weight: 0.02
warmup_steps: 5
num_workers: 0
save_every_s: 0.0
"""


@pytest.fixture(scope="module")
def meshes(tracker, root, tmp_path_factory):
    """One prepared clip of six frames: the drawn woman, her chin a little lower in each."""
    image = np.ascontiguousarray(iio.imread(root / "assets/drawn_woman.png")[::2, ::2, :3])
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")
    mesh = portrait_mesh(rig, fit_face(tracker.detect(image)[0], rig))
    lowered = np.zeros((6, 1, 3), np.float32) + np.linspace(0, 2, 6, dtype=np.float32)[:, None, None] * [0, 1, 0]
    folder = tmp_path_factory.mktemp("meshes")
    np.savez(folder / "clip.npz", frames=np.stack([image] * 6), meshes=mesh + lowered, identity="nobody")
    return folder


def write_config(folder, meshes, name, steps=STEPS, adversarial_from=5):
    config = folder / f"{name}.yaml"
    config.write_text(CONFIG.format(meshes=meshes, output=folder / name, steps=steps, adversarial_from=adversarial_from))
    return config


def launch(root, folder, meshes, name):
    config = write_config(folder, meshes, name)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1"]
    command += ["--mixed_precision", "no", "--dynamo_backend", "no", "--cpu"]
    command += ["scripts/train.py", "denoiser", "--config", str(config)]
    with (folder / f"{name}.log").open("a") as log:
        return subprocess.Popen(command, cwd=root, stdout=log, stderr=log, start_new_session=True)


def test_a_killed_run_ends_where_an_uninterrupted_one_ends(root, meshes, tmp_path):
    whole = launch(root, tmp_path, meshes, "whole")
    assert whole.wait(240) == 0, (tmp_path / "whole.log").read_text()

    killed = launch(root, tmp_path, meshes, "killed")
    checkpoint = tmp_path / "killed/checkpoint/state.safetensors"
    deadline = time.monotonic() + 240
    while not checkpoint.exists() and time.monotonic() < deadline and killed.poll() is None:
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() != 0, "it had ended before it could be killed"

    again = launch(root, tmp_path, meshes, "killed")
    assert again.wait(240) == 0, (tmp_path / "killed.log").read_text()
    expected, got = load_file(tmp_path / "whole/checkpoint/state.safetensors"), load_file(checkpoint)
    assert int(got["step"]) == STEPS
    assert expected.keys() == got.keys()
    for name, value in expected.items():
        assert np.array_equal(value, got[name]), name


RECORDED = """
import os, runpy, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from talkinghead.synthesis.trainer import DenoiserTrainer

seen, train_step = [], DenoiserTrainer.train_step

def recorded(self, guide, real):
    losses = train_step(self, guide, real)
    seen.append(guide.contiguous())
    weights = {name: value.contiguous() for name, value in self.accelerator.unwrap_model(self.denoiser).state_dict().items()}
    save_file({"seen": torch.cat(seen), **weights}, Path(sys.argv[-1]).with_suffix(f".{os.environ['RANK']}.safetensors"))
    return losses

DenoiserTrainer.train_step = recorded
runpy.run_path("scripts/train.py", run_name="__main__")
"""


def test_two_processes_see_other_pairs_and_end_with_the_same_weights(root, meshes, tmp_path):
    """With torchrun itself: `accelerate launch` starts it for several GPUs, and for several CPU processes wants MPI."""
    (tmp_path / "recorded.py").write_text(RECORDED)
    config = write_config(tmp_path, meshes, "both", steps=4, adversarial_from=2)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += [str(tmp_path / "recorded.py"), "denoiser", "--config", str(config)]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert run.returncode == 0, run.stderr

    first, second = (load_file(tmp_path / f"both.{rank}.safetensors") for rank in (0, 1))
    pairs = [pair.tobytes() for pair in (*first.pop("seen"), *second.pop("seen"))]
    assert len(pairs) == len(set(pairs)) == 4 * 2 * 2, "no pair is seen twice"
    for name, weight in first.items():
        assert np.array_equal(weight, second[name]), name
    state = load_file(tmp_path / "both/checkpoint/state.safetensors")
    assert int(state["num_processes"]) == 2 and int(state["step"]) == 4
    assert np.array_equal(state["denoiser.conv_in.weight"], first["conv_in.weight"])
    assert run.stdout.count("reconstruction") == run.stdout.count(str(tmp_path / "both/denoiser")) == 1
