"""A model of FLAME's shape out of this project's own rig: what is true of it is known."""

import numpy as np
import torch

from talkinghead import arkit
from talkinghead.rig.face_rig import ball_centre
from talkinghead.rig.flame import Flame

PARTS = ("skin", "eyeball_left", "eyeball_right")
MOVED_M = np.array([0.01, -0.02, 0.03])


def flame_of_rig(rig, seed=0, num_expressions=60, with_jaw_open=False, scale=1.05):
    """The rig's vertices moved and scaled, its blendshapes mixed by a random rotation, its jaw a joint.

    Skin points 0..467 are vertices 0..467. `jawOpen` is in no expression unless asked for: the jaw has to turn.
    """
    random = np.random.default_rng(seed)
    kept = np.concatenate([np.arange(*rig.parts[part]) for part in PARTS])
    number = np.full(len(rig.neutral), -1)
    number[kept] = np.arange(len(kept))
    faces = np.concatenate([rig.faces[slice(*rig.part_faces[part])] for part in PARTS])
    faces = number[faces[(number[faces] >= 0).all(1)]]
    template = scale * rig.neutral[kept] + MOVED_M
    deltas = scale * rig.deltas[:, kept].astype(np.float64)
    opening = deltas[arkit.INDEX["jawOpen"]]
    hinge = scale * rig.jaw[:3] + MOVED_M
    arm = template - hinge
    tangent = np.stack([0 * arm[:, 0], -arm[:, 2], arm[:, 1]], 1)  # what a turn about x does, a rad
    jaw = np.clip((opening * tangent).sum(1) / np.maximum((tangent**2).sum(1), 1e-8) / rig.jaw[3], 0, 1)
    weights = np.zeros((len(kept), 5))
    weights[:, 2] = jaw
    weights[:, 1] = 1 - jaw
    for joint, part in ((3, "eyeball_left"), (4, "eyeball_right")):
        ball = number[np.arange(*rig.parts[part])]
        weights[ball] = np.eye(5)[joint]
    others = [index for index in range(52) if with_jaw_open or index != arkit.INDEX["jawOpen"]]
    turn, _ = np.linalg.qr(random.normal(size=(num_expressions, num_expressions)))
    expressions = np.tensordot(turn[:, : len(others)], deltas[others], 1) / 2
    places = [np.add(MOVED_M, (0, -0.12 * scale, -0.02)), np.add(MOVED_M, (0, -0.06 * scale, -0.01)), hinge]
    places += [ball_centre(rig.neutral[rig.part(part)]) * scale + MOVED_M for part in ("eyeball_left", "eyeball_right")]
    system = np.c_[template, np.ones(len(template))].T  # (4, V): rows that give a place exactly, and sum to 1
    regressor = np.stack([np.linalg.lstsq(system, np.r_[place, 1], rcond=None)[0] for place in places])

    def tensor(values):
        return torch.from_numpy(np.ascontiguousarray(values)).float()

    return Flame(
        template=tensor(template),
        shape_directions=tensor(random.normal(0, 0.002, (8, len(kept), 3))),
        expression_directions=tensor(expressions),
        pose_directions=torch.zeros(36, len(kept), 3),
        joint_regressor=tensor(regressor),
        weights=tensor(weights),
        faces=torch.from_numpy(faces),
    )
