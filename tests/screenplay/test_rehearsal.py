"""Lines get sounds, times and an order; cues act at their words; what is there is not spoken again."""

import contextlib
from pathlib import Path

import numpy as np
import pytest

from talkinghead.errors import OutputError, ScreenplayError
from talkinghead.motion.acting import Act, Look, acted, gaze_courses
from talkinghead.pipeline import TalkingHead
from talkinghead.screenplay.blocking import addressee, attention, direction_to, person_seed, seats, span
from talkinghead.screenplay.performance import Performers, cue_times, line_activation, mood, who_smiles
from talkinghead.screenplay.reading import Screenplay, read_scene
from talkinghead.screenplay.rehearsal import EDGES_S, Rehearsal, rehearse
from talkinghead.screenplay.studio import Studio
from talkinghead.types import EMOTIONS, FPS, SAMPLE_RATE, FaceMotion

CUE_TOLERANCE_S = 0.08
HAPPY, ANGRY, SAD = (EMOTIONS.index(name) for name in ("happy", "angry", "sad"))


def rehearsed(stage: Path, text: str = "", **changes: str) -> tuple[Screenplay, Rehearsal]:
    written = text or (stage / "scene.yaml").read_text()
    for old, new in changes.items():
        written = written.replace(old, new)
    (stage / "one.yaml").write_text(written)
    play = read_scene(stage / "one.yaml")
    work = stage / "work"
    work.mkdir(exist_ok=True)
    return play, rehearse(play, work, lambda stage_name: None)


def one_line(stage: Path, line: str, more: str = "") -> tuple[Screenplay, Rehearsal]:
    head = "cast:\n  Ana: {portrait: drawn_woman.png}\n  Bob: {portrait: drawn_man.png}\n"
    return rehearsed(stage, f"{head}lines:\n  - Ana: '{line}'\n{more}")


def first_sound_s(samples: np.ndarray, after_s: float) -> float:
    """When something is heard again after a silence, measured in the sound itself."""
    level = np.abs(samples[int(after_s * SAMPLE_RATE) :])
    return after_s + float(np.argmax(level > 0.02)) / SAMPLE_RATE


def onset_s(curve: np.ndarray) -> float:
    """The first frame that is a tenth of the way from where the curve begins to its peak."""
    way = np.abs(curve - curve[0])
    return float(np.argmax(way > 0.1 * way.max())) / FPS


def test_lines_follow_one_another_and_an_overlap_begins_before_the_end(stage: Path) -> None:
    play, scene = rehearsed(stage)
    first, second, third = scene.lines
    assert first.begin == first.start == 0 and second.begin == second.start == first.stop
    assert second.stop > third.start == third.begin
    last_word, why = scene.words(1)[-1], scene.words(2)[0]
    assert last_word.end_s - why.start_s == pytest.approx(0.2, abs=1 / FPS)
    assert scene.num_frames == third.stop + round(play.scene.end * FPS)
    assert span(scene, 1) == (second.begin, scene.num_frames) and span(scene, 0) == (0, second.begin)


def test_the_sound_of_the_scene_holds_each_line_at_its_time(stage: Path) -> None:
    _, scene = rehearsed(stage)
    sound = scene.sound().samples
    assert len(sound) == scene.num_frames * SAMPLE_RATE // FPS
    second = scene.lines[1]
    begin, alone = second.start * 640, (scene.lines[2].start - second.start) * 640
    assert np.array_equal(sound[begin : begin + alone], second.delivery.audio.samples[:alone])


def test_pauses_between_lines_are_as_long_as_asked(stage: Path) -> None:
    _, scene = one_line(stage, "One.", "  - Bob: Two.\n    pause: 1.5\n")
    gap_s = scene.words(1)[0].start_s - scene.words(0)[-1].end_s
    assert gap_s == pytest.approx(1.5, abs=2 / FPS)
    assert scene.part(1)[0] == scene.lines[0].stop < scene.lines[1].start


def test_a_word_after_a_pause_is_heard_when_its_time_says(stage: Path) -> None:
    _, scene = one_line(stage, "Hello. [pause 0.6] Bob paid.")
    hello, bob, _ = scene.lines[0].delivery.words
    heard_s = first_sound_s(scene.lines[0].delivery.audio.samples, hello.end_s + 0.1)
    assert abs(bob.start_s - heard_s) < CUE_TOLERANCE_S and bob.start_s - hello.end_s > 0.55


