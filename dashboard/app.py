"""The server: one address a page, an optional password, loopback unless there is one."""

import ctypes
import gc
import ipaddress
import secrets
from pathlib import Path
from typing import Any

from dashboard.store import Store
from dashboard.views import all_views
from dashboard.views._base import Context
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings

_STATIC = Path(__file__).with_name("static")
# A closed tab's session is let go after a minute: a slow browser may take that long to connect after it got the page.
_CHECK_SESSIONS_MS, _UNUSED_SESSION_MS = 5_000, 60_000


class PublicWithoutPassword(StockAssetsError):
    """The dashboard was asked to listen where others can reach it, without a password."""


def serve(
    place: Path, settings: Settings, *, port: int = 5006, address: str = "127.0.0.1", origins: tuple[str, ...] = ()
) -> None:
    """Serve the pages of a home, or of one published database file, until the process is told to end.

    Args:
        origins: hosts (`desk.example.org`) under which a proxy shows it; their websockets are accepted.

    Raises:
        PublicWithoutPassword: `address` is not of this machine alone and there is no password.
    """
    require_password(address, settings)
    import panel as pn

    from dashboard.page import opener

    _collect_closed_sessions(pn.state)
    context = Context(Store(place), settings)
    password = settings.dashboard_password
    # Who has logged in must do so again after a restart.
    protection = {"basic_auth": password, "cookie_secret": secrets.token_hex(32)} if password else {}
    views = {"/": all_views()[0], **{view.name: view for view in all_views()}}
    pn.serve(
        {path: opener(view, context) for path, view in views.items()},
        port=port,
        address=address,
        websocket_origin=[f"{host}:{port}" for host in {"127.0.0.1", "localhost", address}] + list(origins),
        show=False,
        title={path: f"{view.label} · stock-assets" for path, view in views.items()},
        liveness=True,
        static_dirs={"own": str(_STATIC)},
        check_unused_sessions_milliseconds=_CHECK_SESSIONS_MS,
        unused_session_lifetime_milliseconds=_UNUSED_SESSION_MS,
        **protection,
    )


def _collect_closed_sessions(state: Any) -> None:
    """Free a closed session's megabyte at once: Python alone waits until a quarter of everything it holds is new."""
    gc.freeze()  # what was loaded until now lives as long as the server, and need not be searched each time
    # glibc keeps what is freed, at the height of the busiest minute, until it is asked; other libraries need not be.
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def collect(_: object) -> None:
        gc.collect()
        if give_back is not None:
            give_back(0)

    state.on_session_destroyed(collect)


def require_password(address: str, settings: Settings) -> None:
    """Refuse to be reachable by others without a password: `PublicWithoutPassword`, with the cure."""
    if not settings.dashboard_password and not _is_loopback(address):
        raise PublicWithoutPassword(
            f"the dashboard would listen on {address}, where others can reach it, without a password",
            cure="set STOCK_ASSETS_DASHBOARD_PASSWORD, or listen on 127.0.0.1 behind a proxy",
        )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
