"""Addresses at which there is no Dagster, or none that may be asked; no password is ever told."""

import base64
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dashboard import dagster_api
from dashboard.dagster_api import (
    AccessDenied,
    DagsterApi,
    DagsterNotRunning,
    DagsterTooSlow,
    NotOurDagster,
    RefusedByDagster,
)
from dashboard.pipeline import Pipeline
from stock_assets.settings import Settings
from tests.dashboard.servers import free_port

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that answers every request alike; returns where it listens, without the scheme."""
    servers = []

    def start(status: int, content: str, *, password: str = "", patience: threading.Event | None = None) -> str:
        wanted = f"Basic {base64.b64encode(f'me:{password}'.encode()).decode()}" if password else None

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                if patience is not None:
                    patience.wait()
                allowed = self.headers["Authorization"] == wanted
                self.send_response(status if allowed else 401)
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_address_where_nobody_listens_says_how_to_start_it(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    pipeline = Pipeline(Settings(home=tmp_path, dagster_api=url))
    for ask in (pipeline.require_ours, pipeline.sleeping, pipeline.runs.under_way, pipeline.runs.newest):
        with pytest.raises(DagsterNotRunning, match=f"^Dagster is not running: nothing answers at {url} ") as refused:
            ask()
        assert refused.value.cure.startswith("start it with `stock-assets up`")


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999", "http://no-such-host.invalid:3000"])
def test_an_address_that_cannot_be_reached_is_named(url: str) -> None:
    with pytest.raises(DagsterNotRunning, match="nothing answers at http://"):
        DagsterApi(url).ask("{ version }")


def test_a_server_that_never_answers_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagster_api, "_ANSWER_S", 0.2)
    patience = threading.Event()
    with pytest.raises(DagsterTooSlow, match=r"did not answer within 0\.2 s — it may be busy"):
        DagsterApi(f"http://{serve(200, '{}', patience=patience)}").ask("{ version }")
    patience.set()


@pytest.mark.parametrize(("status", "content"), [(404, "Not Found"), (200, "<html>"), (200, "[1]"), (200, "{}")])
def test_another_service_at_the_address_is_told_apart(serve: Serve, status: int, content: str) -> None:
    with pytest.raises(NotOurDagster, match=rf"is not Dagster \(HTTP {status}\) — correct STOCK_ASSETS_DAGSTER"):
        DagsterApi(f"http://{serve(status, content)}").ask("{ version }")


def test_a_question_it_does_not_understand_is_an_error_with_its_words(serve: Serve) -> None:
    with pytest.raises(RefusedByDagster, match="refused a question: no such field"):
        DagsterApi("http://" + serve(400, '{"errors": [{"message": "no such field"}]}')).ask("{ x }")


def test_a_password_in_the_address_is_used_and_never_told(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    where = serve(200, '{"data": {"version": "1"}}', password="s3cr@t")  # noqa: S106 - of this test
    assert DagsterApi(f"http://me:s3cr%40t@{where}/").ask("{ version }") == {"version": "1"}
    with pytest.raises(AccessDenied, match=f"^Dagster at http://{where} wants a user and a password") as refused:
        DagsterApi(f"http://me:wr0ng@{where}").ask("{ version }")
    gone = DagsterApi(f"http://me:s3cr%40t@127.0.0.1:{free_port()}")
    with pytest.raises(DagsterNotRunning) as silent:
        gone.ask("{ version }")
    told = f"{refused.value}{silent.value}{gone.url}{caplog.text}"
    assert not [secret for secret in ("s3cr", "wr0ng") if secret in told]
