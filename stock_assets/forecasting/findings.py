"""What a check of data found. Shared by every `check_…` function of the domain."""

from dataclasses import dataclass
from datetime import date
from typing import Literal


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
    severity: Literal["warn", "error"]
    message: str
    sessions: tuple[date, ...] = ()
