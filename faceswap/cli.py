"""Command line: each command is generated from a job's options model.

Only this module prints and sets exit codes: 0 done, 1 job failed, 2 wrong usage, 130 stopped.
"""

import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal, Protocol

from cyclopts import App, CycloptsError, Group, Parameter, Token, convert
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from faceswap import __version__
from faceswap.commands import JOBS, JobFunction, options_of
from faceswap.driver import run as run_job
from faceswap.errors import FaceswapError, OptionsError, OutputError
from faceswap.event_log import LIMIT, EventLog
from faceswap.events import Failed, Finished, Line, Notice, Stopped
from faceswap.options import Options, flag_of, presentation_of
from faceswap.terminal import TerminalDisplay
from faceswap.training.signals import STOP_SIGNALS

DONE, FAILED, USAGE, STOPPED = 0, 1, 2, 130

HELP = """Swap faces in video: put the face of B on the footage of A.

In one command:

    faceswap swap A.mp4 B.mp4 -o out.mp4 --minutes 30

The same in steps, each of which can be stopped and resumed:

    faceswap extract A.mp4 --project P --side a
    faceswap extract B.mp4 --project P --side b
    faceswap train --project P
    faceswap convert --project P -o out.mp4

Swap faces only with the consent of the people shown. The metadata of every output says how
it was made; that of a swap, that it is synthetic.
"""

_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
_NAMED = inspect.Parameter.KEYWORD_ONLY
_COMMON = Group("Options", sort_key=0)
_MORE = Group("More options", sort_key=50)
_OUTPUT = Group("Output and errors", sort_key=100)


class Display(Protocol):
    """Shows the events of a running job."""

    def show(self, line: Line) -> None:
        """Show one event."""

    def close(self) -> None:
        """Release the terminal or file."""


