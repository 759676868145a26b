"""Who is kept out of a run is never learnt from, and the loss on them is the same pairs' each time."""

import numpy as np
import pytest
import torch

from talkinghead.errors import ConfigError
from talkinghead.synthesis.dataset import MeshFile, PairDataset, with_complexion
from talkinghead.synthesis.denoiser import ResidualDenoiser
from talkinghead.synthesis.held_out import HeldOutLoss, kept_out
from talkinghead.synthesis.losses import reconstruction_loss
from talkinghead.synthesis.regions import INNER_LIPS
from talkinghead.synthesis.trainer import DenoiserConfig, train_denoiser

TINY = (4, 8)


@pytest.fixture
def people(face, picture, tmp_path):
    """Ten people, two clips each, and ten photographs."""
    points, _ = face
    meshes = np.stack([points + t for t in np.arange(3, dtype=np.float32)])
    frames = np.stack([np.roll(picture, 20 * t, 0) for t in range(3)])
    names = [f"{who}_{i}" for who in "abcdefghij" for i in range(2)]
    identities = [name[0] for name in names] + [f"photograph_{i}" for i in range(10)]
    for name, identity in zip([*names, *identities[20:]], identities, strict=True):
        np.savez(tmp_path / f"{name}.npz", frames=frames, meshes=meshes, identity=identity)
    return sorted(tmp_path.glob("*.npz"))


def test_a_share_of_people_and_photographs_is_kept_out_with_all_their_clips(people):
    learnt, out = kept_out(people, 0.2)
    assert len(learnt) == 24 and len(out) == 6
    assert {x.identity for x in learnt}.isdisjoint({x.identity for x in out})
    assert sum(x.identity.startswith("photograph") for x in out) == 2
    assert kept_out(people, 0.2) == (learnt, out)
    assert kept_out(people, 0) == ([MeshFile.of(file) for file in people], [])
    for share in (0.01, 1.0):
        with pytest.raises(ConfigError, match=f"held_out: {share} of these people leaves nobody; give a share between 0 and 1"):
            kept_out(people, share)


def test_the_loss_of_a_network_that_does_nothing_is_the_warps(people, face):
    denoiser = ResidualDenoiser(channels=TINY)  # whose last layer is nought
    loss = HeldOutLoss(PairDataset(people, face[1], 0, 96), reconstruction_loss, 32, torch.device("cpu"))
    found = loss(denoiser, 0.25)
    assert found["held_out"] == pytest.approx(found["held_out_warp"]) and found["held_out"] > 0
    torch.nn.init.constant_(denoiser.conv_out.bias, 0.8)
    assert loss(denoiser, 0.25)["held_out"] > 1.5 * found["held_out_warp"]
    assert loss(denoiser, 0.25) == loss(denoiser, 0.25)
    rows = loss.samples(denoiser, 0.0)
    height, width = (n // k for n, k in zip(rows.shape, (8, 3), strict=False))
    np.testing.assert_array_equal(rows[:, :width], rows[:, width : 2 * width])  # nothing is added
    assert rows.dtype == np.uint8 and height * 8 == len(rows) and rows[:, 2 * width :].std() > 10


def test_a_run_reports_it_whenever_it_saves(people, face, tmp_path):
    heard, shown = [], []
    config = DenoiserConfig(
        meshes=str(tmp_path), output=str(tmp_path / "run"), held_out=0.2, steps=2, batch_size=2, channels=TINY, num_workers=0
    )
    train_denoiser(
        config, face[1], lambda step, losses: heard.append((step, losses)), show=lambda step, picture: shown.append(step)
    )
    assert shown == [2]
    assert [step for step, losses in heard if "held_out" in losses] == [2]
    assert heard[-1][1]["held_out_warp"] > 0


def test_another_skin_leaves_mouth_and_eyes_as_they_are(face, picture):
    points, _ = face
    frames, meshes = np.stack([picture, picture]), np.stack([points, points + 5])
    changed = with_complexion(frames, meshes, np.random.default_rng(2))
    assert changed.shape == frames.shape and changed.dtype == np.uint8
    for frame, before, mesh in zip(changed, frames, meshes, strict=True):
        x, y = mesh[INNER_LIPS, :2].mean(0).round().astype(int)
        np.testing.assert_allclose(frame[y, x], before[y, x], atol=1)
        x, y = mesh[152, :2].round().astype(int)
        assert (frame[y, x] < before[y, x]).all()
    corners = [with_complexion(frames, meshes, np.random.default_rng(i))[0, 5, 5] for i in range(9)]
    assert len({tuple(corner) for corner in corners}) > 4
