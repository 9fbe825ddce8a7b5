"""How often and how soon a service that died is started again."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limits:
    """The supervisor's patience. Times in seconds.

    Attributes:
        restarts: times that a service is started again within `within`; the next death there is the last.
        within: how long a death counts.
        first_wait: before the first restart; doubles with each one that counts.
        answer: how long a service may take to answer; then it is killed, and that counts as a death.
        grace: how long a service may take to end; then it is killed.
        look: between two looks at everything.
    """

    restarts: int = 5
    within: float = 600
    first_wait: float = 1
    answer: float = 300
    grace: float = 20
    look: float = 0.2


@dataclass
class Deaths:
    """When one service died."""

    limits: Limits
    times: list[float] = field(default_factory=list)

    def wait_after(self, now: float) -> float | None:
        """Note a death at `now`; the seconds to wait before the restart, or None to give up."""
        self.times = [*(time for time in self.times if now - time < self.limits.within), now]
        count = len(self.times)
        return self.limits.first_wait * 2.0 ** (count - 1) if count <= self.limits.restarts else None
