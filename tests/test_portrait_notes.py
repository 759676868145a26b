"""What is said of a portrait before its video is drawn."""

from dataclasses import replace

import numpy as np
import pytest

from talkinghead import cli
from talkinghead.pipeline import TalkingHead
from talkinghead.portrait_notes import portrait_notes
from talkinghead.rig.fitting import fit_face
from talkinghead.rig.pose import axis_angle_from_matrix, matrix_from_axis_angle
from talkinghead.rig.view import most_back_deg, supported
from talkinghead.synthesis.portrait import resized

GLASSES = "glasses: the brows move half as far or less, so that the frames keep their shape"


@pytest.fixture(scope="module")
def head():
    return TalkingHead.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def drawn(head, root):
    """A woman from the front, her face 208 px wide, and the rig fitted to it."""
    portrait = head.load_portrait(root / "assets/drawn_woman.png")
    return portrait, fit_face(portrait.face, head.rig)


def turned(face, degrees):
    return replace(face, rotation=np.radians([0, degrees, 0]).astype(np.float32))


def test_a_good_portrait_has_no_notes(drawn):
    assert portrait_notes(*drawn) == []


def test_a_broad_smile_is_said_and_a_wide_mouth_or_an_open_one_alone_is_not(drawn):
    portrait, face = drawn
    eyes = np.linalg.norm(portrait.face.points[33] - portrait.face.points[263])

    def notes(width, parted):
        points = portrait.face.points.copy()
        points[[61, 291]] = points[[61, 291]].mean(0) + np.outer([-0.5, 0.5], [width * eyes, 0, 0])
        points[[13, 14]] = points[[13, 14]].mean(0) + np.outer([-0.5, 0.5], [0, parted * eyes, 0])
        return portrait_notes(replace(portrait, face=replace(portrait.face, points=points.astype(np.float32))), face)

    (note,) = notes(0.84, 0.12)
    assert (
        note.startswith("a broad smile, ")
        and "stays while no emotion is asked for" in note
        and note.endswith("with the mouth closed")
    )
    assert notes(0.84, 0.01) == notes(0.6, 0.2) == []


@pytest.mark.parametrize("degrees", [-23, 23])
def test_a_turned_head_is_said_with_how_far_it_turns_back(drawn, degrees):
    portrait, face = drawn
    (note,) = portrait_notes(portrait, turned(face, degrees))
    assert note == (
        "the head is turned by 23 degrees: it turns back to the front by 4 at most; "
        "a picture from the front gives a livelier video"
    )
    assert portrait_notes(portrait, turned(face, 19)) == []


@pytest.mark.parametrize("roll", [-170, -90, 30, 90])
def test_a_tilt_within_the_picture_is_no_turn(drawn, roll):
    portrait, face = drawn
    tilted = matrix_from_axis_angle(np.radians([0.0, 0.0, roll]))

    def notes(degrees):
        turn = axis_angle_from_matrix(tilted @ matrix_from_axis_angle(np.radians(degrees)))
        return portrait_notes(portrait, replace(face, rotation=turn.astype(np.float32)))

    assert notes([12.0, 0.0, 0.0]) == [] and notes([0.0, 17.0, 0.0]) == []
    (note,) = notes([0.0, 24.0, 0.0])
    assert note.startswith("the head is turned by 24 degrees: it turns back to the front by 3 at most")


def test_a_face_on_its_side_is_as_wide_as_upright(drawn):
    portrait, face = drawn
    small = resized(portrait, 256)
    points = small.face.points.copy()
    points[:, :2] = points[:, [1, 0]] * [-1, 1]
    points[:, 0] += 256
    turned_over = replace(small, image=np.rot90(small.image, 3), face=replace(small.face, points=points))
    assert portrait_notes(turned_over, face) == portrait_notes(small, face) != []


@pytest.mark.parametrize("degrees", [0, 5, 14, 23, 40])
def test_a_head_comes_back_no_further_than_is_said(degrees):
    resting = matrix_from_axis_angle(np.radians([0.0, degrees, 0.0]))
    back = matrix_from_axis_angle(np.radians([[0.0, -60.0, 0.0]])) @ resting
    went = np.degrees(np.linalg.norm(axis_angle_from_matrix(supported(back, resting) @ resting.T)))
    assert 0.95 * most_back_deg(degrees) < went <= most_back_deg(degrees) + 1e-6


def test_a_small_face_is_said_with_the_size_that_helps(drawn):
    portrait, face = drawn
    small = resized(portrait, 256)
    wanted = "the face is 104 px wide: teeth will be soft; --size 448 or a larger picture gives finer ones"
    assert portrait_notes(small, face) == [wanted]
    assert portrait_notes(small, face, size_option="size") == [wanted.replace("--size", "size")]
    assert portrait_notes(small, face, size_option=None) == []
    wide = replace(small, image=np.zeros((64, 8000, 3), np.uint8))
    assert portrait_notes(wide, face)[0].endswith("soft; a larger picture gives finer ones")


def test_glasses_are_said(drawn):
    portrait, face = drawn
    assert portrait_notes(replace(portrait, wears_glasses=True), face) == [GLASSES]


def test_render_perform_and_batch_say_it(head, drawn, root, tmp_path, capsys, monkeypatch):
    """Each by its own way, of a portrait that wears glasses."""
    from talkinghead import batch, cli_video

    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr(cli_video, "loaded_head", lambda *_: head)
    monkeypatch.setattr(batch, "_head", lambda *_: head)
    monkeypatch.setattr(TalkingHead, "from_pretrained", staticmethod(lambda *_: head))
    monkeypatch.setattr(TalkingHead, "load_portrait", lambda *_, **__: replace(drawn[0], wears_glasses=True))
    picture, motion = root / "assets/drawn_woman.png", tmp_path / "m.npz"
    from talkinghead.motion.io import save_motion
    from talkinghead.types import FaceMotion

    save_motion(motion, FaceMotion.neutral(3))
    assert cli.main(["render", "-i", str(picture), "-m", str(motion), "-q", "draft", "-o", str(tmp_path / "r.mp4")]) == 0
    assert f"drawn_woman.png: {GLASSES}\n" in capsys.readouterr().err
    table = tmp_path / "jobs.csv"
    table.write_text(f"output,image,text,quality\na.mp4,{picture},Hi,draft\n")
    assert cli.main(["batch", str(table), "-o", str(tmp_path / "clips")]) == 0
    assert f" s; {GLASSES}\n" in capsys.readouterr().err
    assert GLASSES in (tmp_path / "clips/summary.csv").read_text()
    scene = tmp_path / "scene.md"
    scene.write_text(f"---\nsize: [160, 120]\n---\n## Cast\n\n- **Mara**: {picture}\n\n## Scene\n\n**Mara**: Hi.\n")
    assert cli.main(["perform", str(scene), "-q", "draft", "-o", str(tmp_path / "s.mp4")]) == 0
    assert capsys.readouterr().err.count(f"drawn_woman.png: {GLASSES}\n") == 1
