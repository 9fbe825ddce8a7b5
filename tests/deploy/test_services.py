"""A server as the units make it, on PostgreSQL and behind nginx: every service by its unit's own command line."""

import base64
import http.client
import json
import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.servers import free_port
from tests.deploy.conftest import Server
from tests.deploy.programs import require
from tests.deploy.services import CODE, command, environment, own_process
from tests.project.sources import ROOT

pytestmark = pytest.mark.slow

SCREENS = {"webserver": 3000, "dashboard": 5006, "mlflow": 5000}
USER = f"Basic {base64.b64encode(b'me:of-nginx').decode()}"
REPOSITORY = {"repositoryLocationName": "stock-assets", "repositoryName": "__repository__"}
ADD_PARTITION = """mutation($repository: RepositorySelector!) {
  addDynamicPartition(partitionsDefName: "market", partitionKey: "XNYS", repositorySelector: $repository) { __typename }
}"""
LAUNCH = """mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } }
}"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
TICKS = """query($of: SensorSelector!) {
  sensorOrError(sensorSelector: $of) { ... on Sensor { sensorState { ticks(limit: 1) { status } } } }
}"""


@dataclass(frozen=True)
class Answer:
    """Of an HTTP server."""

    status: int
    body: bytes
    cookies: list[str]


@dataclass(frozen=True)
class Site:
    """The screens as somebody outside sees them: through nginx, encrypted, by host name."""

    port: int
    folder: Path

    @property
    def home(self) -> Path:
        """Of the desk."""
        return self.folder / "home"

    @property
    def certificate(self) -> Path:
        """What nginx shows."""
        return self.folder / "fullchain.pem"

    def logs(self) -> dict[str, str]:
        """What the services said last."""
        return {log.name: log.read_text()[-2000:] for log in self.folder.glob("*.log")}

    def ask(self, host: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """What is answered to one request."""
        trusted = ssl.create_default_context(cafile=str(self.certificate))
        trusted.check_hostname = False  # the address is loopback, the name only in the header
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=trusted)
        try:
            given = {"Host": host, "Content-Type": "application/json"} | headers
            connection.request("POST" if body else "GET", path, body, given)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), answer.headers.get_all("Set-Cookie", []))
        except ConnectionRefusedError:  # nginx itself is not there yet
            return Answer(0, b"", [])
        finally:
            connection.close()

    def dagster(self, query: str, **variables: Any) -> Any:
        """Dagster's GraphQL answer, asked with nginx's password."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        answer = self.ask("dagster.example.org", "/graphql", body, Authorization=USER)
        assert answer.status == 200, answer
        return json.loads(answer.body)["data"]


