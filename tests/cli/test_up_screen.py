"""How `stock-assets up` looks."""

from pathlib import Path

import pytest

from stock_assets.cli.up_screen import Screen
from stock_assets.supervisor.service import Service
from stock_assets.supervisor.watch import Kind, News

SERVICES = [
    Service("dashboard", ("true",), {}, lambda _: True, 5006, "http://127.0.0.1:5006"),
    Service("daemon", ("true",), {}, lambda _: True),
]


def test_addresses_go_to_stdout_once_and_say_which_service_does_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Screen(SERVICES, tmp_path / "home", opens="") as screen:
        screen.tell(News(Kind.ANSWERS, "dashboard answers after 4 s", "dashboard"))
        screen.tell(News(Kind.DIED, "daemon ended with exit code 1", "daemon", ("[red]no[/] such port",)))
        screen.tell(News(Kind.SETTLED, ""))
    said = capsys.readouterr()
    head, *rows = [line.split() for line in said.out.splitlines()]
    assert head == ["service", "address", "log"]
    assert rows == [
        ["dashboard", "answers", "http://127.0.0.1:5006", "home/logs/dashboard.log"],
        ["daemon", "does", "not", "answer", "home/logs/daemon.log"],
    ]
    assert said.err.splitlines() == [
        "dashboard answers after 4 s",
        "  daemon | [red]no[/] such port",
        "daemon ended with exit code 1",
        "Ctrl-C stops everything.",
    ]


def test_a_service_that_died_again_before_all_were_started_is_not_called_answering(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Screen(SERVICES, tmp_path, opens="dashboard") as screen:
        screen.tell(News(Kind.ANSWERS, "dashboard answers after 4 s", "dashboard"))
        screen.tell(News(Kind.GAVE_UP, "dashboard ended with exit code 1, 6 times", "dashboard"))
        screen.tell(News(Kind.SETTLED, ""))
    assert "answers  " not in capsys.readouterr().out
