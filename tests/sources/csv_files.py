"""Files of the csv source that several tests share, and the source as they ask it."""

from datetime import UTC, date, datetime
from pathlib import Path

from stock_assets.sources import open_source
from stock_assets.sources.base import Bars

NOW = datetime(2026, 1, 2, tzinfo=UTC)
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume"
ROWS = (
    "2024-01-02,187.15,188.44,183.89,185.64,184.73,82488700",
    "2024-01-03,184.22,185.88,183.43,184.25,183.35,58414500",
    "2024-01-04,182.15,183.09,180.88,181.91,181.02,71983600",
)


def write(folder: Path, *lines: str, name: str = "AAPL", newline: str = "\n", encoding: str = "utf-8") -> Path:
    path = folder / f"{name}.csv"
    path.write_bytes((newline.join(lines) + newline).encode(encoding))
    return path


def fetch(folder: Path, ticker: str = "AAPL", now: datetime = NOW) -> Bars:
    return open_source("csv", csv_dir=folder).fetch(ticker, date(2023, 1, 1), date(2025, 12, 31), now=now)
