"""Prepared clips -> pairs of (guides, real picture): any frame of a clip is the reference for any other.

Reads what `scripts/prepare_meshes.py` wrote: the pixels of each clip's frames and where its fitted mesh stands in them. Clips
are read when they are wanted, and the latest of them kept: a set like MEAD is larger than any memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from talkinghead.synthesis.geometry import aligned_crop, area_crop, polygon_mask
from talkinghead.synthesis.mouth import MOUTH_HEIGHT, MOUTH_WIDTH, ReferenceMouth, build_mouth, mirrored_mouth
from talkinghead.synthesis.proxies import ReferenceFace, build_proxies, mirrored
from talkinghead.synthesis.regions import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from talkinghead.synthesis.topology import MeshTopology
from talkinghead.types import ByteArray, FloatArray

MAX_TURN: Final = 0.3
"""A reference turned further away than this from its target shows another side of the face."""
COMPLEXION_SHARE: Final = 0.3
"""Of the pairs, how many are of another skin."""
_PHOTOGRAPH: Final = "photograph"
_LIPS_AND_LIDS: Final = np.concatenate([INNER_LIPS, OUTER_LIPS, RIGHT_EYE, LEFT_EYE])


@dataclass(frozen=True, eq=False)
class PreparedClip:
    """One clip of `data/meshes`.

    frames: (T, H, W, 3) uint8 RGB; meshes: (T, V, 3) px; identity: whose face.
    wide: (T,) how telling each frame is: more for an open mouth and for shut lids.
    turned: (T,) how far the head is turned to its side: where the nose stands along the line from the right eye's outer corner
        to the left one's, from its middle, in parts of its length.
    """

    frames: ByteArray
    meshes: FloatArray
    identity: str
    wide: FloatArray
    turned: FloatArray

    @property
    def num_bytes(self) -> int:
        return self.frames.nbytes + self.meshes.nbytes

    @staticmethod
    def load(file: Path) -> PreparedClip:
        """Read a clip of `data/meshes`."""
        with np.load(file, allow_pickle=False) as archive:
            return PreparedClip.of(archive["frames"], archive["meshes"].astype(np.float32), str(archive["identity"]))

    @staticmethod
    def of(frames: ByteArray, meshes: FloatArray, identity: str) -> PreparedClip:
        """Frames, meshes and whose they are -> a clip, with what its frames are worth."""
        gap = np.linalg.norm(meshes[:, 13] - meshes[:, 14], axis=1) / np.linalg.norm(meshes[:, 78] - meshes[:, 308], axis=1)
        lid = np.linalg.norm(meshes[:, 159] - meshes[:, 145], axis=1)
        blink = lid < 0.55 * np.median(lid)
        wide = 0.3 + 3 * np.clip(gap, 0, 0.6) + 1.0 * blink
        eyes = meshes[:, 263, :2] - meshes[:, 33, :2]
        nose = meshes[:, 1, :2] - (meshes[:, 263, :2] + meshes[:, 33, :2]) / 2
        turned = (nose * eyes).sum(1) / np.maximum((eyes**2).sum(1), 1)
        return PreparedClip(frames, meshes, identity, wide.astype(np.float32), turned.astype(np.float32))


def is_photograph(identity: str) -> bool:
    """Whether frame 0 alone is real, as `scripts/prepare_meshes.py --photographs` makes them."""
    return identity.startswith(_PHOTOGRAPH)


class ClipSource(Protocol):
    """Where a clip is read from when it is wanted, and whose it is known to be before. It can be hashed."""

    @property
    def identity(self) -> str: ...

    def load(self) -> PreparedClip: ...


@dataclass(frozen=True)
class MeshFile:
    """A clip of `data/meshes`."""

    file: Path
    identity: str

    @staticmethod
    def of(file: Path) -> MeshFile:
        """Read whose it is."""
        with np.load(file, allow_pickle=False) as archive:
            return MeshFile(file, str(archive["identity"]))

    def load(self) -> PreparedClip:
        return PreparedClip.load(self.file)


class ClipCache:
    """Sources -> clips, each read when it is wanted; those wanted longest ago go when all are more than `max_bytes`."""

    def __init__(self, max_bytes: float) -> None:
        self.max_bytes, self.num_bytes = max_bytes, 0
        self._clips: OrderedDict[ClipSource, PreparedClip] = OrderedDict()

    def __getitem__(self, source: ClipSource) -> PreparedClip:
        if source not in self._clips:
            self._clips[source] = source.load()
            self.num_bytes += self._clips[source].num_bytes
            while self.num_bytes > self.max_bytes and len(self._clips) > 1:
                self.num_bytes -= self._clips.popitem(last=False)[1].num_bytes
        self._clips.move_to_end(source)
        return self._clips[source]


class PairDataset(Dataset[tuple[Tensor, Tensor]]):
    """`length` pairs, each identity as often as any other. Every item is a function of (seed, index) alone."""

    def __init__(
        self,
        clips: Sequence[Path | ClipSource],
        topology: MeshTopology,
        seed: int,
        length: int,
        cache_gb: float = 4.0,
        part: str = "face",
        photograph_share: float = 0.2,
    ) -> None:
        """clips: files of `data/meshes`, or other sources. cache_gb: how much memory they may take, for each loader's worker.

        part: "face" or "mouth", whose guides and crop; photograph_share: of the pairs, where there are photographs.
        """
        self.topology, self.seed, self.length = topology, seed, length
        self.pair, self.mirrored = {"face": (_face_pair, mirrored), "mouth": (_mouth_pair, mirrored_mouth)}[part]
        self.photograph_share = photograph_share
        self.clips = ClipCache(cache_gb * 1e9)
        self.by_identity: dict[str, list[ClipSource]] = {}
        for clip in clips:
            source: ClipSource = MeshFile.of(clip) if isinstance(clip, Path) else clip
            identity = _PHOTOGRAPH if is_photograph(source.identity) else source.identity
            self.by_identity.setdefault(identity, []).append(source)
        self.people = sorted(name for name in self.by_identity if name != _PHOTOGRAPH)

    def __len__(self) -> int:
        return self.length

    def clip(self, rng: np.random.Generator) -> PreparedClip:
        """A clip of anybody's, or a photograph."""
        return self.clips[self._source(rng)]

    def _source(self, rng: np.random.Generator) -> ClipSource:
        photographs = self.by_identity.get(_PHOTOGRAPH, [])
        if photographs and (not self.people or rng.random() < self.photograph_share):
            return photographs[rng.integers(len(photographs))]
        own = self.by_identity[self.people[rng.integers(len(self.people))]]
        return own[rng.integers(len(own))]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """(16, h, w) guides in [-1, 1] and (3, h, w) real picture in [0, 1]."""
        rng = np.random.default_rng([self.seed, index])
        clip = self.clip(rng)
        if is_photograph(clip.identity):  # frame 0 is real, the others are what it was driven to
            source, target = int(rng.integers(1, len(clip.frames))), 0
        else:
            target = int(rng.choice(len(clip.frames), p=clip.wide / clip.wide.sum()))
            near = np.flatnonzero(np.abs(clip.turned - clip.turned[target]) < MAX_TURN)
            source = int(near[rng.integers(len(near))])
        frames = np.stack([clip.frames[source], clip.frames[target]])
        if rng.random() < COMPLEXION_SHARE:
            frames = with_complexion(frames, np.stack([clip.meshes[source], clip.meshes[target]]), rng)
        frames = recoloured(frames, rng)
        target_px = jittered(clip.meshes[target], rng) if rng.random() < 0.4 else clip.meshes[target]
        stack, real = self.pair(frames, clip.meshes[source], target_px, self.topology)
        turned = bool(rng.random() < 0.5)
        return (self.mirrored(stack), real.flip(-1)) if turned else (stack, real)


