"""One video beside the real one -> its metrics, and the features of those that are of a whole set.

Knows what is measured where; the formulas are in the modules of metrics. Networks see every fifth frame (LPIPS, CSIM, emotion),
five a clip (FID), windows of sixteen (FVD) or all (SyncNet). One clip's frames are held, of 256 px, and no more.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from talkinghead.audio.voice import Phoneme
from talkinghead.evaluation.clips import tracked_points
from talkinghead.evaluation.contacts import AROUND_S, CLOSED_GAPS, lip_gap, reaches
from talkinghead.evaluation.correlation import MAX_OFFSET, best_within, lag_correlations
from talkinghead.evaluation.frame_metrics import psnr_db, ssim
from talkinghead.evaluation.frechet import CLIP_FRAMES, FRAMES_A_CLIP
from talkinghead.evaluation.gesture import blink_statistics, spread
from talkinghead.evaluation.landmark_metrics import (
    face_distance,
    face_velocity_distance,
    ibug68,
    jitter,
    mouth_distance,
    mouth_velocity_distance,
    placed_distance,
)
from talkinghead.evaluation.languages import kind_of
from talkinghead.evaluation.networks import Network, Networks
from talkinghead.evaluation.paper_clips import PaperClip
from talkinghead.evaluation.paper_metrics import OURS, REAL, STILL
from talkinghead.evaluation.paper_videos import ClipVideos, motion_of
from talkinghead.evaluation.sync import WINDOW_FRAMES, num_windows, sound_windows, sync_box, sync_scores
from talkinghead.evaluation.vertex_metrics import (
    coverage_error,
    diversity,
    dynamics_deviation,
    lip_vertex_error,
    mean_estimate_error,
    mean_vertex_error,
    squared_lip_vertex_error,
    upper_face,
)
from talkinghead.motion.dataset import lip_opening
from talkinghead.pipeline import TalkingHead
from talkinghead.synthesis.face_network import FaceNetwork, face_chip
from talkinghead.synthesis.geometry import area_crop, similarity
from talkinghead.types import EMOTIONS, ByteArray, FaceMotion, FloatArray, TrackedFace

EVERY: Final = 5
FACE_MARGIN: Final = 1.25
"""Side of the square that an emotion is read in, over the face's larger side."""
_ARCFACE_PX: Final = 112
_ARCFACE: Final = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Where insightface's template has the eyes, the nose and the mouth's corners (Deng et al., "ArcFace", CVPR 2019)."""
_ARCFACE_POINTS: Final = (468, 473, 4, 61, 291)


@dataclass(eq=False)
class Scored:
    """values: metric -> of this clip, as `paper_metrics.METRICS` without those of a set. features: "fid", "fvd" -> (n, D)."""

    values: dict[str, float] = field(default_factory=dict)
    features: dict[str, FloatArray] = field(default_factory=dict)


@dataclass(eq=False)
class Judges:
    """Everything that looks: the checkpoint's tracker and rig, the user's networks, dlib's where it is installed."""

    head: TalkingHead
    networks: Networks
    dlib: FaceNetwork | None = field(default_factory=FaceNetwork.load)


def score(videos: ClipVideos, system: str, judges: Judges) -> Scored:
    """One system's video of a clip -> its scores."""
    clip, scored = videos.clip, Scored()
    seen: list[ByteArray] = []
    faces: list[TrackedFace | None] = []
    quality: list[tuple[float, float]] = []
    for index, (frame, face) in enumerate(watched(videos, system, judges.head)):
        seen.append(frame)
        faces.append(face)
        quality.append((psnr_db(frame, clip.frames[index]), ssim(frame, clip.frames[index])))
    scored.values |= quality_scores(quality)
    points, real = tracked_points(faces), tracked_points(clip.faces)[: len(faces)]
    scored.values |= point_scores(points, real)
    scored.values["closures"] = closures(videos.phonemes, points)
    if any(face is not None for face in faces):
        scored.values |= gesture_scores(motion_of(judges.head, faces))
        scored.values |= _face_scores(seen, faces, clip, judges)
    scored.values |= _vertex_scores(videos, system)
    if (lpips := judges.networks["lpips"]) is not None:
        pairs = [lpips.pictures(frames[::EVERY]) for frames in (seen, clip.frames[: len(seen)])]
        scored.values["lpips"] = float(lpips(*pairs).mean())
    scored.features = features(seen, judges.networks)
    return scored


