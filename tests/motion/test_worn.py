"""Talking and an expression on one face, on tensors: the same as a performance's, and with gradients."""

import numpy as np
import pytest
import torch

from talkinghead import arkit
from talkinghead.motion.expression import PROTOTYPE_MATRIX, compose
from talkinghead.motion.lips import LipTravel, close_lips, open_lips, restrain_parting, spread_lips
from talkinghead.motion.worn import as_said, shut, worn
from talkinghead.rig.face_rig import FaceRig


@pytest.fixture(scope="module")
def travel(root):
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")
    return LipTravel.of_rig(rig.neutral, rig.deltas)


def on_tensors(travel):
    return torch.from_numpy(np.stack([travel.parting, travel.widening]))


def test_what_is_said_is_what_the_articulator_says(travel):
    random = np.random.default_rng(0)
    blendshapes = random.uniform(0, 0.7, (200, 52)).astype(np.float32) * random.integers(0, 2, (200, 52))
    opening, width = random.uniform(-0.05, 0.3, 200).astype(np.float32), random.uniform(-0.15, 0.15, 200).astype(np.float32)
    expected = open_lips(spread_lips(blendshapes.astype(np.float32), width, travel), np.maximum(opening, 0), travel)
    ours = as_said(*(torch.from_numpy(x).float() for x in (blendshapes, opening, width)), on_tensors(travel))
    assert np.abs(ours.numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("emotion", range(8))
def test_an_expression_is_worn_as_in_a_performance(travel, emotion):
    talking = np.random.default_rng(emotion).uniform(0, 0.6, (50, 52)).astype(np.float32)
    talking[:5] = 0  # who is silent may bare the teeth
    felt = np.tile(PROTOTYPE_MATRIX[emotion], (50, 1))
    expected = restrain_parting(compose(talking, felt), talking, travel)
    ours = worn(torch.from_numpy(talking), torch.from_numpy(felt), on_tensors(travel))
    assert np.abs(ours.numpy() - expected).max() < 1e-5


def test_lips_are_shut_as_in_a_performance(travel):
    random = np.random.default_rng(0)
    blendshapes = random.uniform(0, 0.7, (200, 52)).astype(np.float32)
    closed = np.clip(random.uniform(-0.5, 1.5, 200), 0, 1).astype(np.float32)
    ours = shut(torch.from_numpy(blendshapes), torch.from_numpy(closed), on_tensors(travel))
    assert np.abs(ours.numpy() - close_lips(blendshapes, closed, travel)).max() < 1e-5


def test_gradients_reach_what_is_said(travel):
    blendshapes, opening, width, closed = torch.full((1, 52), 0.1), *(torch.tensor([x]) for x in (0.1, 0.02, 0.2))
    for value in (blendshapes, opening, width, closed):
        value.requires_grad_()
    felt, travels = torch.from_numpy(PROTOTYPE_MATRIX[4])[None], on_tensors(travel)
    face = shut(worn(as_said(blendshapes, opening, width, travels), felt, travels), closed, travels)
    (face @ travels.T).sum().backward()
    assert opening.grad > 0 and width.grad > 0 and blendshapes.grad[0, arkit.INDEX["mouthSmileLeft"]] != 0
    assert closed.grad < 0
