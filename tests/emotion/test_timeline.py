"""Files of cues: ours and Audio2Face's, what they show when, and every error with its line."""

from pathlib import Path

import numpy as np
import pytest

from talkinghead.emotion.timeline import Timeline, load_timeline
from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS

HAPPY, SAD, ANGRY = (EMOTIONS.index(name) for name in ("happy", "sad", "angry"))
NOTHING = np.zeros((3, len(EMOTIONS)), np.float32)


def load(folder: Path, text: str) -> Timeline:
    path = folder / "cues.yaml"
    path.write_text(text, encoding="utf-8")
    return load_timeline(path)


def course(folder: Path, text: str, num_frames: int = 250) -> np.ndarray:
    return load(folder, text).activation(NOTHING, 0.7, num_frames)


def test_each_cue_holds_until_the_next(tmp_path: Path) -> None:
    shown = course(
        tmp_path,
        """
        - {time: 0, emotion: happy, intensity: 0.5}
        - time: 0:04.5
          emotion: "sad:0.6,fear:0.4"
          intensity: 1
          ease: 1
        - {time: 8, emotion: "angry:brow:0.8"}
        """,
    )
    assert not course(tmp_path, "- {time: 1, emotion: happy}")[:25].any(), "nothing before the first"
    assert np.all(shown[15:112, :, HAPPY] == 0.5)
    assert np.allclose(shown[138:200, :, SAD], 0.6) and np.allclose(shown[138:200].sum(2), 1)
    assert shown[230, 0, ANGRY] == np.float32(0.8) and shown[230].sum() == np.float32(0.8), "a region alone, others neutral"
    assert shown[-1, 0, ANGRY] == np.float32(0.8), "nothing fades by itself at the end"


def test_a_cue_without_an_intensity_takes_the_clips(tmp_path: Path) -> None:
    assert load(tmp_path, "- {time: 0, emotion: happy}").activation(NOTHING, 0.3, 50)[-1, 0, HAPPY] == np.float32(0.3)


def test_easings(tmp_path: Path) -> None:
    curves = {
        easing: course(tmp_path, f"- {{time: 2, emotion: happy, intensity: 1, {ease}easing: {easing}}}")[:, 0, HAPPY]
        for easing, ease in (("smooth", "ease: 4, "), ("linear", "ease: 4, "), ("hold", ""))
    }
    for curve in curves.values():
        assert np.all(np.diff(curve) >= -1e-6) and not curve[:50].any() and np.all(curve[150:] == 1)
    assert np.allclose(np.diff(curves["linear"][50:149]), 0.01, atol=1e-5)
    assert np.diff(curves["smooth"])[95:105].min() > 0.0145 > 0.002 > np.diff(curves["smooth"])[51]
    assert set(curves["hold"]) == {0, 1} and curves["hold"][50] == 1


def test_the_default_ease_is_cut_short_by_the_next_cue(tmp_path: Path) -> None:
    shown = course(tmp_path, "- {time: 0, emotion: happy}\n- {time: 0.2, emotion: sad}", 50)
    assert shown[4, 0, HAPPY] > 0.6 and shown[-1, 0, SAD] == np.float32(0.7)


def test_before_the_first_cue_it_shows_what_it_is_told(tmp_path: Path) -> None:
    before = NOTHING.copy()
    before[:, SAD] = 0.4
    shown = load(tmp_path, "- {time: 2, emotion: happy}").activation(before, 0.7, 100)
    assert np.all(shown[:50, :, SAD] == np.float32(0.4)) and shown[-1, 0, SAD] == 0


def test_json_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    assert len(load(tmp_path, '\ufeff[{"time": 1.5, "emotion": "happy"}]').cues) == 1


AUDIO2FACE = """
face_parameters: {skinStrength: 1.0}
beginning_emotion: {anger: 0.5}
live_transition_time: 0.5
emotion_with_timecode_list:
  emotion_with_timecode1:
    time_code: 1.0
    emotions: {amazement: 0.0, joy: 0.6, anger: 0.2}
  emotion_with_timecode2:
    time_code: 3.0
    emotions: {grief: 1.0, sadness: 1.0}
  emotion_with_timecode3:
    time_code: 100.0
    emotions: {}
"""


def test_audio2faces_file_is_read(tmp_path: Path) -> None:
    shown = course(tmp_path, AUDIO2FACE, 125)
    assert shown[10, 0, ANGRY] == 0.5
    assert np.allclose(shown[50, :, [HAPPY, ANGRY]], [[0.6], [0.2]], atol=1e-6)
    assert np.allclose(shown[-1, :, SAD], 1)


