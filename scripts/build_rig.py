"""The face rig from ICT-FaceKit, the canonical face and tracked clips -> `checkpoints/default/rig`.

    pip install -e '.[rig]'                       # thins out the teeth's meshes
    python scripts/build_rig.py --data ../shared/data --prepared data/prepared --report

Start: the mean face of the tracked training clips, with ICT's expression deltas carried over. Then the deltas are refined on
those clips. `--report` prints how much of the motion of the held-out clips the rig explains, before and after.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from talkinghead import arkit
from talkinghead.landmarks import FaceTracker
from talkinghead.rig import anatomy, topology, transfer
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.gaze import Eyeball, place_eyeball
from talkinghead.rig.pose import Array
from talkinghead.rig.refinement import (
    REGIONS,
    Clip,
    explained,
    fit_clips,
    identity_modes,
    load_clips,
    mean_face,
    refine_deltas,
    ring_deltas,
    smile_left,
)
from talkinghead.training import save_arrays
from talkinghead.types import TrackedFace

OUTPUT = Path(__file__).parents[1] / "checkpoints/default/rig"
HINGE_M = (0.0, -0.012, 0.012)
UPPER_TEETH_UP_M = 0.0017
"""Median of the tracked talkers of `train`, by `synthesis.teeth_placement`, against teeth that bite at the lips' height."""
NUM_IDENTITIES = 32
NUM_PASSES = 2
NUM_ALTERNATIONS = 3
PRIOR_STRENGTH = 30.0
FIRST_LEFTOVER_M = 0.0012
TASK_FILE = Path(__file__).parents[1] / "checkpoints/default/tracker/face_landmarker.task"
NOTICE = """The expression deltas and the teeth start from ICT-FaceKit (USC Institute for Creative Technologies):

{}

The triangles and the order of the skin vertices are those of MediaPipe's canonical face (Google LLC),
Apache License 2.0, https://www.apache.org/licenses/LICENSE-2.0.
"""
IRIS_MIRROR = (473, 476, 475, 474, 477, 468, 471, 470, 469, 472)


def close_lids(neutral: Array, deltas: Array) -> None:
    """Makes `eyeBlink` bring each upper lid point onto its lower one, most of the way by the upper."""
    pairs = (
        ("eyeBlinkRight", topology.UPPER_LID_RIGHT, topology.LOWER_LID_RIGHT),
        ("eyeBlinkLeft", topology.UPPER_LID_LEFT, topology.LOWER_LID_LEFT),
    )
    for name, upper, lower in pairs:
        delta = deltas[arkit.INDEX[name]]
        gap = (neutral + delta)[list(upper)] - (neutral + delta)[list(lower)]
        gap[:, 1] -= 0.0002
        delta[list(upper)] -= 0.85 * gap * np.array([0.5, 1, 0.5])
        delta[list(lower)] += 0.15 * gap * np.array([0.5, 1, 0.5])


def close_mouth(neutral: Array, deltas: Array) -> None:
    """Makes `mouthClose` undo what `jawOpen` does to the gap between the lips; outer lips share it less."""
    opened = neutral + deltas[arkit.INDEX["jawOpen"]] + deltas[arkit.INDEX["mouthClose"]]
    delta = deltas[arkit.INDEX["mouthClose"]]
    upper, lower = list(topology.UPPER_LIP_INNER), list(topology.LOWER_LIP_INNER)
    gap = opened[upper] - opened[lower] - (neutral[upper] - neutral[lower])
    for points, share in ((upper, -0.35), (lower, 0.65)):
        delta[points] += share * gap
    for points, share in ((topology.UPPER_LIP_OUTER, -0.35), (topology.LOWER_LIP_OUTER, 0.65)):
        delta[list(points)] += 0.8 * share * gap


