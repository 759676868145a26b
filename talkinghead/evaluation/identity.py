"""Is it still the same person: embeddings of rendered frames, and of the real video's, against the portrait's.

By dlib's face network (`face_network`); every face is found anew in the frame that is judged.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import numpy as np

from talkinghead.evaluation.clips import HeldOut
from talkinghead.evaluation.driven import DrivenClip, driven_clips
from talkinghead.evaluation.table import Table
from talkinghead.pipeline import TalkingHead
from talkinghead.synthesis.face_network import REMEDY, SAME_PERSON, FaceNetwork, face_chip
from talkinghead.types import ByteArray, FloatArray

SEARCHED: Final = 100
NUM_FRAMES: Final = 6
WITHIN: Final = 0.05
_COSINE, _DISTANCE, _SAME = "similarity (cosine)", "distance", f"same person (under {SAME_PERSON})"


def identity_tables(held_out: HeldOut) -> list[Table]:
    """Rendered and real frames against the portrait, a clip a person; without the network, how to get it."""
    network = FaceNetwork.load()
    title = "Identity against the portrait"
    if network is None:
        return [Table(title, f"Not measured: dlib's network is not here; {REMEDY}.", {})]
    portraits: list[FloatArray] = []
    found: dict[str, list[FloatArray]] = defaultdict(list)
    for clip in driven_clips(held_out.head, held_out.one_a_person, SEARCHED):
        described = _described(held_out.head, network, clip)
        if described is not None:
            portraits.append(described.pop("portrait")[0])
            for row, embeddings in described.items():
                found[row].append(embeddings)
    rows = {row: _scores(portraits, embeddings) for row, embeddings in found.items()}
    if len(portraits) > 1:
        rows["chance: another person's portrait"] = _scores([*portraits[1:], portraits[0]], found["real video"])
    if portraits:
        rows["rendered less real"] = {name: rows["rendered"][name] - rows["real video"][name] for name in rows["rendered"]}
    note = (
        f"dlib's embedding of {NUM_FRAMES} frames of a clip against that of its first, which is the portrait; {len(portraits)} "
        f"clips, a person each. Wanted: a similarity within {WITHIN} of the real video's."
    )
    return [Table(title, note, rows, ".3f", {_SAME: ".0%"})]


def _described(head: TalkingHead, network: FaceNetwork, clip: DrivenClip) -> dict[str, FloatArray] | None:
    """Row -> (K, 128) of the same frames; None where the clip shows too few faces."""
    later = clip.seen[clip.seen > 0]
    if len(later) < NUM_FRAMES:
        return None
    chosen = later[np.linspace(0, len(later) - 1, NUM_FRAMES).round().astype(int)]
    rendered = head.renderer(clip.crop, clip.meshes(chosen))
    pairs = [(clip.frames[t], picture) for t, picture in zip(chosen, rendered, strict=True)]
    chips = {
        "portrait": [_chip(head, clip.frames[0])],
        "rendered": [_chip(head, picture) for _, picture in pairs],
        "real video": [_chip(head, real) for real, _ in pairs],
    }
    shown = {row: [chip for chip in of_row if chip is not None] for row, of_row in chips.items()}
    return {row: network.describe(of_row) for row, of_row in shown.items()} if all(shown.values()) else None


def _chip(head: TalkingHead, picture: ByteArray) -> FloatArray | None:
    faces = head.tracker.detect(picture)
    return face_chip(picture, faces[0].points) if faces else None


def _scores(portraits: list[FloatArray], embeddings: list[FloatArray]) -> dict[str, float]:
    """portraits: (128,) a clip, embeddings: (K, 128) of the same clips -> the means, a vote a clip."""
    votes: dict[str, list[float]] = defaultdict(list)
    for portrait, frames in zip(portraits, embeddings, strict=True):
        distances = np.linalg.norm(frames - portrait, axis=1)
        lengths = np.linalg.norm(frames, axis=1) * np.linalg.norm(portrait)
        votes[_COSINE].append(float((frames @ portrait / lengths).mean()))
        votes[_DISTANCE].append(float(distances.mean()))
        votes[_SAME].append(float((distances < SAME_PERSON).mean()))
    return {name: float(np.mean(values)) for name, values in votes.items()}
