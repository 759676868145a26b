"""Two notations, one value; and every mistake is told with its place and what is allowed."""

import json
from pathlib import Path

import pytest

from talkinghead import cli, cli_values
from talkinghead.errors import ScreenplayError
from talkinghead.screenplay.reading import read_scene
from talkinghead.screenplay.rehearsal import EDGES_S
from talkinghead.screenplay.schema import MAX_FIT_S, MIN_FIT_S, Line, Scene, json_schema


def test_a_play_says_what_yaml_says(stage: Path) -> None:
    written, played = read_scene(stage / "scene.yaml"), read_scene(stage / "scene.md")
    assert played.scene == written.scene
    assert played.scripts == written.scripts and len(written.scripts) == 3


def test_the_example_scenes_can_be_read(root: Path) -> None:
    scene = read_scene(root / "assets/scene.yaml").scene
    assert len(scene.cast) == 2 and len(scene.lines) == 6
    assert {line.camera for line in scene.lines} == {None, "cut", "side by side", "picture in picture"}
    assert len(read_scene(root / "assets/scene.md").scene.lines) == 3


def test_a_line_in_full_is_the_same_as_a_short_one(stage: Path) -> None:
    short = read_scene(stage / "scene.yaml").scene
    text = (stage / "scene.yaml").read_text().replace('- Ana: "[frown]', '- speaker: Ana\n    text: "[frown]')
    (stage / "full.yaml").write_text(text)
    assert read_scene(stage / "full.yaml").scene == short