def assemble(
    neutral: Array, deltas: Array, identity: Array, variance: np.ndarray, model: transfer.IctModel, triangles: np.ndarray
) -> FaceRig:
    """neutral: (478, 3), deltas: (52, 478, 3), identity: (K, 478, 3) -> the whole rig with its inner parts."""
    skin = neutral.astype(np.float32)
    lips = skin[list(topology.INNER_LIPS)].mean(0)
    upper, lower = transfer.teeth(model, "upper"), transfer.teeth(model, "lower")
    # The tracker's lips lie in another depth than the scan's: hang the teeth 6 mm behind them.
    front = max(upper.vertices[:, 2].max(), lower.vertices[:, 2].max())
    bite = (upper.vertices[:, 1].min() + lower.vertices[:, 1].max()) / 2
    move = np.array([0, lips[1] - bite, min(skin[13, 2], skin[14, 2]) - 0.006 - front], np.float32)
    raised = move + np.array([0, UPPER_TEETH_UP_M, 0], np.float32)
    upper = anatomy.Part(upper.vertices + raised, upper.faces, upper.colours)
    lower = anatomy.Part(lower.vertices + move, lower.faces, lower.colours)
    tip = np.array([0, lower.vertices[:, 1].max() - 0.005, lower.vertices[:, 2].max() - 0.010])
    root = np.array([0, tip[1] - 0.006, tip[2] - 0.058])
    tongue = anatomy.tongue(tip, root, 0.019)
    cavity = anatomy.mouth_cavity(skin, np.array([0, tip[1], tip[2] - 0.06]))
    inner = {"upper_teeth": upper, "lower_teeth": lower, "tongue": tongue, "mouth_cavity": cavity}
    for side in ("right", "left"):
        blinked = neutral + deltas[arkit.INDEX[f"eyeBlink{side.capitalize()}"]]
        ball = place_eyeball(neutral, blinked, neutral, side)
        inner[f"eyeball_{side}"] = anatomy.eyeball(Eyeball(ball.centre, ball.radius))
        iris = topology.IRIS_RIGHT if side == "right" else topology.IRIS_LEFT
        beside = skin[iris, :2] - ball.centre[:2]
        skin[iris, 2] = ball.centre[2] + np.sqrt(ball.radius**2 - (beside**2).sum(-1))
    vertices, parts, part_faces = [skin], {"skin": (0, 468), "iris_right": (468, 473), "iris_left": (473, 478)}, {}
    faces, colours = [triangles], [np.zeros((478, 3), np.float32)]
    count, face_count = 478, len(triangles)
    part_faces["skin"] = (0, face_count)
    for name, part in inner.items():
        parts[name], part_faces[name] = (count, count + len(part.vertices)), (face_count, face_count + len(part.faces))
        vertices.append(part.vertices)
        faces.append(part.faces + count)
        colours.append(part.colours)
        count, face_count = parts[name][1], part_faces[name][1]
    ring = anatomy.ring_vertices(skin)
    parts["ring"], part_faces["ring"] = (count, count + len(ring)), (face_count, face_count + 288)
    whole = np.concatenate([*vertices, ring])
    weight = np.concatenate([np.ones(count, np.float32), anatomy.ring_weights()])
    all_deltas = _deltas_of_parts(deltas, parts, len(whole))
    # The chin under the tracker's jawOpen tells how far the teeth below it turn.
    hinge = np.array(HINGE_M)
    chin = neutral[152] - hinge
    opened = chin + deltas[arkit.INDEX["jawOpen"], 152]
    angle = np.arctan2(chin[1], chin[2]) - np.arctan2(opened[1], opened[2])
    forward = deltas[arkit.INDEX["jawForward"], list(topology.CHIN), 2].mean()
    sideways = deltas[arkit.INDEX["jawLeft"], list(topology.CHIN), 0].mean()
    rig = FaceRig(
        whole, all_deltas, np.zeros((len(identity), len(whole), 3), np.float32),
        np.concatenate([*faces, anatomy.ring_faces(count)]).astype(np.int64),
        np.concatenate([*colours, np.zeros((len(ring), 3), np.float32)]), weight, variance.astype(np.float32),
        np.array([*hinge, angle, forward, sideways], np.float32), parts, part_faces,
    )  # fmt: skip
    placed = rig.place_parts(skin)
    for mode, change in zip(rig.identity, identity, strict=True):
        mode[:] = rig.place_parts((skin + change).astype(np.float32)) - placed
    return rig


def _deltas_of_parts(deltas: Array, parts: dict[str, tuple[int, int]], count: int) -> np.ndarray:
    whole = np.zeros((52, count, 3), np.float32)
    whole[:, :478] = deltas
    whole[:, 468:478] = 0
    lips = deltas[:, list(topology.INNER_LIPS)].reshape(52, 20, 3)
    whole[:, slice(*parts["mouth_cavity"])] = np.einsum("vl,clk->cvk", anatomy.cavity_follow(), lips)
    # The first two shells under the chin move with it, ever less.
    whole[:, slice(*parts["ring"])] = ring_deltas(deltas)
    tongue = np.zeros((parts["tongue"][1] - parts["tongue"][0], 3), np.float32)
    along = np.repeat(np.linspace(0, 1, 12), 11)
    tongue[:, 2] = 0.040 * along**1.3
    tongue[:, 1] = -0.016 * along**3 + 0.006 * along
    whole[arkit.INDEX["tongueOut"], slice(*parts["tongue"])] = tongue
    return whole


def without_openings(triangles: np.ndarray) -> np.ndarray:
    """The canonical face is one closed sheet: 46 of its triangles span the eyes and the mouth. These go."""
    spanned = np.zeros(len(triangles), bool)
    for ring in (topology.EYE_RING_RIGHT, topology.EYE_RING_LEFT, topology.INNER_LIPS):
        spanned |= np.isin(triangles, ring).all(1)
    return triangles[~spanned]


def track_portraits(folder: Path, cache: Path) -> list[TrackedFace]:
    """The training photographs' faces; tracked once, then read from the cache."""
    if not cache.exists():
        tracker = FaceTracker(TASK_FILE)
        found = [tracker.detect(read_picture(file)) for file in sorted(folder.glob("*.jpg"))]
        faces = [faces[0] for faces in found if faces]
        save_arrays(cache, points=np.stack([f.points for f in faces]), scores=np.stack([f.scores for f in faces]))
    data = np.load(cache, allow_pickle=False)
    box = np.zeros(4, np.float32)
    return [TrackedFace(points, scores, box, 1.0) for points, scores in zip(data["points"], data["scores"], strict=True)]