def _face_pair(
    frames: ByteArray, source_px: FloatArray, target_px: FloatArray, topology: MeshTopology
) -> tuple[Tensor, Tensor]:
    proxies = build_proxies(ReferenceFace(frames[0], source_px, topology), target_px)
    return torch.from_numpy(proxies.face_guides.stack()), _as_tensor(aligned_crop(frames[1], proxies.to_aligned))


def _mouth_pair(
    frames: ByteArray, source_px: FloatArray, target_px: FloatArray, topology: MeshTopology
) -> tuple[Tensor, Tensor]:
    proxies = build_mouth(ReferenceMouth(frames[0], source_px, topology), target_px)
    return torch.from_numpy(proxies.stack()), _as_tensor(area_crop(frames[1], proxies.to_crop, MOUTH_WIDTH, MOUTH_HEIGHT))


def _as_tensor(picture: FloatArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1) / np.float32(255)))


def jittered(mesh: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A mesh whose lips and lids are wrong by about a pixel of a 130 px face: the fitted rig is no better."""
    size = float(np.ptp(mesh[:468, 0])) / 130
    moved = mesh.copy()
    moved[_LIPS_AND_LIDS, :2] += rng.normal(0, 0.5 * size, (len(_LIPS_AND_LIDS), 2)).astype(np.float32)
    moved[:478, :2] += rng.normal(0, 0.4 * size, 2).astype(np.float32)
    return moved


def with_complexion(frames: ByteArray, meshes: FloatArray, rng: np.random.Generator) -> ByteArray:
    """The same skin made darker and browner, or a little lighter, in both frames; eyes and teeth keep their colours.

    Few people of the training clips are dark, and a network that has seen few takes the skin's colour for the light's.
    """
    depth = rng.uniform(-0.15, 1.0)
    gain = np.exp(-depth * np.array([0.45, 0.75, 0.95]) * rng.uniform(0.8, 1.2, 3)).astype(np.float32)
    height, width = frames.shape[1:3]
    result = np.empty_like(frames)
    for frame, mesh, made in zip(frames, meshes, result, strict=True):
        loops = [mesh[loop, :2] for loop in (INNER_LIPS, RIGHT_EYE, LEFT_EYE)]
        kept = cv2.GaussianBlur(polygon_mask(loops, height, width), (0, 0), 0.7)[..., None]
        made[:] = np.clip(frame * (kept + (1 - kept) * gain), 0, 255).astype(np.uint8)
    return result


def recoloured(frames: ByteArray, rng: np.random.Generator) -> ByteArray:
    """The same change of light, tint or style for reference and target."""
    x = frames.astype(np.float32) / 255
    if rng.random() < 0.7:
        x = np.clip(x, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.25)))
        x = x * np.exp(rng.normal(0, 0.08, 3)).astype(np.float32) * np.float32(np.exp(rng.normal(0, 0.12)))
    if rng.random() < 0.12:
        x = np.repeat(x.mean(-1, keepdims=True), 3, -1)
    x8: ByteArray = (np.clip(x, 0, 1) * 255).astype(np.uint8)
    style = rng.random()
    if style < 0.08:
        x8 = np.stack([cv2.bilateralFilter(f, 7, 60, 5) for f in x8])
    elif style < 0.14:
        levels = int(rng.integers(6, 14))
        x8 = (np.round(x8.astype(np.float32) / 255 * levels) / levels * 255).astype(np.uint8)
    return x8
