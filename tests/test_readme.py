"""The README's commands are those that exist, with options that exist, and its tree is the package's."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from talkinghead.cli import app
from talkinghead.evaluation.report import TABLES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.S)
COMMANDS = [line.split("  #")[0] for block in BLOCKS for line in block.splitlines() if line.strip()]
PROGRAM = typer.main.get_command(app)
MEASURED = (ROOT / "docs/measured.md").read_text()
FIGURES = README[README.index("## Measured") :]
PRINTED_BY = sorted(set(re.findall(r"`((?:python scripts/|talkinghead |--only )[^`]*)`", MEASURED + FIGURES)))


def test_there_are_commands():
    assert len(COMMANDS) > 10 and any(line.startswith("talkinghead generate") for line in COMMANDS)


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("talkinghead")])
def test_every_command_line_parses(line):
    name, *arguments = shlex.split(line)[1:]
    assert name in PROGRAM.commands
    PROGRAM.commands[name].make_context(name, arguments)  # raises on an option that is not there


def test_no_figure_is_left_open():
    assert not re.search(r"\b(TODO|TBD|XXX|MEMORY)\b", README)


@pytest.mark.parametrize("line", [line for line in COMMANDS if "scripts/" in line])
def test_every_script_and_configuration_is_there_and_knows_its_options(line):
    words = shlex.split(line)
    script = next(word for word in words if word.startswith("scripts/"))
    text = (ROOT / script).read_text()
    for word in words[words.index(script) + 1 :]:
        if word.startswith("configs/"):
            assert (ROOT / word).is_file()
        elif word.startswith("-"):
            assert f'"{word}"' in text, f"{script} has no option {word}"


def test_the_tree_names_every_file_beside_the_folders_and_nothing_else():
    tree = re.search(r"```\ntalkinghead/\n(.*?)```", README, re.S)
    assert tree is not None
    folders = dict(re.findall(r"^  (\w+)/ .*?  +([\w, ]+)$", tree[1], re.M))
    package = ROOT / "talkinghead"
    assert set(folders) == {path.name for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}
    for folder, modules in folders.items():
        for module in re.findall(r"\w+", re.sub(r"\(.*?\)", "", modules)):
            assert (package / folder / f"{module}.py").is_file(), f"{folder}/{module}"
    files = set(re.findall(r"(\w+\.py)", tree[1]))
    assert files == {path.name for path in package.glob("*.py")} - {"__init__.py", "__main__.py"}


def test_every_link_leads_to_a_file():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


@pytest.mark.parametrize("page", ["measured", "limits", "python", "reenactment", "emotion"])
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page):
    for target, heading in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", (ROOT / f"docs/{page}.md").read_text()):
        assert target.startswith("http") or (ROOT / "docs" / target).exists(), target
        assert not heading or heading in headings(ROOT / "docs" / (target or f"{page}.md")), heading


def test_every_link_into_a_page_leads_to_a_heading():
    for target, heading in re.findall(r"\]\((docs/\w+\.md)#([^)]+)\)", README):
        assert heading in headings(ROOT / target), f"{target}#{heading}"


def headings(page):
    """As GitHub names them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("line", PRINTED_BY)
def test_every_command_that_prints_figures_is_there_and_knows_its_options(line):
    words = shlex.split(line)
    if words[0] == "python":
        text = (ROOT / words[1]).read_text()
        assert all(f'"{word}"' in text for word in words if re.match("--?[a-z]", word))
        return
    arguments = words[2:] if words[0] == "talkinghead" else [*words, "-o", "report/"]
    if words[0] == "--only" or words[1] == "evaluate":
        asked = PROGRAM.commands["evaluate"].make_context("evaluate", arguments).params["only"]
        assert set((asked or "lips").split(",")) <= {*TABLES, "paper"}
    else:
        assert words[1] in PROGRAM.commands


def test_every_figure_of_the_readmes_table_stands_in_a_page_of_figures():
    pages = MEASURED + (ROOT / "docs/metrics.md").read_text()
    rows = [row.split("|")[2:5] for row in re.findall(r"^\|.*\|$", FIGURES, re.M)[2:]]
    figures = re.findall(r"(?<![\w.])-?\d*\.?\d+", " ".join(cell for row in rows for cell in row))
    assert len(rows) >= 12 and len(figures) > 40
    for figure in figures:
        assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d]|\.\d)", pages), figure