def test_the_published_schema_is_json_schema_of_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["perform", "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema == json_schema() and schema["$schema"].endswith("2020-12/schema")
    assert set(schema["$defs"]["Line"]["properties"]) == set(Line.model_fields)
    assert all("description" in field for field in schema["$defs"]["Line"]["properties"].values())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- Ana: \"[frown] Why?\"", "- Cid: Why?", r":12:5: unknown key 'Cid'; line 3 has .* Who speaks is of the cast: Ana"),
        ("strength: 0.8", "strength: 1.8", r":9:15: line 1.strength is 1.8; give at most 1\."),
        ("strength: 0.8", "strengths: 0.8", r":9:5: unknown key 'strengths'; line 1 has .*Did you mean strength\?"),
        ("emotion: happy\n", "emotion: hapy\n", r":8:14: emotion 'hapy' is not known; .*Did you mean happy"),
        ("[smile]", "[smle]", r":7:15: \[smle\] is no cue; give smile"),
        ("side by side", "sideways", r":14:13: line 3.camera is 'sideways'; choose from cut, side by side, picture"),
        ("direction: quietly guilty", "direction: quietly blue", r":11:16: direction 'quietly blue' has no word of emotion"),
        ("drawn_man.png", "drawn_men.png", r":5:19: portrait .*drawn_men.png: no such file"),
        ("voice: en-us,", "voice: en-xx,", r":5:41: voice: no 'en-xx' in espeak-ng; did you mean en-us\? Or choose one of af"),
        ("overlap: 0.2", "overlap: soon", r":13:14: line 3.overlap is 'soon'; give a number"),
        ("quality: draft", "quality: [draft", r"is not YAML"),
        ("cast:\n", "cost:\n", r":3:1: unknown key 'cost'; a scene has title, size"),
        ('"[frown] Why?"', "[frown] Why?", r"put a text that begins with \[ or \* in quotes"),
        ('"[frown] Why?"', "*why not", r":12:10: \*why is an alias; put a text that begins with \* in quotes"),
        ("size: [96, 128]", "size: [97, 128]", r":1:8: size has 97; a video's sides are even: give 98"),
        ("size: [96, 128]", "size: [96]", r":1:.*give a list|:1:.*size"),
        ("    direction: quietly guilty\n", "    direction: sad\n    emotion: sad\n", "both say what the face feels; drop"),
        ("You [smile] came! [pause 0.3] [look left] At *last*.", "", r":7:5: nothing is said and nothing lasts"),
        ("    overlap: 0.2", "  - Ana: Hi.\n    overlap: 0.2", r":14:5: overlap: Ana speaks the line before as well"),
        ("    overlap: 0.2", "    fit: 0.55s", r":13:10: line 3.fit is '0.55s'; give at least 0\.6"),
        ("quality: draft", "font: drawn_man.png", r":2:7: font .*drawn_man.png: cannot be read .*; give a .ttf or .otf"),
        ("But no", "But nø", r":10:39: subtitles: the built-in font has no 'ø'; give font"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(stage: Path, old: str, new: str, message: str) -> None:
    text = (stage / "scene.yaml").read_text()
    assert old in text
    if "ø" in new:
        text += "subtitles: [burn]\n"
    (stage / "scene.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(ScreenplayError, match=message) as error:
        read_scene(stage / "scene.yaml")
    assert "\n" not in str(error.value)


def test_limits_are_those_of_the_command_line_and_of_the_silences() -> None:
    assert (MIN_FIT_S, MAX_FIT_S) == (cli_values.MIN_FIT_S, cli_values.MAX_FIT_S)
    assert Scene.model_fields["pause"].default == pytest.approx(sum(EDGES_S))


def test_a_letter_that_is_not_burnt_needs_no_font(stage: Path) -> None:
    text = (stage / "scene.yaml").read_text().replace("But no", "But nø")
    (stage / "scene.yaml").write_text(text + "subtitles: [srt]\n")
    assert "nø." in read_scene(stage / "scene.yaml").scripts[1].words


def test_every_file_that_a_scene_names(stage: Path) -> None:
    play = read_scene(stage / "scene.yaml")
    assert play.files() == [stage / name for name in ("scene.yaml", "drawn_woman.png", "drawn_man.png")]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("BOB (", "Bill (", r":16:1: 'Bill' is not in the cast; choose from Ana, Bob"),
        ("seat right", "chair right", r":7:1: unknown field 'chair'; choose from voice, style"),
        ("emotion happy 0.2", "emotion happy 2", r":7:1: cast.Bob.strength is '2'; give at most 1"),
        ("(quietly guilty)", "(pause long)", r":16:1: line 2.pause is 'long'; give a number"),
        ("[nod]", "[nid]", r":16:25: \[nid\] is no cue"),
        ("## Scene\n", "## Scene\n\nA storm. Thunder.\n", r":13:1: 'A storm. Thunder.' is not understood; write NAME"),
        ("---\n## Cast", "## Cast", r":1:1: --- begins a head that has no end"),
        ("Why?\n", "Why?\n\n[pause 1]\n", r":21:1: \[pause ...\] stands after the last line"),
        ("- Bob:", "- Ana:", r":7:1: 'Ana' is given twice in the cast"),
    ],
)
def test_a_mistake_in_a_play_is_told_with_its_place(stage: Path, old: str, new: str, message: str) -> None:
    text = (stage / "scene.md").read_text()
    assert old in text
    (stage / "scene.md").write_text(text.replace(old, new, 1))
    with pytest.raises(ScreenplayError, match=message):
        read_scene(stage / "scene.md")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["perform"], "scene: none came; give a file such as scene.yaml"),
        (["perform", "scene.yaml"], "--output: none came; give a video such as -o scene.mp4"),
        (["perform", "none.yaml", "--check"], "none.yaml: no such file; give a scene"),
        (["perform", ".", "--check"], "is a folder; give a scene"),
        (["perform", "drawn_man.png", "--check"], "has '.png'; choose one of .yaml"),
        (["perform", "scene.yaml", "-o", "scene.txt"], "scene.txt: has '.txt'; choose one of .mp4"),
        (["perform", "scene.yaml", "-o", "a.mp4", "-q", "worst"], "--quality worst: unknown; choose from draft"),
    ],
)
def test_wrong_options(
    stage: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(stage)
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(stage.glob("*.mp4")) and not list(stage.glob("*.work"))