def test_audio2faces_list_is_read_too(tmp_path: Path) -> None:
    text = "emotion_with_timecode_list:\n- {time_code: 0.0, emotions: {joy: 0.6}}\n- {time_code: 2, emotions: {pain: 1}}"
    shown = course(tmp_path, text, 100)
    assert np.isclose(shown[40, 0, HAPPY], 0.6) and np.isclose(shown[-1, 0, EMOTIONS.index("disgusted")], 0.6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"cues.yaml: is empty; write one cue a line, such as - \{time: 2.5, emotion: happy\}"),
        ("[]", "cues.yaml:1: holds no cue"),
        ("happy", "cues.yaml:1: holds no list of cues; .* or Audio2Face's emotion_with_timecode_list"),
        ("cues: []", "cues.yaml:1: holds no list of cues"),
        ("- happy", "cues.yaml:1: a cue is 'happy'; write time: ..., emotion: ..."),
        ("- [1, happy]", "cues.yaml:1: a cue is a list; write time"),
        (
            "- {time: 1}",
            "cues.yaml:1: a cue has no emotion; it has time, emotion, intensity, ease, easing, of which time and emotion",
        ),
        ("- {emotion: sad}", "cues.yaml:1: a cue has no time"),
        (
            "- time: 1\n  emotion: sad\n  strength: 1",
            "cues.yaml:3: unknown key 'strength'; a cue has time, emotion, intensity, ease",
        ),
        ("- time: 1\n  time: 2\n  emotion: sad", "cues.yaml:2: time is given twice; leave one"),
        ("- time: 1\n  emotion: hungry", "cues.yaml:2: emotion 'hungry' is not known; choose from angry, contempt"),
        ("- time: 1\n  emotion: [happy, sad]", "cues.yaml:2: emotion is a list; give one value"),
        ("- time: 1\n  emotion: happy:nose:1", "cues.yaml:2: .* region of brow, eyes, mouth"),
        (
            "- time: soon\n  emotion: sad",
            "cues.yaml:1: time is soon; give seconds such as 62.5, or minutes:seconds such as 1:02.5",
        ),
        ("- {time: -1, emotion: sad}", "cues.yaml:1: time is -1; give seconds"),
        ("- {time: 1:75, emotion: sad}", "cues.yaml:1: time is 1:75; give seconds"),
        ("- {time: , emotion: sad}", "cues.yaml:1: time is empty; give seconds"),
        ("- {time: 1, emotion: sad, intensity: 2}", "cues.yaml:1: intensity is 2; give a number from 0 to 1"),
        ("- {time: 1, emotion: sad, intensity: }", "cues.yaml:1: intensity is empty; give a number"),
        ("- {time: 1, emotion: sad, intensity: .nan}", "cues.yaml:1: intensity is .nan; give a number"),
        (
            "- {time: 1, emotion: 'sad:brow:1', intensity: 1}",
            "cues.yaml:1: intensity has nothing to act on, .*; drop one of them",
        ),
        ("- {time: 1, emotion: sad, ease: -1}", "cues.yaml:1: ease is -1; give a number from 0"),
        (
            "- {time: 1, emotion: sad, easing: bouncy}",
            "cues.yaml:1: easing 'bouncy' is unknown; choose from smooth, linear, hold",
        ),
        ("- {time: 1, emotion: sad, ease: 1, easing: hold}", "cues.yaml:1: ease is 1 and easing is hold, .*; drop one of them"),
        (
            "- {time: 2, emotion: sad}\n- {time: 1, emotion: happy}",
            "cues.yaml:2: time 1 is not after the cue before it, at 2 s",
        ),
        ("- {time: 2, emotion: sad}\n- {time: 2, emotion: happy}", "cues.yaml:2: time 2 is not after the cue before it"),
        (
            "- {time: 2, emotion: sad, ease: 3}\n- {time: 3, emotion: happy}",
            "cues.yaml:1: ease 3 overlaps the next cue, at 3 s; give at most 1 s",
        ),
        ("- {time: 10, emotion: sad}", "cues.yaml:1: time 10 is past the clip's end; give 0 to less than 10 s"),
        ("- {time: 1, emotion: sad", "cues.yaml:1: is not YAML .* mend that line"),
        ("\t- time", "cues.yaml:1: is not YAML"),
        ("- &a {time: 1, emotion: sad}\n- *a", r"cues.yaml:2: \*a is an alias; write the value out"),
        ("- {[1]: 2}", "cues.yaml:1: a key is a list or a mapping"),
        ("[" * 5000, "cues.yaml.* is not YAML"),
        ("emotion_with_timecode_list: soon", "cues.yaml:1: emotion_with_timecode_list is 'soon'; give entries of time_code"),
        ("emotion_with_timecode_list: []", "cues.yaml:1: holds no cue"),
        (
            "emotion_with_timecode_list:\n- {time_code: 0, emotions: {happy: 1}}",
            "cues.yaml:2: unknown key 'happy'; emotions has amazement, anger, cheekiness, disgust, fear, grief, joy",
        ),
        (
            "emotion_with_timecode_list:\n- {time_code: 0, emotions: {joy: 7}}",
            "cues.yaml:2: joy is 7; give a number from 0 to 1",
        ),
        ("emotion_with_timecode_list:\n- {time_code: 0}", "cues.yaml:2: an entry has no emotions; it has time_code, emotions"),
    ],
)
def test_errors_name_the_line_and_what_is_allowed(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(EmotionError, match=message) as error:
        course(tmp_path, text)
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(EmotionError, match=r"none.yaml: no such file; give a YAML file of cues"):
        load_timeline(tmp_path / "none.yaml")
    with pytest.raises(EmotionError, match="is a folder; give a YAML file"):
        load_timeline(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EmotionError, match="is not text in UTF-8"):
        load_timeline(tmp_path / "bytes.yaml")
    (tmp_path / "zero.yaml").write_bytes(b"- {time: 1, emotion: \x00}")
    with pytest.raises(EmotionError, match=r"zero.yaml: is not YAML"):
        load_timeline(tmp_path / "zero.yaml")
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(5_000_000)
    with pytest.raises(EmotionError, match="has 5000000 bytes, at most 4000000 are read"):
        load_timeline(tmp_path / "huge.yaml")


def test_no_tag_of_yaml_runs_anything(tmp_path: Path) -> None:
    with pytest.raises(EmotionError, match=r"cues.yaml:1: a cue is a list"):
        load(tmp_path, "- !!python/object/apply:os.system ['touch " + str(tmp_path / "run") + "']")
    assert not (tmp_path / "run").exists()
