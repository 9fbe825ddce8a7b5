"""What must have held in a replay, by the tables, the announcements and the runs it left behind."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

import storage
from benchmarks.soak.daemon import Daemon, Ran
from benchmarks.soak.script import CALENDAR, MODELS, USUAL_CLOSE, Script
from storage.lake import Lake
from storage.tables import TABLES

KEPT = ("raw_prices", "forecasts", "forecast_scores", "champion", "retraining", "announcements")
_ZONE = "America/New_York"


@dataclass(frozen=True)
class Check:
    """One line of the result."""

    what: str
    found: str
    held: bool


def _calendar() -> Any:
    """The exchange's own times, without the desk's questions to it."""
    import exchange_calendars

    return exchange_calendars.get_calendar(CALENDAR, start="2020-01-01")


class Ledger:
    """What was stored of append-only tables at each look, and what is not there any more or reads otherwise."""

    def __init__(self) -> None:
        self._seen: dict[str, pd.DataFrame] = {}
        self.edited: list[str] = []

    def look(self, lake: Lake) -> None:
        """Compare with the last look."""
        for name in KEPT:
            stored = lake.read(name).set_index(list(TABLES[name].key)).sort_index()
            before = self._seen.get(name, stored.iloc[:0])
            lost = before.index.difference(stored.index)
            kept = before.loc[before.index.isin(stored.index)]
            if len(lost) or not stored.loc[stored.index.isin(kept.index)].equals(kept):
                self.edited.append(name)
            self._seen[name] = stored


@dataclass(frozen=True)
class Result:
    """What a replay left behind."""

    script: Script
    daemon: Daemon
    edited: list[str]

    def table(self, name: str) -> pd.DataFrame:
        """A published table or view."""
        return storage.table(name, home=self.daemon.settings.home)

    def jobs(self, *names: str) -> list[Ran]:
        """The runs of these jobs."""
        return [ran for ran in self.daemon.ran if ran.job in names]


def check(result: Result) -> Iterator[Check]:
    """Every check, in the order of the story."""
    for one in _CHECKS:
        yield one(result)


def _live(result: Result) -> Check:
    """The first session's is made when the ticker is added, in the night before it."""
    record = result.table("track_record")
    opens = _calendar().opens
    late = record[record["created_at"] >= record["target_session"].map(opens)]
    counts = record.groupby(["target_session", "model"]).size()
    expected = pd.MultiIndex.from_product([_targets(result), sorted(MODELS)], names=counts.index.names)
    replayed = counts[counts.index.get_level_values("target_session") <= result.script.sessions[-1]]
    held = late.empty and replayed.index.equals(expected) and bool((counts == 1).all())
    n = f"{len(replayed)} of {len(expected)}, {len(late)} of them made too late"
    return Check("one live forecast per session and model, made before its open", n, held)


def _targets(result: Result) -> pd.DatetimeIndex:
    """Sessions that were to be forecast live: all but the one before whose open the machine was off."""
    return result.script.sessions.delete(result.script.off)


def _superseded(result: Result) -> Check:
    """A retraining says something new about a session that was forecast the same evening."""
    forecasts = result.table("forecasts")
    live = forecasts[forecasts["is_live"]]
    again = live[live.duplicated(["target_session", "model"])]
    held = bool(_follows_training(again, result).all())
    return Check("said again before the open, only after a retraining", f"{len(again)} forecasts", held)


def _follows_training(forecasts: pd.DataFrame, result: Result) -> "pd.Series[bool]":
    trained = {pd.Timestamp(ran.at) for ran in result.jobs("train")}
    return forecasts["created_at"].isin(trained)


def _scored(result: Result) -> Check:
    forecasts, scores = result.table("forecasts"), result.table("forecast_scores")
    due = forecasts[forecasts["target_session"] <= result.script.sessions[-1]]
    missing = due[~due["forecast_id"].isin(scores["forecast_id"])]
    rows = scores.merge(forecasts[["forecast_id", "naive", "as_of_session"]], on="forecast_id")
    true = _true_log_returns(result).loc[rows["target_session"]].to_numpy()
    wrong = ~np.isclose(np.log(rows["actual"] / rows["naive"]), true, atol=1e-6)
    held = missing.empty and not wrong.any()
    found = f"{len(due) - len(missing)} of {len(due)} scored, {int(wrong.sum())} with a wrong actual"
    return Check("all are scored with what the market did", found, held)


def _true_log_returns(result: Result) -> "pd.Series[float]":
    """Of an owner who keeps the dividends, from the simulated prices and nothing that the desk computed."""
    market = result.daemon.market
    close = market.bars.set_index("session")["close"]
    paid = pd.Series({pd.Timestamp(day): amount for day, amount in market.dividends.items()}).reindex(close.index)
    returns: pd.Series[float] = np.log(close / (close.shift() - paid.fillna(0.0)))
    return returns


