"""How a service is seen to answer: over HTTP, on a socket file, or by the heartbeat that Dagster's UI knows of."""

import json
import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from stock_assets.supervisor.service import Probe

HOST = "127.0.0.1"
_PATIENCE_S = 2
_OK = 200
_HEARTBEATS = "{ instance { daemonHealth { allDaemonStatuses { required lastHeartbeatTime } } } }"


def http(port: int, path: str) -> Probe:
    """`GET path` is answered with 200."""
    return lambda _: _asked(port, "GET", path) is not None


def listens(path: Path) -> Probe:
    """Somebody accepts connections on the socket file."""

    def probe(_: float) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_PATIENCE_S)
            return client.connect_ex(str(path)) == 0

    return probe


def dagster_heartbeat(webserver_port: int) -> Probe:
    """Every daemon that the instance needs has sent a heartbeat since its start, says Dagster's UI."""

    def probe(started: float) -> bool:
        answer = _asked(webserver_port, "POST", "/graphql", json.dumps({"query": _HEARTBEATS}))
        if answer is None:
            return False
        try:
            statuses = json.loads(answer)["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
        except (ValueError, TypeError, KeyError):  # an answer with an error in it, or of somebody else
            return False
        return all((one["lastHeartbeatTime"] or 0) >= started for one in statuses if one["required"])

    return probe


def _asked(port: int, method: str, path: str, body: str | None = None) -> bytes | None:
    """The answer with status 200; None for every other one, and where there is none."""
    connection = HTTPConnection(HOST, port, timeout=_PATIENCE_S)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.read() if answer.status == _OK else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