def watched(videos: ClipVideos, system: str, head: TalkingHead) -> Iterator[tuple[ByteArray, TrackedFace | None]]:
    """Frames of a system and the face that is tracked in each, as they come; the real clip's are known."""
    if system == REAL:
        yield from zip(videos.clip.frames, videos.clip.faces, strict=True)
        return
    waiting: deque[ByteArray] = deque()

    def passing() -> Iterator[ByteArray]:
        for frame in videos.frames(system):
            waiting.append(frame)
            yield frame

    for face in head.tracker.track(passing()):
        yield waiting.popleft(), face


def point_scores(points: FloatArray, real: FloatArray) -> dict[str, float]:
    """points, real: (T, 478, 3) px, NaN where no face was seen -> what needs nothing else."""
    ours, theirs = ibug68(points), ibug68(real)
    rs = lag_correlations(lip_opening(points), lip_opening(real))
    return {
        "m_lmd": mouth_distance(ours, theirs),
        "f_lmd": face_distance(ours, theirs),
        "lmd": placed_distance(ours, theirs),
        "m_lvd": mouth_velocity_distance(ours, theirs),
        "f_lvd": face_velocity_distance(ours, theirs),
        "aperture": best_within(rs, 0, 0),
        "aperture_best": best_within(rs, 0, MAX_OFFSET),
        "jitter": jitter(ours),
        "face_seen": float(np.isfinite(points).all((1, 2)).mean()),
    }


def quality_scores(frames: Sequence[tuple[float, float]]) -> dict[str, float]:
    """PSNR and SSIM a frame -> of the clip: the first frame, which is the portrait, is left out.

    So are further frames that are equal to the last bit, of which PSNR is infinite, unless all are.
    """
    psnr, ssims = np.array(frames[1:] or frames).T
    return {"psnr": float(psnr[np.isfinite(psnr)].mean()) if np.isfinite(psnr).any() else math.inf, "ssim": float(ssims.mean())}


def gesture_scores(motion: FaceMotion) -> dict[str, float]:
    """A motion that was tracked -> blinks a minute, and deviations within the clip: head and gaze, degrees, all axes together,
    and brows, of their coefficients."""
    deviations = spread(motion).astype(np.float64)
    return {
        "blinks": blink_statistics(motion)[0],
        "head": math.degrees(float(np.linalg.norm(deviations[:3]))),
        "gaze": math.degrees(float(np.linalg.norm(deviations[6:8]))),
        "brows": float(deviations[8]),
    }


def closures(phonemes: Sequence[Phoneme], points: FloatArray) -> float:
    """The part of p, b and m at which the lips meet, NaN where there is none. points: (T, 478, 3) px.

    The lips are looked at from 0.12 s before to 0.12 s after the phoneme, for the times are an alignment's; a mouth that is
    always closed closes at all of them.
    """
    gap = lip_gap(points)
    spans = [(p.start_s - AROUND_S, p.end_s + AROUND_S) for p in phonemes if kind_of(p.symbol) == "p, b, m"]
    return float(np.mean([reaches(gap, *span, CLOSED_GAPS[0]) for span in spans])) if spans else math.nan


def _vertex_scores(videos: ClipVideos, system: str) -> dict[str, float]:
    """3-D metrics of a system that has a motion of its own; the warp's is the checkpoint's, the file's is the real one's."""
    real, neutral = videos.vertices(videos.real_motion), videos.head.rig.neutral * 1000
    if system == REAL:
        samples = [real]
    elif system == STILL:
        samples = [np.repeat(real[:1], len(real), 0)]
    elif system == OURS:
        samples = [videos.vertices(motion) for motion in videos.motions]
    else:
        return {}
    found = {
        "lve": lip_vertex_error(samples[0], real),
        "lve_squared": squared_lip_vertex_error(samples[0], real),
        "mve": mean_vertex_error(samples[0], real),
        "fdd": dynamics_deviation(samples[0], real, neutral, upper_face(neutral)),
    }
    if system == OURS:
        found |= {
            "mee": mean_estimate_error(samples, real),
            "ce": coverage_error(samples, real),
            "diversity": diversity(samples),
        }
    return found


