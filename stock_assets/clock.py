"""What time it is, as a resource: real runs ask the machine, a replay of past sessions sets it."""

from datetime import UTC, datetime

import dagster as dg


class Clock(dg.ConfigurableResource):  # type: ignore[type-arg]  # its type parameter is for resources that yield something else
    """The time that assets and sensors go by. `at` (ISO, with its offset) stops it there; empty: it runs."""

    at: str = ""

    def now(self) -> datetime:
        """Now, aware, in UTC."""
        return datetime.fromisoformat(self.at).astimezone(UTC) if self.at else datetime.now(UTC)
