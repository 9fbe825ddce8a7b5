import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stock_assets.announcements import Announcement, announce, announce_all
from stock_assets.resources import Warehouse
from storage.published import generations

NOW = datetime(2024, 3, 5, 14, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(home=str(tmp_path / "home"))


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(self.server.answer)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name of the inherited parameter)
        """Say nothing."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hook)
    server.posted, server.answer = [], 200  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("STOCK_ASSETS_WEBHOOK", f"http://127.0.0.1:{server.server_port}/services/T0P-S3CRET")
    yield server
    server.shutdown()
    server.server_close()


def test_it_is_told_once_in_log_table_and_webhook(warehouse: Warehouse, hook: ThreadingHTTPServer) -> None:
    said: list[str] = []
    news = Announcement("failure", "AAPL: a run failed", about="run-1", ticker="AAPL")
    assert announce(news, warehouse=warehouse, now=NOW, log=said.append)
    assert not announce(news, warehouse=warehouse, now=NOW, log=said.append)
    assert said == ["AAPL: a run failed"]
    assert warehouse.lake.read("announcements")["message"].tolist() == said
    assert hook.posted == [{"text": "AAPL: a run failed", "kind": "failure", "ticker": "AAPL"}]  # type: ignore[attr-defined]


def test_a_webhook_that_refuses_is_said_without_its_address(warehouse: Warehouse, hook: ThreadingHTTPServer) -> None:
    hook.answer = 403  # type: ignore[attr-defined]
    said: list[str] = []
    announce(Announcement("failure", "AAPL: failed", about="1"), warehouse=warehouse, now=NOW, log=said.append)
    assert said == ["AAPL: failed", "the webhook did not take this announcement: it answered 403"]
    hook.shutdown()
    hook.server_close()
    announce(Announcement("failure", "AAPL: again", about="2"), warehouse=warehouse, now=NOW, log=said.append)
    assert said[-1].startswith("the webhook did not take this announcement: it could not be reached (URLError")
    assert "S3CRET" not in " ".join(said)
    assert len(warehouse.lake.read("announcements")) == 2


def test_secrets_in_a_failure_are_not_passed_on(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_WEBHOOK", "http://127.0.0.1:9/T0P-S3CRET")
    said: list[str] = []
    message = "cannot reach postgresql://desk:hunter2@db:5432/x nor http://127.0.0.1:9/T0P-S3CRET"
    announce(Announcement("failure", message, about="1"), warehouse=warehouse, now=NOW, log=said.append)
    stored = warehouse.lake.read("announcements")["message"].iloc[0]
    assert stored == said[0] == "cannot reach postgresql://(password)@db:5432/x nor (webhook)"


def test_many_are_told_together_each_once_and_published_once(warehouse: Warehouse, hook: ThreadingHTTPServer) -> None:
    said: list[str] = []
    news = [Announcement("restated", f"T{number} was restated", about="1", ticker=f"T{number}") for number in range(3)]
    assert announce_all([], warehouse=warehouse, now=NOW, log=said.append) == 0
    assert announce_all(news[:1], warehouse=warehouse, now=NOW, log=said.append) == 1
    assert announce_all([*news, news[2]], warehouse=warehouse, now=NOW, log=said.append) == 2
    assert said == sorted(warehouse.lake.read("announcements")["message"]) == [one.message for one in news]
    assert len(generations(warehouse.path)) == 2
    assert [one["ticker"] for one in hook.posted] == ["T0", "T1", "T2"]  # type: ignore[attr-defined]


def test_a_webhook_that_refuses_one_of_many_is_not_asked_to_take_the_others(
    warehouse: Warehouse, hook: ThreadingHTTPServer
) -> None:
    hook.answer = 500  # type: ignore[attr-defined]
    said: list[str] = []
    news = [Announcement("restated", f"T{number}", about="1", ticker=f"T{number}") for number in range(3)]
    announce_all(news, warehouse=warehouse, now=NOW, log=said.append)
    assert said == ["T0", "T1", "T2", "the webhook did not take all of these: it answered 500"]
    assert len(hook.posted) == 1  # type: ignore[attr-defined]