def _face_scores(frames: list[ByteArray], faces: list[TrackedFace | None], clip: PaperClip, judges: Judges) -> dict[str, float]:
    """What networks see in the faces of a video, those that are there."""
    found: dict[str, float] = {}
    shown = [(frame, face) for frame, face in zip(frames, faces, strict=True) if face is not None][::EVERY]
    portrait = clip.frames[0], clip.faces[0]
    assert portrait[1] is not None
    if judges.dlib is not None:
        chips = [face_chip(frame, face.points) for frame, face in [(portrait[0], portrait[1]), *shown]]
        found["csim_dlib"] = likeness(judges.dlib.describe(chips))
    if (arcface := judges.networks["arcface"]) is not None:
        aligned = [arcface_chip(frame, face.points) for frame, face in [(portrait[0], portrait[1]), *shown]]
        found["csim"] = likeness(arcface(arcface.pictures(aligned)))
    if (emotion := judges.networks["emotion"]) is not None and clip.emotion:
        said = emotion(emotion.pictures([face_square(frame, face.points) for frame, face in shown]))
        found["accuracy"] = float(recognised(said, emotion.settings.labels) == clip.emotion)
    picture, sound = judges.networks["syncnet_picture"], judges.networks["syncnet_sound"]
    if picture is not None and sound is not None:
        found["lse_c"], found["lse_d"] = _synchrony(frames, faces, clip, picture, sound)
    return found


def likeness(embeddings: FloatArray) -> float:
    """(1 + K, D), the portrait's first -> CSIM: the mean over K frames of the cosine with the portrait's embedding.

    Source: Zakharov et al., "Few-Shot Adversarial Learning of Realistic Neural Talking Head Models", ICCV 2019.
    """
    unit = embeddings.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    return float((unit[1:] @ unit[0]).mean())


def recognised(logits: FloatArray, labels: tuple[str, ...] = EMOTIONS) -> str:
    """(K, 8) a frame -> the class whose probability, the mean over the frames, is largest: a clip has one vote."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return labels[int((shifted / shifted.sum(1, keepdims=True)).mean(0).argmax())]


def _synchrony(
    frames: list[ByteArray], faces: list[TrackedFace | None], clip: PaperClip, picture: Network, sound: Network
) -> tuple[float, float]:
    """LSE-C and LSE-D of a clip."""
    left, top, side = sync_box(tracked_points(faces))
    count = num_windows(len(frames), len(clip.audio.samples))
    if not count:
        return math.nan, math.nan
    crops = picture.pictures([square(frame, left, top, side, picture.size_px[0]) for frame in frames])
    windows = np.moveaxis(np.lib.stride_tricks.sliding_window_view(crops, WINDOW_FRAMES, axis=0), -1, 2)[:count]
    confidence, distance, _ = sync_scores(picture(windows), sound(sound_windows(clip.audio.samples, count)))
    return confidence, distance


def features(frames: list[ByteArray], networks: Networks) -> dict[str, FloatArray]:
    """A clip's frames -> "fid": (5, D) of evenly spaced ones, "fvd": (n, D) of windows of 16, where the networks are there."""
    found: dict[str, FloatArray] = {}
    if (inception := networks["inception"]) is not None:
        chosen = np.linspace(0, len(frames), min(len(frames), FRAMES_A_CLIP), endpoint=False).astype(int)
        found["fid"] = inception(inception.pictures([frames[index] for index in chosen]))
    if (i3d := networks["i3d"]) is not None and len(frames) >= CLIP_FRAMES:
        starts = range(0, len(frames) - CLIP_FRAMES + 1, CLIP_FRAMES)
        rows = [i3d(i3d.pictures(frames[s : s + CLIP_FRAMES]).transpose(1, 0, 2, 3)[None]) for s in starts]
        found["fvd"] = np.concatenate(rows)
    return found


def arcface_chip(frame: ByteArray, points: FloatArray) -> ByteArray:
    """points: (478, 3) px -> (112, 112, 3) uint8, turned and scaled to insightface's template."""
    matrix = similarity(points[list(_ARCFACE_POINTS), :2], np.array(_ARCFACE, np.float32))
    return _bytes(area_crop(frame, matrix, _ARCFACE_PX, _ARCFACE_PX))


def face_square(frame: ByteArray, points: FloatArray) -> ByteArray:
    """points: (478, 3) px -> the square round a face, upright, at its own resolution."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    side = max(8, round(FACE_MARGIN * float((high - low).max())))
    left, top = ((low + high) / 2 - side / 2).round().astype(int)
    return square(frame, int(left), int(top), side, side)


def square(frame: ByteArray, left: int, top: int, side: int, px: int) -> ByteArray:
    """A square of a picture -> (px, px, 3) uint8; beyond the picture its edge is drawn out."""
    scale = px / side
    matrix = np.array([[scale, 0, -left * scale + (scale - 1) / 2], [0, scale, -top * scale + (scale - 1) / 2]], np.float32)
    return _bytes(area_crop(frame, matrix, px, px))


def _bytes(picture: FloatArray) -> ByteArray:
    return np.asarray(np.clip(picture + 0.5, 0, 255), np.uint8)
