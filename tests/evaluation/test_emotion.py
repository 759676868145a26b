"""The judge on clips of which it is known what they show."""

import json

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.errors import InputError
from talkinghead.evaluation.emotion import clip_statistics, judge_markdown, judged_real, load_acted, plain_sounds
from talkinghead.motion.io import save_motion
from talkinghead.types import EMOTIONS, FaceMotion

SHOWN = {
    "happy": ("mouthSmile", "cheekSquint"),
    "sad": ("mouthFrown", "browOuterUp"),
    "angry": ("browDown", "noseSneer"),
    "neutral": (),
}


@pytest.fixture
def acted(tmp_path):
    """Four people with a resting face of their own, each four times in four emotions; a fifth was seen once."""
    random, rows = np.random.default_rng(0), []
    for person in range(5):
        resting = random.uniform(0, 0.6, 52)
        for name in list(SHOWN) * 4 if person < 4 else ["happy"]:
            motion = FaceMotion.neutral(20)
            motion.blendshapes[:] = np.clip(resting + random.normal(0, 0.02, (20, 52)), 0, 1)
            for column in (f"{shape}{side}" for shape in SHOWN[name] for side in ("Left", "Right")):
                motion.blendshapes[:, arkit.INDEX[column]] += 0.3
            file = f"eval/mead_x/{len(rows)}.mp4"
            (tmp_path / "motion/eval/mead_x").mkdir(parents=True, exist_ok=True)
            save_motion(tmp_path / "motion" / f"eval/mead_x/{len(rows)}.npz", motion)
            rows.append({"file": file, "split": "eval", "identity": f"p{person}", "emotion": name, "audio": True})
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return load_acted(tmp_path, tmp_path / "motion"), tmp_path


def test_people_it_has_not_seen_are_judged_by_what_differs_from_their_own_mean(acted):
    clips, _ = acted
    assert len(clips.label) == 64 and "p4" not in clips.person
    assert (judged_real(clips) == clips.label).mean() > 0.9


def test_our_face_speaks_with_the_sound_of_the_neutral_clips(acted):
    clips, folder = acted
    sounds = plain_sounds(folder, clips)
    assert {person: len(files) for person, files in sounds.items()} == {f"p{k}": 4 for k in range(4)}


def test_a_look_aside_is_no_expression():
    motion, aside = FaceMotion.neutral(10), FaceMotion.neutral(10)
    aside.blendshapes[:, list(arkit.EYE_LOOK)] = 0.5
    assert np.array_equal(clip_statistics(motion), clip_statistics(aside))


def test_the_table_has_a_column_an_emotion():
    row = {"recall": 0.5, "chance": 0.125, "each": {"sad": 0.5}, "count": 2}
    lines = judge_markdown({"real": row}).splitlines()
    assert all(line.count("|") == len(EMOTIONS) + 5 for line in lines) and "| 0.50 | 0.12 |" in lines[2]


def test_a_folder_without_acted_clips_is_named(tmp_path):
    (tmp_path / "manifest.jsonl").write_text(
        json.dumps({"file": "train/a/b.mp4", "split": "train", "identity": "a", "audio": True})
    )
    with pytest.raises(InputError, match=r"holds no acted clips of eval; run scripts/prepare_speech\.py first"):
        load_acted(tmp_path, tmp_path)
