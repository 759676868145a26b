"""Vertices of a face -> small grey pictures of it from straight ahead, with gradients: for networks that look at faces.

Which triangle is seen in a pixel is found without gradients; where in it the pixel lies, its normal, its tone and so its shade
follow the vertices (deferred shading). So gradients come from the inside of surfaces, as shade and tone move under the pixels,
and none from outlines, where one surface covers another: of the gap of the lips the network feels the dark rim that moves, not
the edge. A face of one even tone would teach it next to nothing; the lips are darker than the skin here.
Sources: Laine et al., "Modular Primitives for High-Performance Differentiable Rendering" (nvdiffrast), SIGGRAPH Asia 2020,
without its antialiasing; Danecek et al., "EMOTE", SIGGRAPH Asia 2023, section 3.3, and Filntisis et al., "SPECTRE", CVPR
Workshops 2023, section 3, which look at renderings in this way.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from talkinghead.synthesis.rasteriser import rasterise
from talkinghead.types import FloatArray, IntArray

LIGHT: Final = (0.0, 0.35, 0.94)
"""Where it comes from: the viewer's side and a little above."""
AMBIENT: Final = 0.3
_LEAST_AREA: Final = 1e-6


class GreyPicture(nn.Module):
    """(..., V, 3) m, x right, y up, z to the viewer -> (..., S, S) in [0, 1], 0 where nothing is. Nothing in it is learnt."""

    faces: torch.Tensor
    tones: torch.Tensor
    light: torch.Tensor

    def __init__(self, faces: IntArray, tones: FloatArray, centre_m: tuple[float, float], side_m: float, size_px: int) -> None:
        """
        Args:
            faces: (F, 3) anticlockwise from outside.
            tones: (V,) in [0, 1], how much light each vertex throws back.
            centre_m, side_m: the square that is looked at, parallel to the picture (orthographic).
            size_px: S.
        """
        super().__init__()
        self.centre_m, self.side_m, self.size_px = centre_m, side_m, size_px
        self.register_buffer("faces", torch.from_numpy(np.ascontiguousarray(faces, np.int64)))
        self.register_buffer("tones", torch.from_numpy(np.ascontiguousarray(tones, np.float32)))
        self.register_buffer("light", functional.normalize(torch.tensor(LIGHT), dim=0))

    def forward(self, vertices: torch.Tensor) -> torch.Tensor:
        """vertices: (..., V, 3) m -> (..., S, S)."""
        leading, (num_vertices, _) = vertices.shape[:-2], vertices.shape[-2:]
        vertices = vertices.reshape(-1, num_vertices, 3)
        scale = self.size_px / self.side_m
        across_px = (vertices[..., 0] - self.centre_m[0]) * scale + self.size_px / 2
        down_px = (self.centre_m[1] - vertices[..., 1]) * scale + self.size_px / 2
        points = torch.stack([across_px, down_px], -1)
        with torch.no_grad():
            seen = self._seen(torch.cat([points, -vertices[..., 2:] * scale], -1))
            pixels = seen.flatten().nonzero()[:, 0]
            triangle = seen.flatten()[pixels] - 1
            frame, within = pixels // self.size_px**2, pixels % self.size_px**2
            centres = torch.stack([within % self.size_px, within // self.size_px], -1).to(points) + 0.5
            corners = self.faces[triangle] + (frame * num_vertices)[:, None]
        share = _barycentric(points.reshape(-1, 2)[corners] - centres[:, None])
        normals = self._normals(vertices).reshape(-1, 3)[corners]
        normal = functional.normalize((share[..., None] * normals).sum(1), dim=-1)
        tone = (share * self.tones.to(share)[self.faces[triangle]]).sum(1)
        shade = tone * (AMBIENT + (1 - AMBIENT) * (normal @ self.light.to(normal)).clamp(min=0))
        picture = shade.new_zeros(seen.numel()).index_copy(0, pixels, shade)
        return picture.reshape(*leading, self.size_px, self.size_px)

    def _seen(self, points: torch.Tensor) -> torch.Tensor:
        """points: (N, V, 3) px, depth away from the viewer -> (N, S, S) number of the triangle seen, from 1; 0 for none."""
        faces = self.faces.cpu().numpy()
        # The rasteriser interpolates what stands at vertices: each triangle gets its own three, which all say its number.
        own = np.arange(faces.size, dtype=np.int64).reshape(faces.shape)
        numbers = np.repeat(np.arange(1, len(faces) + 1, dtype=np.float32), 3)[:, None]
        of_frames = points.detach().cpu().float().numpy()
        seen = [rasterise(each[faces.ravel()], own, numbers, self.size_px, self.size_px)[0][..., 0] for each in of_frames]
        return torch.from_numpy(np.rint(np.stack(seen)).astype(np.int64)).to(points.device)

    def _normals(self, vertices: torch.Tensor) -> torch.Tensor:
        """(N, V, 3) -> (N, V, 3) unit normals, the mean of the triangles about a vertex by their areas."""
        corners = vertices[:, self.faces.flatten()].reshape(len(vertices), -1, 3, 3)
        of_faces = torch.linalg.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
        total = torch.zeros_like(vertices).index_add(1, self.faces.flatten(), of_faces.repeat_interleave(3, 1))
        return functional.normalize(total, dim=-1, eps=1e-12)


def _barycentric(corners: torch.Tensor) -> torch.Tensor:
    """corners: (P, 3, 2) px about the pixel's centre -> (P, 3) how much of each corner the centre is."""
    a, b, c = corners.unbind(1)
    parts = torch.stack([_cross(b, c), _cross(c, a), _cross(a, b)], 1)
    area = parts.sum(1, keepdim=True)
    return parts / torch.where(area.abs() < _LEAST_AREA, torch.full_like(area, _LEAST_AREA), area)


def _cross(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
