"""What a check of data found. Shared by every `check_…` function of the domain."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import pandas as pd

from stock_assets.forecasting.errors import RefusedData

Severity = Literal["warn", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks wrong, in stored data.

    Attributes:
        name: stable identifier of the rule, for example `missing_session`.
        severity: `error` refuses the data, `warn` is shown and lets it pass.
        message: one sentence with the values found and what was expected.
        sessions: the sessions concerned, ascending; empty where the finding is not about sessions.
    """

    name: str
    severity: Severity
    message: str
    sessions: tuple[date, ...] = ()


def as_dates(sessions: pd.Series) -> tuple[date, ...]:
    """The dates of sessions, each once, ascending."""
    return tuple(sorted({session.date() for session in sessions}))


def refuse(findings: Sequence[Finding], *, subject: str, tolerated: Collection[str] = ()) -> None:
    """Refuse data (`subject`, in words) with an error that is not tolerated: `RefusedData`, naming every one."""
    errors = [f for f in findings if f.severity == "error" and f.name not in tolerated]
    if errors:
        what = "; ".join(f"{f.name}: {f.message}" for f in errors)
        raise RefusedData(
            f"{subject} were not stored: {what}",
            cure="correct the source's bars and fetch again; what was stored before is unchanged",
        )