@pytest.mark.parametrize("cue", ["smile", "frown", "raise brows", "sad 0.8", "happy:0.7,surprised:0.3", "furious"])
def test_a_face_changes_at_the_word_that_is_heard_after_a_silence(stage: Path, cue: str) -> None:
    play, scene = one_line(stage, f"Hello. [pause 0.6] [{cue}] Bob paid.")
    heard_s = first_sound_s(scene.lines[0].delivery.audio.samples, scene.lines[0].delivery.words[0].end_s + 0.1)
    course = line_activation(play, scene, 0, np.zeros((3, len(EMOTIONS)), np.float32))
    way = np.abs(course - course[0]).sum((1, 2))
    assert abs(onset_s(way) - heard_s) < CUE_TOLERANCE_S


@pytest.mark.parametrize("act", ["nod", "shake", "tilt left", "blink", "wink left"])
def test_a_head_moves_at_the_word_that_is_heard_after_a_silence(stage: Path, act: str) -> None:
    play, scene = one_line(stage, f"Hello. [pause 0.6] [{act}] Bob paid.")
    heard_s = first_sound_s(scene.lines[0].delivery.audio.samples, scene.lines[0].delivery.words[0].end_s + 0.1)
    ((_, time_s),) = cue_times(play, scene, 0)
    motion = acted(FaceMotion.neutral(scene.num_frames), [Act(act, time_s)])
    way = np.abs(motion.head_rotation).sum(1) + np.abs(motion.blendshapes).sum(1)
    assert abs(onset_s(way) - heard_s) < CUE_TOLERANCE_S


def test_an_emotion_comes_with_the_line_and_goes_with_it(stage: Path) -> None:
    play, scene = rehearsed(stage)
    mood = np.zeros((3, len(EMOTIONS)), np.float32)
    happy = line_activation(play, scene, 0, mood)[:, 1, HAPPY]
    assert happy[0] < 0.1 and happy[-1] < 0.05 and happy.max() == pytest.approx(0.8, abs=0.01)
    guilty = line_activation(play, scene, 1, mood)
    assert guilty[:, :, SAD].max() > 0.7 and np.all(guilty.sum(-1) <= 1 + 1e-5)


def test_who_is_asked_for_nothing_but_joy_goes_on_smiling_and_who_was_guilty_does_not(stage: Path) -> None:
    play, scene = rehearsed(stage)
    assert not mood(play, "Ana").any() and mood(play, "Bob").max() == pytest.approx(0.2)
    assert who_smiles(play) == {"Ana"}, "a frown in passing is not serious"
    performers = Performers(TalkingHead.from_pretrained(device="cpu"), play, scene)
    course = performers.motion(0, "Ana").at_ease[:, 0]
    assert course[0] > 0.9 and course[-1] > 0.9 and course.min() < 0.25, "parts join"
    assert not performers.motion(0, "Bob").at_ease.any()


@pytest.mark.parametrize(
    ("words", "smiling"),
    [
        ("Bob: Go.", True), ("Bob: '[sad 0.2] Go.'", False), ("Bob: '[frown] Go.'", True),
        ("Bob: '[quietly furious] Go.'", False),
        ("Bob: '[delighted] Go.'", True), ("Bob: Go.\n    emotion: happy:0.5", True), ("Bob: Go.\n    emotion: neutral", False),
        ("Bob: Go.\n    direction: quietly guilty", False),
    ],
)  # fmt: skip
def test_what_goes_ill_with_a_smile_of_the_portraits(stage: Path, words: str, smiling: bool) -> None:
    """Bob's first line is filmed again where he may not smile any more."""
    plain = one_line(stage, "Hi.", "  - Bob: Yes.\n  - Bob: Go.\n")
    play, scene = one_line(stage, "Hi.", f"  - Bob: Yes.\n  - {words}\n")
    assert who_smiles(play) == ({"Ana", "Bob"} if smiling else {"Ana"})
    keys = [Studio(*each, "draft", None, "cpu", contextlib.nullcontext, None).key(1) for each in (plain, (play, scene))]
    assert (keys[0] == keys[1]) == smiling


def test_the_mood_of_who_says_nothing_counts(stage: Path) -> None:
    cast = "cast:\n  Ana: {portrait: drawn_woman.png}\n  Bob: {portrait: drawn_man.png, emotion: sad}\n"
    play, _ = rehearsed(stage, f"{cast}lines:\n  - Ana: Hi.\n")
    assert who_smiles(play) == {"Ana"}


