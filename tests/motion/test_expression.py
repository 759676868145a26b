import itertools
from pathlib import Path

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.emotion.track import emotion_track
from talkinghead.motion.expression import PROTOTYPE_MATRIX, PROTOTYPES, both_sides, compose, expression
from talkinghead.rig.face_rig import FaceRig
from talkinghead.types import EMOTIONS

CHECKPOINT = Path(__file__).parents[2] / "checkpoints/default"
SIGNS = {
    "angry": ("browDown", "eyeSquint", "mouthPress"),
    "contempt": ("mouthDimpleLeft", "mouthSmileLeft"),
    "disgusted": ("noseSneer", "mouthUpperUp"),
    "fear": ("browInnerUp", "eyeWide", "mouthStretch"),
    "happy": ("mouthSmile", "cheekSquint"),
    "sad": ("browInnerUp", "mouthFrown"),
    "surprised": ("browInnerUp", "browOuterUp", "eyeWide", "jawOpen"),
}


@pytest.mark.parametrize("emotion", SIGNS)
def test_each_column_of_an_emotion_rises_with_intensity(emotion: str) -> None:
    steps = [expression(emotion_track(emotion, k, 100), seed=5) for k in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert not steps[0].any()
    for name in SIGNS[emotion]:
        means = [step[:, both_sides(name)].mean() for step in steps]
        assert np.all(np.diff(means) > 0.02), name
    for lower, higher in itertools.pairwise(steps):
        assert np.all(higher >= lower - 1e-6)


def test_neutral_is_no_expression_at_any_intensity() -> None:
    assert not expression(emotion_track("neutral", 1.0, 50), seed=0).any()


def test_every_emotion_has_a_prototype_and_all_differ() -> None:
    means = np.stack([expression(emotion_track(name, 1.0, 100), seed=0).mean(0) for name in EMOTIONS])
    assert set(PROTOTYPES) == set(EMOTIONS)
    distance = np.linalg.norm(means[:, None] - means[None], axis=-1) + np.eye(len(EMOTIONS))
    assert distance.min() > 0.5


def test_contempt_is_of_one_side() -> None:
    shown = expression(emotion_track("contempt", 1.0, 50), seed=0)
    assert shown[:, arkit.INDEX["mouthDimpleLeft"]].mean() > 0.5 > shown[:, arkit.INDEX["mouthDimpleRight"]].mean() + 0.4


def test_contempt_at_a_third_already_pulls_up_one_corner_of_the_mouth() -> None:
    rig = FaceRig.from_pretrained(CHECKPOINT / "rig")
    person = expression(emotion_track("contempt", 1 / 3, 400), seed=0).mean(0)
    right, left = (rig.neutral[corner] + person @ rig.deltas[:, corner] for corner in (61, 291))
    lifted = (left[1] - right[1]) / np.linalg.norm(rig.neutral[263] - rig.neutral[33])
    assert lifted > 0.02, "of the eye distance, as seen from the front"


def test_sadness_is_oblique_brows_and_heavy_lids_and_fear_is_open_eyes() -> None:
    rig = FaceRig.from_pretrained(CHECKPOINT / "rig")
    rest = rig.neutral[:, 1]
    for emotion, lids_rise in (("sad", -1), ("fear", 1)):
        moved = (rig.neutral + np.tensordot(PROTOTYPE_MATRIX[EMOTIONS.index(emotion)], rig.deltas, 1))[:, 1] - rest
        assert moved[107] > moved[70] + 0.003, "the inner end of the brow goes higher than the outer, m"
        assert lids_rise * moved[159] > 0.001, "the upper lid, m"


def test_an_expression_is_alive_and_seeded() -> None:
    track = emotion_track("happy", 0.8, 250)
    smile = expression(track, seed=1)[50:200, arkit.INDEX["mouthSmileLeft"]]
    assert 0.01 < smile.std() < 0.15 and np.abs(np.diff(smile)).max() < 0.05
    assert np.array_equal(expression(track, seed=1), expression(track, seed=1))
    assert not np.array_equal(expression(track, seed=1), expression(track, seed=2))


def test_a_region_shows_its_own_emotion_and_no_other() -> None:
    shown = expression(emotion_track("sad,neutral:brow", 1.0, 40), seed=0)
    assert not shown[:, list(arkit.BROW)].any() and shown[:, both_sides("mouthFrown")].mean() > 0.5
    alone = expression(emotion_track("happy:mouth:0.5", None, 40), seed=0)
    others = [*arkit.REGIONS["brow"], *arkit.REGIONS["eyes"]]
    assert not alone[:, others].any() and alone[:, both_sides("mouthSmile")].mean() > 0.2
    whole, mouth = (expression(emotion_track(e, 0.5, 40), seed=0) for e in ("happy", "happy:mouth"))
    assert np.array_equal(whole[:, list(arkit.REGIONS["mouth"])], mouth[:, list(arkit.REGIONS["mouth"])])


def test_the_regions_share_out_every_column_of_the_prototypes() -> None:
    columns = [column for region in arkit.REGIONS.values() for column in region]
    assert len(columns) == len(set(columns)) == 52 - len(arkit.EYE_LOOK)
    assert not PROTOTYPE_MATRIX[:, list(arkit.EYE_LOOK)].any()


@pytest.mark.parametrize("emotion", SIGNS)
def test_every_tenth_of_intensity_moves_the_face_further(emotion: str) -> None:
    for seed in range(3):
        steps = [expression(emotion_track(emotion, k / 10, 100), seed) for k in range(11)]
        assert not steps[0].any(), "intensity 0 is neutral exactly"
        assert np.all(np.diff([step.mean() for step in steps]) > 0.002)


def row(emotion: str, seed: int) -> np.ndarray:
    """(52,) the mean of a long clip: the person, without the swell."""
    return expression(emotion_track(emotion, 0.8, 2000), seed).mean(0)


@pytest.mark.parametrize("emotion", SIGNS)
def test_two_seeds_are_two_people_and_both_show_the_emotion(emotion: str) -> None:
    prototype = 0.8 * PROTOTYPE_MATRIX[EMOTIONS.index(emotion)]
    people = [row(emotion, seed) for seed in range(12)]
    for person in people:
        assert person @ prototype / np.linalg.norm(person) / np.linalg.norm(prototype) > 0.97
        felt = prototype > 0.05
        assert np.abs(np.log(person[felt] / prototype[felt])).max() < np.log(1.2) + 0.15, "20 %, and the lean to a side"
    apart = [np.linalg.norm(a - b) / np.linalg.norm(prototype) for a, b in itertools.combinations(people, 2)]
    assert min(apart) > 0.01 and np.mean(apart) > 0.1
    short = expression(emotion_track(emotion, 0.8, 50), seed=3).mean(0)
    assert short @ people[3] / np.linalg.norm(short) / np.linalg.norm(people[3]) > 0.995, "the same person in another clip"


def test_the_sides_differ_by_the_persons_lean_alone_but_for_contempt() -> None:
    for emotion in SIGNS:
        person = row(emotion, 5)
        ratios = [
            person[arkit.INDEX[f"{name}Left"]] / person[arkit.INDEX[f"{name}Right"]]
            for name in PROTOTYPES[emotion]
            if len(both_sides(name)) == 2
        ]
        if emotion != "contempt":
            assert np.ptp(ratios) < 0.06, emotion
    contempt = row("contempt", 5)
    left = contempt[[i for i, name in enumerate(arkit.BLENDSHAPES) if name.startswith("mouth") and name.endswith("Left")]]
    right = contempt[[i for i, name in enumerate(arkit.BLENDSHAPES) if name.startswith("mouth") and name.endswith("Right")]]
    assert left.sum() > 1 and not right.any()


def test_composing_with_nothing_changes_nothing_and_stays_in_range() -> None:
    generator = np.random.default_rng(0)
    talking, felt = generator.uniform(0, 1, (2, 60, 52)).astype(np.float32)
    assert np.array_equal(compose(talking, np.zeros_like(talking)), talking)
    both = compose(talking, felt)
    assert both.min() >= 0 and both.max() <= 1 and np.all(both >= felt - 1e-6)


def test_an_expression_comes_stays_and_goes() -> None:
    smile = expression(emotion_track("happy", 1.0, 100), seed=0)[:, both_sides("mouthSmile")].mean(1)
    assert smile[0] < 0.1 and smile[-1] < 0.1, "onset and offset"
    assert smile[12:88].min() > 0.5, "the apex is held"
    assert np.all(np.diff(smile[:8]) > 0) and np.all(np.diff(smile[-8:]) < 0)


def test_two_seeds_are_two_peoples_anger_and_one_seed_is_one_person() -> None:
    def person(seed: int, num_frames: int) -> np.ndarray:
        mean = expression(emotion_track("angry", 0.7, num_frames), seed)[10:-10].mean(0)
        return mean / np.linalg.norm(mean)

    people = np.stack([person(seed, 1500) for seed in range(6)])
    between = np.linalg.norm(people[:, None] - people[None], axis=-1)[~np.eye(6, dtype=bool)]
    within = [np.linalg.norm(person(seed, 1500) - person(seed, 2000)) for seed in range(6)]
    assert between.min() > max(within) and between.mean() > 3 * np.mean(within)
    assert np.all(people @ people.T > 0.9), "all of them angry"
