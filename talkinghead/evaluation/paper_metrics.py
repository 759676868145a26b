"""What stands in the table of a paper: each metric's name, unit, which way is better, and what it needs.

docs/metrics.md has the formulas; the functions are in `frame_metrics`, `landmark_metrics`, `vertex_metrics`, `sync` and
`frechet`. Knows names alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REAL: Final = "real video"
REENCODED: Final = "real, re-encoded"
STILL: Final = "portrait held still"
WARP: Final = "warp alone"
OURS: Final = "checkpoint"
SYSTEMS: Final = (REAL, REENCODED, STILL, WARP, OURS)
"""The columns of the table, in which order they are scored."""


@dataclass(frozen=True)
class Metric:
    """title: as printed. unit: "" where there is none. form: as `format` takes it.

    better: "up", "down", "zero", or "real", which is as near as may be to the real video's. networks: names of
    `networks.EXPECTED` without which it is not measured. of_set: of all clips together, not of each.
    """

    title: str
    unit: str
    better: str
    form: str = ".3f"
    networks: tuple[str, ...] = ()
    of_set: bool = False

    @property
    def heading(self) -> str:
        """Title, unit and the way that is better."""
        arrow = {"up": "↑", "down": "↓", "zero": "→ 0", "real": "≈ real"}[self.better]
        return f"{self.title}{f', {self.unit}' if self.unit else ''} {arrow}"


PICTURE: Final[dict[str, Metric]] = {
    "psnr": Metric("PSNR", "dB", "up", ".2f"),
    "ssim": Metric("SSIM", "", "up"),
    "lpips": Metric("LPIPS", "", "down", networks=("lpips",)),
    "fid": Metric("FID", "", "down", ".2f", ("inception",), True),
    "fvd": Metric("FVD", "", "down", ".1f", ("i3d",), True),
    "m_lmd": Metric("M-LMD", "px", "down"),
    "f_lmd": Metric("F-LMD", "px", "down"),
    "lmd": Metric("LMD in place", "px", "down"),
    "m_lvd": Metric("M-LVD", "px a frame", "down"),
    "f_lvd": Metric("F-LVD", "px a frame", "down"),
    "lse_c": Metric("LSE-C", "", "real", networks=("syncnet_picture", "syncnet_sound")),
    "lse_d": Metric("LSE-D", "", "real", networks=("syncnet_picture", "syncnet_sound")),
    "csim": Metric("CSIM", "", "real", networks=("arcface",)),
    "accuracy": Metric("emotion accuracy", "", "real", ".1%", ("emotion",)),
}
VERTEX: Final[dict[str, Metric]] = {
    "lve": Metric("LVE", "mm", "down"),
    "lve_squared": Metric("LVE without the root", "mm²", "down", ".2f"),
    "mve": Metric("MVE", "mm", "down"),
    "fdd": Metric("FDD", "mm", "zero"),
    "mee": Metric("MEE", "mm", "down"),
    "ce": Metric("CE", "mm", "down"),
    "diversity": Metric("diversity", "mm", "real"),
}
BESIDE: Final[dict[str, Metric]] = {
    "csim_dlib": Metric("CSIM by dlib's network", "", "real"),
    "aperture": Metric("lip aperture, r at lag 0", "", "up"),
    "aperture_best": Metric("lip aperture, best r within 5 frames", "", "up"),
    "closures": Metric("lips closed at p, b, m", "", "real", ".0%"),
    "jitter": Metric("jitter", "0.001 eye distances a frame²", "real", ".2f"),
    "blinks": Metric("blinks", "a minute", "real", ".1f"),
    "head": Metric("head turn, deviation", "°", "real", ".2f"),
    "gaze": Metric("gaze, deviation", "°", "real", ".2f"),
    "brows": Metric("brows, deviation", "", "real"),
    "face_seen": Metric("frames with a face", "", "real", ".1%"),
}
METRICS: Final[dict[str, Metric]] = PICTURE | VERTEX | BESIDE
OF_CLIPS: Final = tuple(name for name, metric in METRICS.items() if not metric.of_set)
