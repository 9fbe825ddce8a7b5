"""Asking Dagster: GraphQL over HTTP, and the five ways in which that can go wrong."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from stock_assets.errors import StockAssetsError

if TYPE_CHECKING:
    import httpx

Answer = Mapping[str, Any]
_CONNECT_S, _ANSWER_S = 3.0, 60.0  # a webserver on a busy machine takes long to launch a run
_ADDRESS = "correct STOCK_ASSETS_DAGSTER_API_URL"


class DagsterNotRunning(StockAssetsError):
    """Nobody answers at the address of Dagster's webserver."""


class DagsterTooSlow(StockAssetsError):
    """Dagster did not answer in time. What it was asked for may happen all the same."""


class NotOurDagster(StockAssetsError):
    """What answers is not a Dagster with this project's jobs, or works for another home."""


class AccessDenied(StockAssetsError):
    """Dagster, or a proxy before it, wants a user and a password."""


class RefusedByDagster(StockAssetsError):
    """Dagster understood the question and refused."""


class DagsterApi:
    """The GraphQL API of one webserver. Threads may share it. A password in its address is used and never shown."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        self.url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")

    def ask(self, query: str, **variables: object) -> Answer:
        """The data that answer one query or mutation; raises the five errors of this file, as named."""
        content = self._post({"query": query, "variables": variables})
        if content.get("errors"):
            raise RefusedByDagster(
                f"Dagster at {self.url} refused a question: {content['errors'][0].get('message', 'no reason given')}",
                cure="use the versions of dagster and dagster-webserver that this project pins",
            )
        data: Answer = content["data"]
        return data

    def _post(self, body: Mapping[str, object]) -> dict[str, Any]:
        import httpx

        try:
            response = self._client.post(f"{self.url}/graphql", json=body)
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            problem = f"Dagster at {self.url} did not answer within {_ANSWER_S:g} s"
            raise DagsterTooSlow(problem, cure="it may be busy: see the list of runs before you ask again") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise DagsterNotRunning(
                f"Dagster is not running: nothing answers at {self.url} ({why})",
                cure=f"start it with `stock-assets up`; if it runs elsewhere, {_ADDRESS}",
            ) from error
        if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise AccessDenied(
                f"Dagster at {self.url} wants a user and a password",
                cure="give them in STOCK_ASSETS_DAGSTER_API_URL: http://USER:PASSWORD@HOST:PORT",
            )
        try:
            content = response.json()
        except ValueError as error:
            raise self._foreign(response.status_code) from error
        if not isinstance(content, dict) or not content.keys() & {"data", "errors"}:
            raise self._foreign(response.status_code)
        return content

    def _foreign(self, status: int) -> NotOurDagster:
        return NotOurDagster(f"what answers at {self.url} is not Dagster (HTTP {status})", cure=_ADDRESS)

    @cached_property
    def _client(self) -> "httpx.Client":
        import httpx

        timeout = httpx.Timeout(_ANSWER_S, connect=_CONNECT_S)
        # Proxies of the environment are for the outside; Dagster is on this machine or network.
        return httpx.Client(auth=self._user, timeout=timeout, trust_env=False)
