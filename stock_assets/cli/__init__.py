"""The command line, `stock-assets`: which commands exist, and how an error reaches the person.

Modules import heavy libraries inside their functions, so that `--help` is quick.
"""

import atexit
import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from stock_assets import __version__
from stock_assets.cli import checkup, dashboard, examining, replicate, runs, tables, tickers, trace, up, upkeep
from stock_assets.errors import StockAssetsError
from stock_assets.settings import quiet_libraries

# In the order `--help` lists them; Typer puts commands that have commands of their own last.
COMMANDS: tuple[Callable[..., None], ...] = (
    *(runs.run, runs.fetch, runs.train, runs.forecast),
    *(up.up, dashboard.dashboard),
    *(examining.backtest, examining.drift, examining.audit, tables.champion, replicate.replicate),
    *(tables.leaderboard, tables.sql, tables.export, trace.trace),
    *(upkeep.publish, upkeep.migrate, upkeep.backup, upkeep.restore, upkeep.prune, checkup.doctor),
)

_EXAMPLES = """Examples:

`stock-assets run --ticker AAPL --source sample --fast` — a first look, without network

`stock-assets leaderboard AAPL` — every model beside the random walk

`stock-assets sql "FROM latest_forecasts"` — ask the published database
"""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

# Typer carries its own copy of Click and re-exports only this child of Click's `UsageError`.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
# What the machine, not the program, is at fault for.
_MACHINE_TROUBLE = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR}
)


def main() -> None:
    """Entry point of the console script."""
    code = run(sys.argv[1:])
    if code != EXIT_INTERRUPTED and "tensorflow" not in sys.modules:
        sys.exit(code)
    # With TensorFlow loaded, or half a library after Ctrl-C, DuckDB's binding prints pages about its own types while
    # modules are torn down; and threads that Ctrl-C left at work may abort the process then.
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code.

    0 done · 1 failed, one line on stderr says why and what to do · 2 wrong usage · 130 interrupted by Ctrl-C.
    An error that nobody expected keeps its traceback: it is a bug.
    """
    quiet_libraries()
    debug, arguments = _take_debug(arguments)
    try:
        code = build_app()(arguments, prog_name="stock-assets", standalone_mode=False)
        sys.stdout.flush()
    except StockAssetsError as error:
        return _fail(str(error), debug)
    except _USAGE_ERROR as error:
        return _usage(error, arguments)
    except BrokenPipeError:  # the reader of our output, `head` for example, has seen enough
        sys.stdout = None  # nothing is left to flush at exit
        return EXIT_FAILED
    except OSError as error:
        if error.errno not in _MACHINE_TROUBLE:
            raise
        return _fail(f"{error.strerror}: {error.filename or 'disk'} — `stock-assets doctor` looks for the cause", debug)
    return code if isinstance(code, int) else 0


def build_app() -> typer.Typer:
    """The application with every command registered."""
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")
    app.callback(invoke_without_command=True, epilog=_EXAMPLES)(_root)
    for command in COMMANDS:
        app.command()(command)
    app.add_typer(tickers.build_group(), name="tickers")
    return app


def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the trace of an error. Works anywhere in the line.")
    ] = False,
) -> None:
    """Next-session stock forecasts, every number beside the random walk.

    All state is in one folder: STOCK_ASSETS_HOME, or the project's `data/` inside a clone.
    """
    del debug  # taken out of the line by `run`; named here for `--help`
    if version:
        typer.echo(f"stock-assets {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _take_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """Accept `--debug` anywhere before a `--`: people append it to the line that failed."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    before = [argument for argument in arguments[:end] if argument != "--debug"]
    return len(before) < end, [*before, *arguments[end:]]


def _fail(line: str, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    typer.echo(f"error: {line}", err=True)
    return EXIT_FAILED


def _command_path(arguments: Sequence[str]) -> str:
    """The command a line names, for an error that one of ours raised without Typer's context."""
    path, command = "stock-assets", typer.main.get_command(build_app())
    for argument in arguments:
        below = getattr(command, "commands", {}).get(argument)
        if below is None:
            break
        path, command = f"{path} {argument}", below
    return path


def _usage(error: Exception, arguments: Sequence[str]) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else _command_path(arguments)
    message = getattr(error, "format_message", error.__str__)().replace("Value error, ", "").strip().rstrip(".")
    typer.echo(f"error: {message} — see `{command} --help`", err=True)
    return EXIT_USAGE
