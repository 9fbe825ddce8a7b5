"""What happens in a replay, and when the desk is looked after."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pandas as pd

from stock_assets.forecasting.sessions import next_session, session_close, session_open, sessions_between

CALENDAR = "XNYS"
TICKER = "SOAK"
MODELS = ("random_walk", "xgboost")
USUAL_CLOSE = time(16)
_LOOKS = tuple(timedelta(minutes=minutes) for minutes in (20, 50, 60, 75))
"""After each close: before the source has settled, when the update is due, and twice for what follows from it."""
_HALF_HOURLY = tuple(timedelta(minutes=minutes) for minutes in range(50, 17 * 60, 30))


@dataclass(frozen=True)
class Script:
    """One replay. Sessions are counted from 1; None: it does not happen.

    Attributes:
        first: date from which sessions are replayed.
        n_sessions: how many.
        lookback: how far back the first fetch reaches.
        seed: of the simulated bars.
        outage: session from whose close on the source is down.
        outage_hours: for so long.
        off: session before whose close the machine is switched off, until after the next session's open.
        dividend: session whose open is the first without a dividend, which restates the adjusted history.
        regime: first session with threefold volatility.
        are_reviewed: whether the monthly walk-forward reviews are carried out, too.
    """

    first: date
    n_sessions: int
    lookback: str
    seed: int
    outage: int
    off: int
    dividend: int
    regime: int | None
    outage_hours: float = 5.0
    are_reviewed: bool = True

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """The sessions replayed."""
        return sessions_between(CALENDAR, self.first, date(self.first.year + 1, 12, 31))[: self.n_sessions]

    def session(self, number: int) -> date:
        """The session of that number."""
        found: date = self.sessions[number - 1].date()
        return found

    @property
    def down(self) -> tuple[datetime, datetime]:
        """When the source is."""
        start = session_close(CALENDAR, self.session(self.outage))
        return start, start + timedelta(hours=self.outage_hours)

    @property
    def away(self) -> tuple[datetime, datetime]:
        """When the machine is off."""
        session = self.session(self.off)
        start = session_close(CALENDAR, session) - timedelta(hours=1)
        return start, session_open(CALENDAR, next_session(CALENDAR, session)) + timedelta(hours=1)

    def moments(self, day: date) -> Iterator[datetime]:
        """When the sensors are asked on a day, and in the night after it."""
        session = pd.Timestamp(day)
        if session not in self.sessions:
            yield datetime.combine(day, time(13), UTC)  # weekends and holidays
            yield datetime.combine(day, time(22), UTC)
            return
        close = session_close(CALENDAR, day)
        looks = _HALF_HOURLY if day == self.session(self.outage) else _LOOKS
        asked = [session_open(CALENDAR, day) - timedelta(hours=1), *(close + look for look in looks)]
        off, on = self.away
        if on.date() == day:
            asked.append(on)
        yield from (moment for moment in sorted(asked) if not off <= moment < on)


FULL = Script(date(2023, 10, 16), 90, "4y", seed=1, outage=12, off=35, dividend=50, regime=20)
"""Thanksgiving with its early close, Christmas, New Year and two more holidays."""
SHORT = Script(date(2023, 11, 13), 12, "30mo", seed=1, outage=3, off=6, dividend=5, regime=None, are_reviewed=False)
"""Thanksgiving and its early close."""