def _nginx(site: Site, ports: dict[str, int]) -> list[str]:
    """Make nginx's files with our ports and a certificate of ours, and say what starts it."""
    folder = site.folder
    key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=desk.example.org"]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(site.certificate)]
    subprocess.run([*key, *files], check=True, capture_output=True)
    secret = subprocess.run(["openssl", "passwd", "-6", "of-nginx"], check=True, capture_output=True, text=True).stdout
    (folder / "htpasswd").write_text(f"me:{secret}")
    text = (ROOT / "docs" / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    text = text.replace("/etc/stock-assets/tls", str(folder)).replace("/etc/stock-assets", str(folder))
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{site.port} ssl").replace(
        "listen 80;", f"listen 127.0.0.1:{free_port()};"
    )
    for name, usual in SCREENS.items():
        text = text.replace(f"http://127.0.0.1:{usual}", f"http://127.0.0.1:{ports[name]}")
    kinds = ("body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{'client_body' if k == 'body' else k}_temp_path {folder}/{k};\n" for k in kinds)
    main = f"daemon off;\nuser root;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n"
    (folder / "nginx.conf").write_text(f"{main}{places}{text}}}\n")
    return [require("nginx", package="nginx-light"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


@pytest.fixture(scope="module")
def site(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All services of a server, each started by its unit's command line, with nginx before them."""
    folder = tmp_path_factory.mktemp("site")
    ports = {name: free_port() for name in (*SCREENS, "code-server")}
    new = {str(usual): str(ports[name]) for name, usual in {**SCREENS, "code-server": 4000}.items()}
    workspace = (ROOT / "docs" / "deploy" / "workspace.yaml").read_text(encoding="utf-8")
    (folder / "workspace.yaml").write_text(workspace.replace("4000", new["4000"]))
    new[f"{CODE}/docs/deploy/workspace.yaml"] = str(folder / "workspace.yaml")
    site = Site(free_port(), folder)
    for name in ("dagster", "mlflow", "evidently"):  # StateDirectory makes them
        (site.home / name).mkdir(parents=True)
    address = postgres_server.new_database()
    store = {"STOCK_ASSETS_DAGSTER_POSTGRES_URL": address, "STOCK_ASSETS_SOURCE": "sample"}
    given = {
        "dashboard": {"STOCK_ASSETS_DASHBOARD_PASSWORD": "of-the-desk", "DASHBOARD_FLAGS": "--origin desk.example.org"},
        "mlflow": {"MLFLOW_SERVER_ALLOWED_HOSTS": "mlflow.example.org"},
    }
    with ExitStack() as running:
        for name in ("mlflow", "code-server", "webserver", "daemon", "dashboard"):
            unit = f"stock-assets-{name}.service"
            variables = environment(unit, site.home) | given.get(name, store)
            start = command(unit, site.home, new, variables)
            running.enter_context(own_process(start, variables, folder / f"{name}.log"))
        proxy = _nginx(site, ports)
        running.enter_context(own_process(proxy, dict(os.environ), folder / "nginx.log"))
        yield site


def _until(answer: Any, wanted: Any, site: Site) -> Any:
    """Ask until the answer is the wanted one; what the services said last, if it never is."""
    deadline = time.monotonic() + 240
    while (found := answer()) != wanted:
        assert time.monotonic() < deadline, f"{found!r}, not {wanted!r}: {site.logs()}"
        time.sleep(1)
    return found


def _log_in(site: Site) -> str:
    """The cookie that the dashboard gives for its password."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = site.ask("desk.example.org", "/login", b"username=me&password=of-the-desk", **form)
    return "; ".join(cookie.split(";")[0] for cookie in answer.cookies)


def _upgrade(site: Site, origin: str, cookie: str) -> int:
    """Status of the dashboard's answer to a websocket that is opened by a page of `origin`."""
    asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": origin, "Cookie": cookie}
    key = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode()}
    return site.ask("desk.example.org", "/forecast/ws", **asked, **key).status


def test_each_screen_answers_behind_nginx_and_asks_for_its_password(site: Site) -> None:
    _until(lambda: site.ask("desk.example.org", "/liveness").status, 200, site)
    for host, path in (("mlflow.example.org", "/health"), ("dagster.example.org", "/server_info")):
        _until(lambda host=host, path=path: site.ask(host, path, Authorization=USER).status, 200, site)
        assert site.ask(host, path).status == 401
    assert site.ask("desk.example.org", "/forecast").status == 302, "to the login"
    cookie = _log_in(site)
    assert site.ask("desk.example.org", "/forecast", Cookie=cookie).status == 200
    assert _upgrade(site, "https://desk.example.org", cookie) == 101
    assert _upgrade(site, "https://elsewhere.example.org", cookie) == 403


def test_a_run_started_in_the_browser_ends_and_sensors_tick(site: Site) -> None:
    _until(lambda: site.ask("dagster.example.org", "/server_info", Authorization=USER).status, 200, site)
    sensor = REPOSITORY | {"sensorName": "new_tickers"}
    ticked = {"sensorOrError": {"sensorState": {"ticks": [{"status": "SKIPPED"}]}}}
    _until(lambda: site.dagster(TICKS, of=sensor), ticked, site)

    site.dagster(ADD_PARTITION, repository=REPOSITORY)
    selector = REPOSITORY | {"pipelineName": "fetch"}
    tags = {"tags": [{"key": "dagster/partition", "value": "XNYS"}]}
    config = {"resources": {"universe": {"config": {"tickers": ["AAPL"]}}}}
    asked = {"selector": selector, "mode": "default", "executionMetadata": tags, "runConfigData": config}
    launched = site.dagster(LAUNCH, params=asked)
    run = launched["launchRun"]["run"]["runId"]
    _until(lambda: site.dagster(STATUS, id=run)["runOrError"]["status"], "SUCCESS", site)
    assert not list((site.home / "dagster").rglob("*.db")), "all of it is in PostgreSQL"
