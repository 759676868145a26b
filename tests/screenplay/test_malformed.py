"""A hundred scenes that cannot be performed, made by mutation: each is told in one line, and leaves nothing behind."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from talkinghead import cli
from talkinghead.errors import ScreenplayError
from talkinghead.screenplay.reading import read_scene

NUM_SCENES = 100
NUM_TRIES = 150
Mutation = Callable[[str, random.Random], str]


def _one(text: str, pattern: str, into: str | Callable[[re.Match[str]], str], dice: random.Random) -> str:
    """One of the places of a pattern, changed."""
    found = dice.choice(list(re.finditer(pattern, text)))
    new = into if isinstance(into, str) else into(found)
    return text[: found.start()] + new + text[found.end() :]


def _misspelt(word: str, dice: random.Random) -> str:
    place = dice.randrange(1, len(word))
    return word[:place] + dice.choice("qxzjw") * 2 + word[place:]


YAML_MUTATIONS: dict[str, Mutation] = {
    "a key misspelt": lambda t, d: _one(t, r"(?<=\n)(  )+(\w+)(?=: )", lambda m: m[0] + "xq", d),
    "a cue misspelt": lambda t, d: _one(t, r"\[(smile|look left|nod|frown)\]", lambda m: f"[{_misspelt(m[1], d)}]", d),
    "a bracket lost": lambda t, d: _one(t, r"(smile|look left|nod|frown)\]", lambda m: m[1], d),
    "a star lost": lambda t, d: _one(t, r"\*last\*", d.choice(["*last", "last*"]), d),
    "a pause of words": lambda t, d: _one(
        t, r"\[pause 0.3\]", d.choice(["[pause]", "[pause long]", "[pause -1]", "[pause 99]"]), d
    ),
    "an emotion misspelt": lambda t, d: _one(t, r"(emotion: )(happy)", lambda m: m[1] + _misspelt(m[2], d), d),
    "a strength out of range": lambda t, d: _one(
        t, r"strength: 0\.\d", f"strength: {d.choice(['1.2', '-0.1', '.nan', 'big', '7'])}", d
    ),
    "nobody's line": lambda t, d: _one(t, r"- (Ana|Bob): ", f"- {d.choice(['Cid', 'ana', 'Bobb'])}: ", d),
    "a portrait that is not there": lambda t, d: _one(t, r"drawn_\w+\.png", f"missing_{d.randrange(99)}.png", d),
    "a voice that is not there": lambda t, d: _one(t, r"voice: en-us", "voice: xx-" + d.choice("abcdef"), d),
    "a seat that is none": lambda t, d: _one(t, r"seat: \w+", f"seat: {d.choice(['top', '3', 'true'])}", d),
    "a camera that is none": lambda t, d: _one(t, r"camera: side by side", f"camera: {d.choice(['zoom', '1', '[cut]'])}", d),
    "a size that is none": lambda t, d: _one(
        t, r"\[96, 128\]", d.choice(["[96]", "big", "[96, 129]", "[10, 128]", "[96, 1e9]"]), d
    ),
    "tabs": lambda t, d: _one(t, r"\n  - ", "\n\t- ", d),
    "a quote lost": lambda t, d: _one(t, r'"\n', "\n", d),
    "a colon lost": lambda t, d: _one(t, r"(cast|lines|quality|overlap|direction): ?", lambda m: m[1] + " ", d),
    "a key twice": lambda t, d: _one(t, r"\n(size|quality): [^\n]+", lambda m: m[0] + m[0], d),
    "a list for a text": lambda t, d: _one(t, r'- (Ana|Bob): "[^"]*"', lambda m: f"- {m[1]}: [a, b]", d),
    "a part lost": lambda t, d: d.choice([t[: t.index("lines:")], t[t.index("lines:") :], t[: t.index("  - Ana")]]),
    "an overlap of nothing": lambda t, d: _one(t, r"    emotion: happy", "    overlap: 0.3\n    emotion: happy", d),
    "two feelings": lambda t, d: _one(t, r"    direction: ", "    emotion: sad\n    direction: ", d),
    "a tag": lambda t, d: _one(t, r"quality: draft", f"quality: !!python/{d.choice(['object', 'name', 'tuple'])} draft", d),
}
PLAY_MUTATIONS: dict[str, Mutation] = {
    "nobody's line": lambda t, d: _one(t, r"BOB ", d.choice(["Bill ", "BOBB ", "The man "]), d),
    "a field misspelt": lambda t, d: _one(t, r"(voice|seat|emotion) ", lambda m: _misspelt(m[1], d) + " ", d),
    "a cue misspelt": lambda t, d: _one(t, r"\[(smile|look left|nod|frown)\]", lambda m: f"[{_misspelt(m[1], d)}]", d),
    "a direction of nothing": lambda t, d: _one(t, r"quietly guilty", d.choice(["at the door", "42", "xyz"]), d),
    "prose": lambda t, d: _one(t, r"## Scene\n", f"## Scene\n\n{d.choice(['Night falls.', 'They wait', '... and so'])}\n", d),
    "a head without its end": lambda t, d: t.replace("\n---\n", "\n", 1),
    "a portrait that is not there": lambda t, d: _one(t, r"drawn_\w+\.png", "missing.png", d),
}


def mutants(stage: Path) -> list[tuple[str, str, str]]:
    """Name of the file, what was done, and the text, the same hundred each time."""
    dice = random.Random(6)
    mutations = {"scene.yaml": YAML_MUTATIONS, "scene.md": PLAY_MUTATIONS}
    kinds = [(file, (stage / file).read_text(), *mutation) for file, known in mutations.items() for mutation in known.items()]
    found: dict[str, tuple[str, str, str]] = {}
    while len(found) < NUM_SCENES:
        file, text, name, how = kinds[len(found) % len(kinds)] if len(found) < len(kinds) else dice.choice(kinds)
        mutant = how(text, dice)
        found.setdefault(mutant, (file, name, mutant))
        if mutant == text:
            raise AssertionError(name)
    return list(found.values())


def test_a_hundred_malformed_scenes(stage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name for path in stage.iterdir()}
    told = []
    for file, name, text in mutants(stage):
        (stage / file).write_text(text)
        assert cli.main(["perform", str(stage / file), "-o", str(stage / "out.mp4")]) == 2, (name, text)
        out, err = capsys.readouterr()
        lines = err.splitlines()
        assert len(lines) == 1 and not out, (name, err)
        assert re.match(rf"talkinghead: {re.escape(str(stage / file))}:\d+:\d+: .+; .+[.?]$", err), (name, err)
        assert "Traceback" not in err and len(err) < 1200, (name, err)
        told.append(err)
    assert len(told) == NUM_SCENES and {path.name for path in stage.iterdir()} == before


def test_whatever_is_broken_is_told_by_this_package(stage: Path) -> None:
    """Bytes lost, doubled and changed anywhere: a scene that can be read, or one line."""
    dice = random.Random(7)
    texts = {file: (stage / file).read_text() for file in ("scene.yaml", "scene.md")}
    broken = 0
    for _ in range(NUM_TRIES):
        file = dice.choice(list(texts))
        text, place = texts[file], dice.randrange(len(texts[file]))
        length = dice.randrange(1, 12)
        cut = text[:place] + dice.choice(["", "\0", ":", "[", "*", "- ", "\n", "é", "---\n", "\t"]) + text[place + length :]
        (stage / file).write_text(cut)
        try:
            read_scene(stage / file)
        except ScreenplayError as error:
            broken += 1
            assert "\n" not in str(error) and str(stage / file) in str(error)
    assert broken > NUM_TRIES / 3


def test_a_check_tells_all_mistakes_in_their_order(stage: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scene = stage / "scene.yaml"
    text = scene.read_text()
    scene.write_text(text.replace("[smile]", "[smyle]").replace("[nod]", "[nodd]", 1))
    assert cli.main(["perform", str(scene), "--check"]) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2 and "smyle" in lines[0] and "nodd" in lines[1]
    assert cli.main(["perform", str(scene), "-o", str(stage / "out.mp4")]) == 2
    assert capfd.readouterr().err.splitlines() == lines[:1]
    scene.write_text(text.replace("emotion: happy", "emotin: happy", 1).replace("size: [", "size: [3.5, "))
    assert cli.main(["perform", str(scene), "--check"]) == 2
    keys = capfd.readouterr().err.splitlines()
    assert len(keys) >= 2 and "size" in keys[0] and "emotin" in keys[-1]
    scene.write_text(text.replace("size: [", "size: [3.5, ").replace("[smile]", "[smyle]"))
    assert cli.main(["perform", str(scene), "--check"]) == 2
    both = capfd.readouterr().err
    assert "size" in both and "smyle" in both, "a key of the wrong kind hides no cue that is none"
    scene.write_text(text.replace("[smile]", "[smyle] [pause -1] [nod 9] *You"))
    assert cli.main(["perform", str(scene), "--check"]) == 2
    one_text = capfd.readouterr().err.splitlines()
    assert [told.split(": ")[2].split("]")[0] for told in one_text] == [
        "[smyle",
        "[pause -1",
        "[nod 9",
        "'*' has no '*' that belongs to it; close it, or write \\* to have it read.",
    ]
    scene.write_text(text.replace("direction: quietly guilty", "emotion: hapy\n    voice: zz-none", 1))
    assert cli.main(["perform", str(scene), "--check"]) == 2
    of_a_line = capfd.readouterr().err.splitlines()
    assert len(of_a_line) == 2 and "hapy" in of_a_line[0] and "zz-none" in of_a_line[1]
