"""The page of the screenplay says what is so: its examples can be read, its tables name every field and every cue."""

import re
from pathlib import Path

import pytest

from talkinghead.screenplay.cues import EXPRESSIONS, GESTURES, LOOKS, read_script
from talkinghead.screenplay.reading import read_scene
from talkinghead.screenplay.schema import CastMember, Line, Scene


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs/screenplay.md").read_text()


def test_both_examples_are_the_same_scene(page: str, stage: Path) -> None:
    (written,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
    (played,) = re.findall(r"```markdown\n(.*?)```", page, re.S)
    (stage / "page.yaml").write_text(written)
    (stage / "page.md").write_text(played)
    assert read_scene(stage / "page.yaml").scene == read_scene(stage / "page.md").scene


@pytest.mark.parametrize(("heading", "model"), [("The scene", Scene), ("Somebody of the cast", CastMember), ("A line", Line)])
def test_the_tables_name_every_field(page: str, heading: str, model: type[Scene]) -> None:
    (table,) = re.findall(rf"## {heading}\n(.*?)\n## ", page, re.S)
    first = re.findall(r"^\| (`[^|]*) \|", table, re.M)
    assert {name for cell in first for name in re.findall(r"`(\w+)`", cell)} == set(model.model_fields)


def test_the_cues_of_the_page_are_all_there_are(page: str) -> None:
    (part,) = re.findall(r"## Cues in the text\n(.*?)\n## ", page, re.S)
    table = "\n".join(line for line in part.splitlines() if line.startswith("|"))
    for cue in re.findall(r"`(\[[^`]*\])`", table):
        read_script(cue + " word", ("Bob",))
    named = set(re.findall(r"`\[?([a-z ]+?)\]?`", table))
    assert {*EXPRESSIONS, *GESTURES} <= named and {name.removeprefix("look ") for name in named} >= set(LOOKS)
