"""How the command line answers: exit codes, one line for an error, a trace only when asked for, quick help."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stock_assets import __version__, cli
from stock_assets.errors import StockAssetsError
from tests.cli.conftest import Say

HEAVY = ("dagster", "pandas", "numpy", "duckdb", "torch", "tensorflow", "mlflow", "sklearn", "pyarrow")


def _answer(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None], *arguments: str) -> int:
    _offer(monkeypatch, work)
    return cli.run(["work", *arguments])


def _offer(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> None:
    """A command `work` that does what a test wants."""

    def command() -> None:
        work()

    command.__name__ = "work"
    monkeypatch.setattr(cli, "COMMANDS", (command,))


def _curable() -> None:
    raise StockAssetsError("the value is 3, expected 4", cure="say 4")


def test_an_expected_error_is_one_line_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _answer(monkeypatch, _curable) == 1
    assert capsys.readouterr().err == "error: the value is 3, expected 4 — say 4\n"


@pytest.mark.parametrize("line", [["--debug", "work"], ["work", "--debug"]])
def test_debug_adds_the_trace_wherever_it_stands(
    line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _offer(monkeypatch, _curable)
    assert cli.run(line) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("error: the value is 3, expected 4 — say 4\n")


def test_an_argument_behind_two_dashes_is_not_taken_for_debug() -> None:
    assert cli._take_debug(["sql", "--", "--debug"]) == (False, ["sql", "--", "--debug"])


def test_an_unexpected_error_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        _answer(monkeypatch, bug)


def test_a_full_disk_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/home/lake")

    assert _answer(monkeypatch, full) == 1
    assert capsys.readouterr().err.startswith("error: No space left on device: /home/lake — ")


def test_another_failure_of_the_system_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file", "x")

    with pytest.raises(FileNotFoundError, match="No such file"):
        _answer(monkeypatch, missing)


@pytest.mark.parametrize("line", [["nonsense"], ["doctor", "--nonsense"], ["doctor", "nonsense"]])
def test_wrong_usage_is_one_line_that_names_the_value_and_where_help_is(line: list[str], say: Say) -> None:
    said = say(*line)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "nonsense" in said.err
    assert "--help`" in said.err


def test_version_and_help_are_answers_not_errors(say: Say) -> None:
    assert say("--version").out == f"stock-assets {__version__}\n"
    for line in ([], ["--help"], ["doctor", "--help"]):
        said = say(*line)
        assert (said.code, said.err) == (0, "")


def test_help_loads_no_heavy_library() -> None:
    script = (
        "import sys; from stock_assets.cli import run; code = run(['--help']); "
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_a_reader_that_has_seen_enough_is_no_error(home: Path) -> None:
    work = f"{sys.executable} -c 'from stock_assets.cli import main; main()' --help | true"
    done = subprocess.run(["bash", "-c", work], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_ctrl_c_ends_with_130_and_no_trace(home: Path) -> None:
    script = (
        "import signal, time\nfrom stock_assets import cli\n"
        # What starts this suite in the background may have told its children to ignore Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def wait():\n"
        "    print('waiting', flush=True)\n"
        "    time.sleep(30)\n"
        "cli.COMMANDS = (wait,)\n"
        "raise SystemExit(cli.run(['wait']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("variable", ["DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "DAGSTER_DISABLE_TELEMETRY"])
def test_telemetry_is_off_before_any_library_is_loaded(
    variable: str, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    say("--version")
    assert os.environ[variable]


def test_the_main_help_shows_examples(say: Say) -> None:
    assert "stock-assets run --ticker AAPL --source sample --fast" in " ".join(say("--help").out.split())
