"""Options that are declared once: what typer sees of them, and what the command gets."""

import inspect
from dataclasses import dataclass

import typer
from typer.testing import CliRunner

from talkinghead.cli_groups import MotionOptions, with_groups
from talkinghead.cli_options import ImageOption, SeedOption, SizeOption


@dataclass(frozen=True)
class Grouped:
    """What belongs together."""

    size: SizeOption = None
    seed: SeedOption = 3


def _run(*arguments: str) -> tuple[str, list[object]]:
    got: list[object] = []

    def command(name: str, *, loud: bool = False, grouped: Grouped, last: int = 1) -> None:
        """What it does."""
        got.extend((name, loud, grouped, last))

    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(with_groups(command))
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "100", "TERM": "dumb"}).output, got


def test_a_command_gets_its_group_from_options_of_their_own() -> None:
    assert _run("ana", "--size", "512", "--loud")[1] == ["ana", True, Grouped(512, 3), 1]
    assert _run("ana")[1] == ["ana", False, Grouped(None, 3), 1]


def test_the_help_has_a_panel_for_the_group_and_the_command_s_own_words() -> None:
    said = _run("--help")[0]
    assert "What it does." in said
    assert said.index("--last") < said.index("What belongs together") < said.index("--seed")


def test_an_option_of_a_group_without_a_default_is_wanted():
    @dataclass(frozen=True)
    class Wanted:
        """What must come."""

        image: ImageOption

    command_of = {"wanted": Wanted, "return": None}

    def command(wanted):
        raise AssertionError("nothing came")

    command.__annotations__ = command_of
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(with_groups(command))
    result = CliRunner().invoke(app, [], env={"TERM": "dumb"})
    assert result.exit_code == 2 and "--image" in result.output


def test_parameters_stand_where_the_group_stood() -> None:
    def command(first: int, grouped: Grouped, last: int) -> None: ...

    assert list(inspect.signature(with_groups(command)).parameters) == ["first", "size", "seed", "last"]


def test_knobs_left_out_are_left_to_the_motion() -> None:
    how = MotionOptions(gaze="10,-5").checked()
    assert how["gaze"] == "10,-5" and how["seed"] == 0 and "blink_rate" not in how