class JsonDisplay:
    """Write each event as one line of JSON (JSON Lines) to stdout."""

    def show(self, line: Line) -> None:
        """Write ``line`` and flush, so that a reader gets it immediately."""
        sys.stdout.write(line.model_dump_json() + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Do nothing: no resource is held."""


class FollowerDisplay:
    """Display of a torchrun process other than rank 0: passes only failures to ``inner``."""

    def __init__(self, inner: Display) -> None:
        self._inner = inner

    def show(self, line: Line) -> None:
        """Show ``line`` if it is a failure."""
        if isinstance(line, Failed):
            self._inner.show(line)

    def close(self) -> None:
        """Do nothing: a shown failure has closed ``inner``."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line, given without the program's name; return the exit code."""
    console = Console(stderr=True)
    try:
        arguments, notices = _with_current_names(arguments)
        code = _application(notices)(
            arguments,
            exit_on_error=False,
            print_error=False,
            error_console=console,
            result_action="return_value",
        )
    except (CycloptsError, OptionsError) as error:
        console.print(f"[red]{escape(str(error))}[/red]", soft_wrap=True)
        console.print("Add --help to see the options.")
        return USAGE
    except BrokenPipeError:
        # The reader closed the pipe; flushing the rest at interpreter exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED
    return code if isinstance(code, int) else DONE


def _with_current_names(arguments: Sequence[str]) -> tuple[list[str], list[Notice]]:
    """Replace former option names in ``arguments``; also returns a notice for each.

    Raises OptionsError at an option that has no successor.
    """
    words = list(arguments)
    named = [n for n in (" ".join(words[:2]), *words[:1]) if n in JOBS]
    if not named:
        return words, []
    model, notices = options_of(JOBS[named[0]]), []
    flags = {}
    for old, new in model.renamed.items():
        now = flag_of(model, new)
        flags[f"--{old.replace('_', '-')}"] = now
        flags[f"--no-{old.replace('_', '-')}"] = f"--no-{now.removeprefix('--')}"
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if word == "--":
            break
        name = flag.removeprefix("--").replace("-", "_")
        if flag.startswith("--") and name in model.removed:
            raise OptionsError(f"{flag} is no option any more: {model.removed[name]}.")
        if flag in flags:
            words[place] = f"{flags[flag]}{equals}{value}"
            notices.append(Notice(message=f"{flag} is now called {flags[flag]}."))
    return words, notices


def _application(notices: list[Notice]) -> App:
    app = App(name="faceswap", help=HELP, version=__version__, help_format="markdown")
    groups: dict[str, App] = {}
    for name, job in JOBS.items():
        *path, command = name.split()
        parent = app
        for part in path:
            if part not in groups and part in JOBS:
                groups[part] = parent[part]
            elif part not in groups:
                groups[part] = App(name=part, help=f"faceswap {part}")
                parent.command(groups[part])
            parent = groups[part]
        parent.command(_command(job, notices), name=command, help=inspect.getdoc(job))
    return app


def _command(job: JobFunction, notices: list[Notice]) -> Callable[..., int]:
    """A function whose signature has the fields of the job's options model as parameters.

    notices: shown before the job starts; one is added for each former value.
    """
    model = options_of(job)

    def command(*args: Any, **kwargs: Any) -> int:
        bound = signature.bind(*args, **kwargs).arguments
        events, debug = bound.pop("events", "text"), bound.pop("debug", False)
        log: Path | None = bound.pop("log", None)
        display: Display = JsonDisplay() if events == "jsonl" else TerminalDisplay()
        if os.environ.get("RANK", "0") != "0":  # a torchrun process other than the main one
            display = FollowerDisplay(display)
        elif log is not None:
            try:
                display = EventLog(log)
            except OutputError as error:
                display.show(Failed(message=str(error)))
                return FAILED
        bound, sentences = model.with_notices(bound)
        with closing(display):
            for notice in [*notices, *(Notice(message=sentence) for sentence in sentences)]:
                display.show(notice)
            try:
                options = model(**bound)
            except ValidationError as error:
                display.show(Failed(message=_usage_error(model, error)))
                return USAGE
            return _run_job(job, options, display, debug)

    signature = inspect.Signature([*_parameters(model, notices), *_output_parameters()])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return command


def _parameters(model: type[Options], notices: list[Notice]) -> list[inspect.Parameter]:
    positional: list[inspect.Parameter] = []
    named: list[inspect.Parameter] = []
    for name, field in model.model_fields.items():
        show = presentation_of(model, name)
        flags = [flag_of(model, name)] + ([show.short] if show.short else [])
        has_negative = field.annotation is bool and (field.default or show.negatable)
        negative = None if has_negative else ()
        annotation = Annotated[
            field.annotation,  # type: ignore[name-defined]
            Parameter(
                name=flags,
                help=field.description,
                show_choices=not show.choices_in_help,
                consume_multiple=show.several,
                converter=_accept_former(model, name, notices),
                negative=negative,
                group=_COMMON if show.common or show.positional or field.is_required() else _MORE,
            ),
        ]
        default: Any = inspect.Parameter.empty
        if not field.is_required():
            default = field.get_default(call_default_factory=True)
        parameter = inspect.Parameter(
            name,
            _POSITIONAL if show.positional else _NAMED,
            annotation=annotation,
            default=default,
        )
        (positional if show.positional else named).append(parameter)
    return positional + named


def _accept_former(
    model: type[Options], name: str, notices: list[Notice]
) -> Callable[..., Any] | None:
    """A converter of former values to current ones, with notices; None where there are none."""

    def converted(kind: Any, tokens: Sequence[Token]) -> Any:
        values, sentences = model.with_notices({name: tokens[0].value})
        notices.extend(Notice(message=sentence) for sentence in sentences)
        return convert(kind, [values[name]])

    return converted if name in model.renamed_values else None


def _output_parameters() -> list[inspect.Parameter]:
    events = Annotated[
        Literal["text", "jsonl"],
        Parameter(group=_OUTPUT, help="Output format: text, or jsonl: one line of JSON per event."),
    ]
    log = Annotated[
        Path | None,
        Parameter(
            group=_OUTPUT,
            help="Write events to this file instead of standard output, one line of JSON each; old "
            f"events are thinned out to keep it below {LIMIT >> 20} MiB.",
        ),
    ]
    debug = Annotated[
        bool,
        Parameter(group=_OUTPUT, negative=(), help="Show the traceback of an error."),
    ]
    return [
        inspect.Parameter("events", _NAMED, annotation=events, default="text"),
        inspect.Parameter("log", _NAMED, annotation=log, default=None),
        inspect.Parameter("debug", _NAMED, annotation=debug, default=False),
    ]


def _run_job(job: JobFunction, options: Options, display: Display, debug: bool) -> int:
    """Run the job until it ends, fails or is stopped; returns the exit code."""
    before = {n: signal.signal(n, _interrupt) for n in STOP_SIGNALS if n != signal.SIGINT}
    try:
        summary = run_job(job(options), display.show)
        display.show(Finished(summary=summary.model_dump(mode="json"), text=summary.text()))
        return FAILED if summary.failed() else DONE
    except KeyboardInterrupt:
        display.show(Stopped())
        return STOPPED
    except FaceswapError as error:
        display.show(Failed(message=str(error), details=traceback.format_exc() if debug else ""))
        return USAGE if isinstance(error, OptionsError) else FAILED
    except Exception as error:  # noqa: BLE001  (even a bug must be shown as one sentence)
        message = f"Unexpected error, probably a bug: {type(error).__name__}: {error}"
        if not debug:
            message += ". Run it again with --debug and report the output."
        display.show(Failed(message=message, details=traceback.format_exc() if debug else ""))
        return FAILED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _usage_error(model: type[Options], error: ValidationError) -> str:
    problems = []
    for item in error.errors():
        where = f"{flag_of(model, str(item['loc'][0]))}: " if item["loc"] else ""
        problems.append(f"{where}{item['msg'].removeprefix('Value error, ')}.")
    return " ".join(problems)
