"""The command line: each command checks what is cheap to check, loads the models, and lets the frames flow.

Knows words, files and the terminal; everything else is `pipeline`'s. Heavy modules are imported inside the commands, so
that `--help` answers at once. What the user can mend is one line on standard error and exit status 2.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import warnings
from typing import Annotated, Any, Final

import typer

from talkinghead.cli_batch import register as register_batch
from talkinghead.cli_checks import register as register_checks
from talkinghead.cli_export import register as register_export
from talkinghead.cli_motion import register as register_motion
from talkinghead.cli_perform import register as register_scenes
from talkinghead.cli_prepare import register as register_prepare
from talkinghead.cli_video import register as register_video
from talkinghead.errors import TalkingHeadError

_EXIT_INPUT: Final = 2
_EXIT_INTERRUPTED: Final = 130
# typer carries its own click, and of its errors exports the one about a parameter; what that is a kind of is about usage.
_UsageError: Final[Any] = typer.BadParameter.__base__

app = typer.Typer(
    help="Speech and one portrait become a video of that person speaking, with the emotion that you choose. Offline.",
    epilog="Example: talkinghead generate --image portrait.jpg --audio speech.wav --emotion happy -o out.mp4",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        from talkinghead import __version__

        typer.echo(f"talkinghead {__version__}")
        raise typer.Exit


register_video(app)
register_motion(app)
register_export(app)
register_scenes(app)
register_batch(app)
register_checks(app)
register_prepare(app)


def main(arguments: list[str] | None = None) -> int:
    """Run a command line -> its exit status: 0 done, 2 something to mend, 130 stopped."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what the libraries say to developers; python -W shows it
    with contextlib.suppress(ValueError):  # not in the main thread: then nobody sends it a signal either
        signal.signal(signal.SIGTERM, _terminate)
    try:
        status = app(args=arguments, prog_name="talkinghead", standalone_mode=False)
    except TalkingHeadError as error:
        return _fail(str(error))
    except _UsageError as error:
        command = error.ctx.command_path if error.ctx else "talkinghead"
        if not error.format_message():
            return _EXIT_INPUT  # no command at all: the help has been shown
        return _fail(f"{error.format_message().rstrip('.')}; see: {command} --help")
    except OSError as error:
        what = "" if error.filename is None else f"{error.filename}: "
        return _fail(f"{what}{error.strerror or error}; check its name, its permissions and the space on the disk.")
    except (KeyboardInterrupt, typer.Abort):
        status = _EXIT_INTERRUPTED
    if status == _EXIT_INTERRUPTED:  # typer turns Ctrl-C into this status
        _fail("stopped; no broken file is left, and what was there before is as it was.")
    return status if isinstance(status, int) else 0


def _fail(message: str) -> int:
    typer.echo("talkinghead: " + " ".join(message.split()), err=True)
    return _EXIT_INPUT


def _terminate(signum: int, _frame: object) -> None:
    sys.exit(128 + signum)  # unlike the default, this lets the writer remove its unfinished file
