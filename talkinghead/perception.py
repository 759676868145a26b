"""A run of the articulator, the rig and the user's networks -> the losses on what its face looks like.

The only place where motion, rig and pictures meet in training. The networks are optional files, read from folders and never
downloaded; docs/mead.md says which fit. Knows who looks at what; knows nothing of losses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from torch import nn

from talkinghead.errors import ConfigError
from talkinghead.facemesh import LEFT_IRIS, LIP_CORNERS_OUTER, NUM_SKIN, OUTER_LIPS, RIGHT_IRIS
from talkinghead.motion.expression import PROTOTYPE_MATRIX
from talkinghead.motion.expression_fitting import load_prototypes
from talkinghead.motion.face_losses import FaceLosses, FaceSurface, check_weights
from talkinghead.motion.training_clips import ArticulatorConfig
from talkinghead.rig.face_rig import FaceRig
from talkinghead.synthesis.grey_picture import GreyPicture
from talkinghead.synthesis.lip_reading import SIZE_PX, VisualFrontEnd
from talkinghead.synthesis.video_emotion import VideoEmotionNetwork
from talkinghead.types import FloatArray, IntArray

MOUTH_WIDTHS: Final = 1.9
"""Side of the picture of the mouth, in its widths: from under the nose to the chin, as lip readers are trained."""
FACE_MARGIN: Final = 1.1
_SKIN_TONE: Final = 0.8
_LIP_TONE: Final = 0.45
_RIM_TONE: Final = 0.65
_INNER_PARTS: Final = ("upper_teeth", "lower_teeth", "tongue", "mouth_cavity", "eyeball_right", "eyeball_left")


class Looking(nn.Module):
    """Vertices (B, T, V, 3) m -> what a network sees in a picture of them, (B, T, F)."""

    def __init__(self, picture: GreyPicture, network: nn.Module) -> None:
        super().__init__()
        self.picture, self.network = picture, network

    def forward(self, vertices: torch.Tensor) -> torch.Tensor:
        """vertices: (B, T, V, 3) m, x right, y up, z to the viewer."""
        features: torch.Tensor = self.network(self.picture(vertices))
        return features


def face_losses(config: ArticulatorConfig, rig: FaceRig) -> FaceLosses | None:
    """What `train_articulator` takes as `losses`; None where the configuration asks for none.

    Raises:
        ConfigError: weights and folders that do not go together.
        CheckpointError: a folder that is missing, or holds something else.
    """
    if not check_weights(config):
        return None
    if config.expression and not Path(config.expression).is_dir():
        raise ConfigError(f"expression {config.expression}: no such folder; give one of train.py expression, or leave it out.")
    prototypes = load_prototypes(Path(config.expression)) if config.expression else PROTOTYPE_MATRIX
    reader = VisualFrontEnd.load(Path(config.lip_reading)) if config.lip_reading else None
    feeler = VideoEmotionNetwork.load(Path(config.video_emotion)) if config.video_emotion else None
    return FaceLosses(
        config,
        FaceSurface.of(lambda blendshapes: rig.express(blendshapes, np.zeros((len(blendshapes), 2), np.float32), rig.neutral)),
        prototypes,
        Looking(mouth_picture(rig, SIZE_PX), reader) if reader is not None else None,
        Looking(face_picture(rig, feeler.size_px), feeler) if feeler is not None else None,
    )


def mouth_picture(rig: FaceRig, size_px: int) -> GreyPicture:
    """The mouth of a rig from straight ahead."""
    right, left = rig.neutral[list(LIP_CORNERS_OUTER)]
    lips = rig.neutral[list(OUTER_LIPS)]
    middle = float(lips[:, 0].mean()), float((lips[:, 1].max() + lips[:, 1].min()) / 2)
    return GreyPicture(_drawn(rig), _tones(rig), middle, MOUTH_WIDTHS * float(np.linalg.norm(left - right)), size_px)


def face_picture(rig: FaceRig, size_px: int) -> GreyPicture:
    """The face of a rig from straight ahead, all of it."""
    skin = rig.neutral[rig.part("skin")]
    low, high = skin.min(0), skin.max(0)
    side = FACE_MARGIN * float((high - low)[:2].max())
    return GreyPicture(_drawn(rig), _tones(rig), (float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2), side, size_px)


def _drawn(rig: FaceRig) -> IntArray:
    """(F, 3) of the skin and what is behind its openings."""
    drawn: IntArray = np.concatenate([rig.faces[slice(*rig.part_faces[name])] for name in ("skin", *_INNER_PARTS)])
    return drawn


def _tones(rig: FaceRig) -> FloatArray:
    """(V,) grey of each vertex: the lips darker than the skin, the inner parts as the rig has them."""
    tones: FloatArray = rig.colours.mean(1).astype(np.float32)
    tones[rig.part("skin")] = _SKIN_TONE
    across = rig.neutral[:, :2].astype(np.float32)
    outline = across[list(OUTER_LIPS)][:, None]
    for vertex in range(NUM_SKIN):
        if cv2.pointPolygonTest(outline, across[vertex].tolist(), False) > 0:
            tones[vertex] = _LIP_TONE
    tones[list(OUTER_LIPS)] = _RIM_TONE
    tones[[*RIGHT_IRIS, *LEFT_IRIS]] = 0
    return tones