def _holidays(result: Result) -> Check:
    sessions = result.script.sessions
    weekdays = pd.bdate_range(sessions[0], sessions[-1])
    holidays = weekdays.difference(sessions)
    forecasts = result.table("forecasts")
    wrong = forecasts["target_session"].isin(holidays) | forecasts["as_of_session"].isin(holidays)
    asked = [ran for ran in result.daemon.ran if pd.Timestamp(ran.at.date()) in holidays]
    held = len(holidays) > 0 and not wrong.any() and not asked
    return Check("nothing is run or forecast on holidays", f"{len(holidays)} holidays, {len(asked)} runs", held)


def _early_close(result: Result) -> Check:
    early = [day for day in result.script.sessions if day in _calendar().early_closes]
    forecasts = result.table("forecasts")
    made = [forecasts.loc[forecasts["as_of_session"] == day, "created_at"].min() for day in early]
    local = [moment.tz_convert(_ZONE) for moment in made]
    held = len(early) > 0 and all(
        moment.date() == day.date() and moment.time() < USUAL_CLOSE for day, moment in zip(early, local, strict=True)
    )
    told = ", ".join(f"{moment:%m-%d at %H:%M}" for moment in local)
    return Check("after an early close the update comes early", f"updated {told} in New York", held)


def _outage(result: Result) -> Check:
    start, end = result.script.down
    session = result.script.session(result.script.outage)
    tried = [ran for ran in result.jobs("forecast") if str(session) in str(ran.run_key)]
    failed = [ran for ran in tried if ran.reason is not None]
    told = result.table("announcements")
    n_told = int((told["kind"] == "failure").sum())
    held = len(failed) >= 2 and all(start <= ran.at < end for ran in failed) and n_told == len(failed)
    held = held and tried[-1].reason is None and len(tried) == len(failed) + 1
    found = f"{len(failed)} attempts failed and were announced, number {len(tried)} caught up"
    return Check(f"an outage of {result.script.outage_hours:g} hours is caught up before the next open", found, held)


def _off(result: Result) -> Check:
    script = result.script
    missed, target = script.session(script.off), script.sessions[script.off]
    runs = [ran for ran in result.jobs("forecast") if str(missed) in str(ran.run_key)]
    forecasts = result.table("forecasts")
    late = forecasts[forecasts["target_session"] == target]
    bars = result.table("prices")
    once = late[~_follows_training(late, result)]
    held = len(runs) == 1 and sorted(once["model"]) == sorted(MODELS) and not late["is_live"].any()
    held = held and pd.Timestamp(missed) in set(bars["session"])
    found = f"{len(runs)} run, {len(late)} forecasts marked as not live"
    return Check("a night with the machine off is caught up once, and no forecast of it counts", found, held)


def _retrained(result: Result) -> Check:
    script, decisions = result.script, result.table("retraining")
    trained = decisions[decisions["action"] == "retrain"]
    runs = result.jobs("train")
    wanted = 0 if script.regime is None else 1
    held = len(trained) == len(runs) == wanted
    found = f"{len(runs)} retrainings"
    if script.regime is not None and len(trained):
        number = int(script.sessions.searchsorted(trained["session"].iloc[0])) + 1
        held = held and number >= script.regime
        found += f", after session {number} ({trained['cause'].iloc[0]})"
    what = "no retraining without a cause" if script.regime is None else (
        f"volatility times three from session {script.regime} on: one retraining, none before"
    )  # fmt: skip
    return Check(what, found, held)


def _dividend(result: Result) -> Check:
    told = result.table("announcements")
    restated = told[told["kind"] == "restated"]
    bars = result.table("raw_prices")
    vintages = bars["vintage"].nunique()
    day = result.script.session(result.script.dividend)
    held = len(restated) == 1 and vintages == 2 and restated["announced_at"].iloc[0].date() - day <= timedelta(days=1)
    return Check("a dividend restates history, and that is told", f"{len(restated)} told, {vintages} vintages", held)


def _edits(result: Result) -> Check:
    found = ", ".join(sorted(set(result.edited))) or "none"
    return Check(f"no stored row of {', '.join(KEPT[:3])} … is changed or lost", found, not result.edited)


def _other_failures(result: Result) -> Check:
    start, end = result.script.down
    failed = [ran for ran in result.daemon.ran if ran.reason is not None and not start <= ran.at < end]
    return Check("no run fails but for the outage", "; ".join(str(ran.reason) for ran in failed) or "none", not failed)


_CHECKS: tuple[Callable[[Result], Check], ...] = (
    _live,
    _superseded,
    _scored,
    _holidays,
    _early_close,
    _outage,
    _off,
    _retrained,
    _dividend,
    _edits,
    _other_failures,
)
