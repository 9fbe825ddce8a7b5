"""What a service is: a name, how it is started, how it is seen to answer; and why none is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stock_assets.errors import StockAssetsError

Probe = Callable[[float], bool]
"""Asked with the Unix time of the service's start; True once it answers. Takes two seconds at most, raises nothing."""


@dataclass(frozen=True)
class Service:
    """One process (with all that it starts) to be kept running.

    Attributes:
        name: as people know it; its log is `<name>.log`, its port's option `--<name>-port`.
        environment: of the process, whole.
        answers: whether it does its work yet.
        port: it listens on at 127.0.0.1; None: none.
        address: what people open; empty: nothing.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    answers: Probe = field(repr=False)
    port: int | None = None
    address: str = ""


class PortTaken(StockAssetsError):
    """A port that a service is to listen on is in use."""


class AlreadyUp(StockAssetsError):
    """Another supervisor keeps this home."""


class AllGaveUp(StockAssetsError):
    """Every service died more often than it is started again."""