def read_picture(file: Path) -> np.ndarray:
    import imageio.v3 as imageio

    return np.asarray(imageio.imread(file))[..., :3]


def first_rig(options: argparse.Namespace, clips: list[Clip]) -> tuple[FaceRig, transfer.IctModel]:
    """The mean face of the clips with ICT's deltas and identity modes."""
    base = np.load(options.data / "canonical/canonical_face.npz")["vertices_cm"].astype(np.float64) / 100
    mirror = np.r_[topology.mirror_index(base.astype(np.float32)), IRIS_MIRROR]
    origin = base[[127, 234, 356, 454]].mean(0) * (0, 1, 1) - (0, 0, 0.008)
    neutral = mean_face(clips, base - origin, mirror)
    model, landmarks = transfer.load_ict(options.data / "ict_facekit/ict_facekit.npz", neutral)
    rows = transfer.correspond(model, landmarks, neutral)
    deltas = np.concatenate([transfer.skin_deltas(model, rows, mirror[:468]), np.zeros((52, 10, 3))], axis=1)
    close_lids(neutral, deltas)
    close_mouth(neutral, deltas)
    identity = np.stack([rows @ mode for mode in model.identities[:NUM_IDENTITIES].astype(np.float64)])
    irises = np.stack([identity[:, [33, 133]].mean(1)] * 5 + [identity[:, [263, 362]].mean(1)] * 5, axis=1)
    identity = np.concatenate([identity, irises], axis=1)
    triangles = np.load(options.data / "canonical/canonical_face.npz")["triangles"].astype(np.int64)
    variance = np.full(478, FIRST_LEFTOVER_M**2)
    return assemble(neutral, deltas, identity, variance, model, without_openings(triangles)), model


def refine(rig: FaceRig, model: transfer.IctModel, clips: list[Clip], portraits: list[TrackedFace]) -> FaceRig:
    """Coefficients and deltas in turn on the clips; then identity modes from the neutrals that this gives; and again."""
    triangles = rig.faces[slice(*rig.part_faces["skin"])]
    neutral = rig.neutral[:478].astype(np.float64)
    prior = rig.deltas[:, :478].astype(np.float64)
    mirror = topology.mirror_index(rig.neutral[:478])
    deltas, identity, variance = prior, rig.identity[:, :478].astype(np.float64), rig.skin_variance
    for _ in range(NUM_PASSES):
        for _ in range(NUM_ALTERNATIONS):
            deltas = refine_deltas(fit_clips(clips, rig), deltas, prior, mirror, PRIOR_STRENGTH)
            rig = assemble(neutral, deltas, identity, variance, model, triangles)
        identity, variance = identity_modes(portraits, clips, rig, mirror, NUM_IDENTITIES)
        rig = assemble(neutral, deltas, identity, variance, model, triangles)
    close_lids(neutral, deltas)
    close_mouth(neutral, deltas)
    return assemble(neutral, deltas, identity, variance, model, triangles)


def report(folder: Path, rigs: dict[str, FaceRig]) -> None:
    """Prints error and explained motion on held-out clips, and how much of a smile is left in a smiling frame's neutral."""
    clips = [clip for clip in load_clips(folder, 30) if not clip.name.startswith("grid_s1")]
    print(f"{len(clips)} held-out clips; error: share of the inter-ocular distance; motion: share explained after the pose")
    print(f"{'':12s}" + "".join(f"{region:>16s}" for region in REGIONS) + "   smile seen -> left in the neutral")
    for name, rig in rigs.items():
        result = explained(fit_clips(clips, rig), rig)
        cells = "".join(f"{result.error[r]:9.2%} {result.share[r]:6.1%}" for r in REGIONS)
        seen, left = smile_left(clips, rig)
        print(f"{name:12s}{cells}   {seen * 1000:.2f} mm -> {left * 1000:.2f} mm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--prepared", type=Path, default=Path("data/prepared"))
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    parser.add_argument("--report", action="store_true", help="print the error table on the held-out clips")
    options = parser.parse_args()
    clips = load_clips(options.prepared / "train")
    first, model = first_rig(options, clips)
    portraits = track_portraits(options.data / "train/portraits_us_congress", options.prepared / "rig_portraits.npz")
    rig = refine(first, model, clips, portraits)
    rig.save_pretrained(options.output)
    (options.output / "LICENSE").write_text(NOTICE.format((options.data / "ict_facekit/LICENSE").read_text()))
    size = sum(file.stat().st_size for file in options.output.iterdir()) / 1e6
    print(f"{options.output}: {len(rig.neutral)} vertices, {len(rig.faces)} triangles, {size:.2f} MB")
    if options.report:
        report(options.prepared / "eval", {"ICT's deltas": first, "refined": rig})


if __name__ == "__main__":
    main()