def test_people_look_at_who_speaks_and_who_speaks_at_who_is_spoken_to(stage: Path) -> None:
    play, _ = rehearsed(stage)
    assert seats(play) == {"Ana": 0, "Bob": 1}
    assert [addressee(play, index) for index in range(3)] == ["Bob", "Ana", "Bob"]
    assert attention(play, 1, "Ana") == "Bob"
    to_bob, to_ana = direction_to(play, "Ana", "Bob"), direction_to(play, "Bob", "Ana")
    assert to_bob[0] > 0 > to_ana[0] and direction_to(play, "Ana", None) == (0, 0)


def test_what_has_been_spoken_is_kept(stage: Path) -> None:
    told: list[str] = []
    play, scene = rehearsed(stage)
    again = rehearse(play, stage / "work", told.append)
    assert told == [] and [line.digest for line in again.lines] == [line.digest for line in scene.lines]
    changed = (stage / "one.yaml").read_text().replace("But no.", "But yes.")
    (stage / "one.yaml").write_text(changed)
    rehearse(read_scene(stage / "one.yaml"), stage / "work", told.append)
    assert told == ["line 2: Bob speaks"]


def test_a_look_is_not_called_back_by_the_one_before_it() -> None:
    glance = [Look(0.4, -0.34), Look(0.8, 0.34), Look(1.6, 0.0)]
    eyes, turn = gaze_courses(glance, 60)
    assert eyes[int(0.7 * FPS), 0] == pytest.approx(-0.34) and eyes[int(1.5 * FPS), 0] == pytest.approx(0.34)
    assert eyes[-1, 0] == 0 and np.abs(turn).max() < 0.17


def test_an_emotion_changes_how_a_line_sounds(stage: Path) -> None:
    _, sad = one_line(stage, "I will go home now.", "    emotion: sad\n    strength: 1\n")
    _, angry = one_line(stage, "I will go home now.", "    emotion: angry\n    strength: 1\n")
    slow, fast = sad.lines[0].delivery, angry.lines[0].delivery
    assert slow.audio.duration_s > 1.2 * fast.audio.duration_s
    assert np.abs(slow.audio.samples).mean() < 0.6 * np.abs(fast.audio.samples).mean()


def test_a_recording_takes_the_place_of_a_voice(stage: Path, root: Path) -> None:
    text = "Hello! A computer made this video from one picture, and moved my lips. Nobody ever filmed me."
    _, scene = one_line(stage, text, f"    recording: {root / 'assets/speech.wav'}\n")
    words = scene.words(0)
    assert [word.text for word in words] == text.split() and 0 <= words[0].start_s < 0.3
    samples = scene.lines[0].delivery.audio.samples
    pause_after = {word.text: word for word in words}["lips."].end_s
    nobody = {word.text: word for word in words}["Nobody"].start_s
    assert abs(first_sound_s(samples, pause_after + 0.06) - nobody) < CUE_TOLERANCE_S


@pytest.mark.parametrize(
    ("line", "more", "message"),
    [
        ("One two.", "    fit: 9\n", r":6:10: fit is 9 s, and these words with their pauses take"),
        ("One two.", "  - Bob: Hi.\n    overlap: 5\n", r":7:14: overlap is 5 s, and the line before it lasts 0\.\d s"),
    ],
)
def test_what_only_speaking_tells(stage: Path, line: str, more: str, message: str) -> None:
    with pytest.raises(ScreenplayError, match=message):
        one_line(stage, line, more)


def test_edges_are_less_than_the_least_pause() -> None:
    assert sum(EDGES_S) <= 0.3 + 1e-9


def test_a_sound_that_cannot_be_written_leaves_nothing(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    said = r"cannot be written \(No space left on device\); choose another place or free some space"
    with pytest.raises(OutputError, match=said):
        one_line(stage, "Hi.")
    assert not list(stage.rglob("sound-*"))


def test_a_line_put_in_leaves_the_later_ones_as_they_are(stage: Path) -> None:
    text = (stage / "scene.yaml").read_text() + '  - Bob: "I [nod] did. [sad 0.8] But no."\n'
    longer = text.replace("lines:\n", "lines:\n  - Bob: One more.\n")
    plays = []
    for name, written in (("before.yaml", text), ("after.yaml", longer)):
        (stage / name).write_text(written)
        plays.append(read_scene(stage / name))
    before, after = ([person_seed(play, "Ana", index) for index in range(len(play.scene.lines))] for play in plays)
    assert after[1:] == before and len({*after, person_seed(plays[0], "Ana")}) == 6
