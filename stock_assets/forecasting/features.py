"""Features: what a model may know at the close of a session, as DuckDB window formulas.

Adding a feature is adding one entry to `FEATURES`. The table contract, the SQL, the tests and the docs follow.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes:
        name: column name.
        formula: DuckDB expression over one ticker's bars ordered by session; it may use the columns of `prices`, the
            column `log_return` (natural log return of adj_close) and the windows declared in `features_sql`. Only the
            current and earlier rows.
        lookback: sessions it reaches back; the first `lookback` sessions of a ticker have no value.
        unit: unit of the value.
        why: one line of reason, shown as the column's comment.
    """

    name: str
    formula: str
    lookback: int
    unit: str
    why: str


FEATURES: tuple[Feature, ...] = (
    Feature("log_return_1", "log_return", 1, "log return", "yesterday's move: short-term reversal or momentum"),
)
