"""Losses on what a face looks like: worked by hand, zero where nothing is wrong, and what they ask to be there."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from talkinghead import arkit
from talkinghead.errors import ConfigError
from talkinghead.motion.articulator import COLUMNS
from talkinghead.motion.expression import PROTOTYPE_MATRIX
from talkinghead.motion.face_losses import FaceBatch, FaceLosses, FaceSurface, check_weights
from talkinghead.motion.training_clips import ArticulatorConfig
from talkinghead.rig.face_rig import FaceRig
from talkinghead.types import EMOTIONS

ON = ArticulatorConfig(
    head_width=4, steps=1, vertex_weight=1.0, lip_reading="a", lip_reading_weight=1.0, video_emotion="b",
    video_emotion_weight=1.0, exchange_weight=1.0, picture_frames=8,
)  # fmt: skip
NUM_FRAMES = 12
DEVIATION = 0.03
"""Of the opening and the width, as of people who speak."""
JAW = COLUMNS.index("jawOpen")


@pytest.fixture(scope="module")
def surface(root):
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")
    return FaceSurface.of(lambda columns: rig.express(columns, np.zeros((len(columns), 2), np.float32), rig.neutral))


class Points(torch.nn.Module):
    """In place of a network that looks: places of some vertices, in cm."""

    def __init__(self, vertices):
        super().__init__()
        self.vertices = vertices

    def forward(self, vertices):
        return 100 * vertices[..., self.vertices, :].flatten(-2)


def losses_of(surface, config=ON):
    losses = FaceLosses(config, surface, PROTOTYPE_MATRIX, Points([13, 14, 61, 291]), Points([61, 291, 52, 282]))
    losses.deviation.fill_(DEVIATION)
    return losses


def batch_of(emotions, surface=None):
    """Mouths that open and shut; everything as tracked fits the targets."""
    random = np.random.default_rng(0)
    target = np.zeros((len(emotions), NUM_FRAMES, len(COLUMNS) + 3), np.float32)
    target[..., JAW] = random.uniform(-0.2, 0.2, target.shape[:2])
    target[..., -3] = 0.1 * target[..., JAW]
    mean = np.zeros((len(emotions), len(COLUMNS) + 3), np.float32)
    mean[:, JAW], mean[:, -3] = 0.3, 0.08
    felt = PROTOTYPE_MATRIX[[EMOTIONS.index(name) for name in emotions]]
    face = np.zeros((len(emotions), NUM_FRAMES, 52), np.float32) + felt[:, None]
    values = target, mean, np.ones(target.shape[:2], np.float32), face, felt
    return FaceBatch(*(torch.from_numpy(np.asarray(value, np.float32)) for value in values))


def test_vertices_worked_by_hand():
    neutral, deltas = np.zeros((300, 3), np.float32), np.zeros((52, 300, 3), np.float32)
    neutral[[33, 263], 0] = -0.045, 0.045
    jaw, pucker = arkit.INDEX["jawOpen"], arkit.INDEX["mouthPucker"]
    deltas[jaw, 14], deltas[jaw, 17], deltas[pucker, 17] = (0, -0.01, 0), (0, -0.02, 0), (0, 0, 0.02)
    deltas[jaw, 200] = 1.0  # not of the lower face
    config = replace(ON, lip_reading="", lip_reading_weight=0.0, video_emotion="", video_emotion_weight=0.0)
    losses = FaceLosses(config, FaceSurface(neutral, deltas, np.array([14, 17])), PROTOTYPE_MATRIX)
    ours, theirs = torch.zeros(1, 3, 52), torch.zeros(1, 3, 52)
    ours[0, 0, jaw] = 0.5  # 5 mm and 10 mm: (25 + 100) / 2
    ours[0, 1, jaw], ours[0, 1, pucker] = 0.1, 0.1  # 1 mm; 2 mm down and 2 mm forward: (1 + 8) / 2
    ours[0, 2, jaw] = 1.0
    for seen, expected in (([1, 0, 0], 62.5), ([1, 1, 0], (62.5 + 4.5) / 2), ([0, 0, 0], 0.0)):
        found = losses.vertex_error(ours, theirs, torch.tensor([seen], dtype=torch.float32))
        assert float(found) == pytest.approx(expected, rel=1e-5)


def test_the_surface_is_the_rig_column_by_column(root, surface):
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")
    losses = losses_of(surface)
    for value, within_mm in ((1.0, 1e-3), (0.5, 1.0)):
        columns = np.zeros((1, 52), np.float32)
        columns[0, arkit.INDEX["jawOpen"]] = value
        whole = rig.express(columns, np.zeros((1, 2), np.float32), rig.neutral)[0]
        apart = np.linalg.norm(losses.vertices(torch.from_numpy(columns))[0].numpy() - whole, axis=-1)
        assert 1e3 * apart.max() < within_mm, "the teeth turn with the jaw: half way the chord is beside the arc"
    below, above = {0, 13, 14, 17, 61, 291, 152}, {1, 4, 33, 263, 10, 50, 280}
    assert below <= set(surface.lower) and not above & set(surface.lower)


def test_what_is_said_right_costs_nothing_but_what_the_expression_does(surface):
    batch, losses = batch_of(["neutral", "neutral"]), losses_of(surface)
    shown = losses.performed(batch.target, batch)
    batch = replace(batch, face=shown)
    for name, term in losses(batch.target, batch).items():
        # The jaw, which opens the lips last, narrows them a little.
        assert float(term) < (0.06 if name == "exchange" else 1e-6), name
    terms = losses(batch.target, replace(batch, felt=batch_of(["happy", "sad"]).felt))
    assert float(terms["vertex"]) == 0 and float(terms["lip_reading"]) == pytest.approx(0, abs=1e-6)
    assert terms["video_emotion"] > 1e-3, "a smile and a frown are on the lips"


def test_lips_that_are_hardly_shut_come_apart_under_an_expression(surface):
    losses, batch = losses_of(surface), batch_of(["neutral", "angry"])
    shut = batch.target.clone()
    shut[:, 3:5, -3], shut[:, 3:5, -1] = -0.08, 1
    batch = replace(batch, target=shut)
    hardly = shut.clone()
    hardly[:, 3:5, -1] = 0.3
    found = {}
    for name, said in (("well", shut), ("hardly", hardly)):
        for row, feeling in enumerate(("neutral", "angry")):
            felt = batch.felt[row].expand(2, -1)
            found[name, feeling] = float(losses.lip_error(losses.performed(said, batch, felt), batch))
    assert found["hardly", "neutral"] < 0.2 and found["hardly", "angry"] > found["well", "angry"] + 0.2, found


def test_the_exchange_wants_the_lips_of_the_one_and_the_feeling_of_the_other(surface):
    config = replace(ON, lip_reading="", lip_reading_weight=0.0)
    losses, batch = losses_of(surface, config), batch_of(["happy", "neutral"])
    right = losses(batch.target, batch)["exchange"]
    other = losses(batch.target, replace(batch, face=batch.face.flip(0)))["exchange"]
    assert right < other, "each crop wears the other's expression and shall look like the other, not like itself"
    alone = losses(batch.target, replace(batch, felt=batch.felt * 0, face=batch.face * 0))
    assert losses(batch.target * 0.2, replace(batch, felt=batch.felt * 0))["exchange"] > alone["exchange"]


def test_lips_that_stay_apart_where_they_were_shut_cost(surface):
    losses, batch = losses_of(surface), batch_of(["neutral", "neutral"])
    apart = torch.zeros(2, NUM_FRAMES, 52)
    apart[..., arkit.INDEX["jawOpen"]] = 0.5
    still = replace(batch, target=torch.zeros_like(batch.target))
    assert float(losses.lip_error(apart, still)) == pytest.approx(0, abs=1e-6), "how far apart they are all the time is free"
    shut = still.target.clone()
    shut[:, :3, -1] = 1
    gap = float((apart @ losses.travel[0])[0, 0])
    assert float(losses.lip_error(apart, replace(still, target=shut))) == pytest.approx((gap / DEVIATION) ** 2, rel=1e-4)


def test_frames_that_were_not_seen_count_nothing(surface):
    losses, batch = losses_of(surface), batch_of(["happy", "sad"])
    seen = batch.seen.clone()
    seen[0, 4:7], seen[1] = 0, 0
    found = []
    for nonsense in (0.0, 0.7):
        target, face, said = batch.target.clone(), batch.face.clone(), 0.8 * batch.target
        said[0, 4:7, JAW], said[1, :, JAW], face[1] = nonsense, nonsense, nonsense
        found.append(losses(said, replace(batch, target=target, face=face, seen=seen)))
    for name in ("vertex", "video_emotion"):
        assert float(found[0][name]) == pytest.approx(float(found[1][name]), rel=1e-5), name
    # Of the lip reader's frames that see nothing unseen, 0 and 1, the stand-in sees itself alone.
    assert float(found[0]["lip_reading"]) == pytest.approx(float(found[1]["lip_reading"]), rel=1e-5)
    assert float(found[0]["exchange"]) == pytest.approx(float(found[1]["exchange"]), rel=1e-5)


def test_gradients_of_every_term_reach_what_is_said(surface):
    losses, batch = losses_of(surface), batch_of(["happy", "sad"])
    for name in ("vertex", "lip_reading", "video_emotion", "exchange"):
        said = (0.8 * batch.target).requires_grad_()
        losses(said, batch)[name].backward()
        assert said.grad[..., JAW].abs().max() > 0, name
    assert not [name for name, value in losses.named_parameters() if value.requires_grad]


OFF = ArticulatorConfig(head_width=4, steps=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vertex_weight": -1.0}, r"vertex_weight is -1; give 0 or more"),
        (
            {"lip_reading_weight": 0.5},
            r"lip_reading_weight is 0\.5 and lip_reading names no folder; give one \(docs/mead\.md\)",
        ),
        ({"video_emotion_weight": 0.5}, r"video_emotion_weight is 0\.5 and video_emotion names no folder"),
        (
            {"lip_reading": "x"},
            r"lip_reading: x is given and lip_reading_weight is 0; give it a weight, or leave the folder out",
        ),
        (
            {"vertex_weight": 1.0, "head_width": 0},
            r"vertex_weight: teaches the temporal head, and there is none; set head_width",
        ),
        ({"exchange_weight": 1.0, "steps": 0}, r"exchange_weight: teaches the temporal head, and there is none"),
        ({"exchange_weight": 1.0, "batch_size": 1}, r"exchange_weight: a batch of one clip has nobody to exchange with"),
        ({"vertex_weight": 1.0, "picture_frames": 0}, r"picture_frames is 0; give 1 or more"),
    ],
)
def test_weights_that_cannot_be_meant(changes, message):
    with pytest.raises(ConfigError, match=message):
        check_weights(replace(OFF, **changes))


def test_a_weight_without_its_network(surface):
    assert check_weights(ON) and not check_weights(OFF)
    with pytest.raises(ConfigError, match=r"video_emotion_weight is 1 and there is no video_emotion network; give its folder"):
        FaceLosses(ON, surface, PROTOTYPE_MATRIX, read_lips=Points([13]))
