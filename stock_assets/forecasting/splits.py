"""Splits: which role each session plays, by session and with one session purged at each boundary.

Roles of a fold, in time order: train, purged, validation, purged, test, live. A row's label is the return *to* the next
session, so the last row of a role before a boundary has a label that ends in the next role's first session. That row is
purged: it is neither learned from nor scored (López de Prado, Advances in Financial Machine Learning, 2018, ch. 7).
"""

import pandas as pd

from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.findings import Finding, as_dates

TRAIN_SHARE = 0.8
VALIDATION_SHARE = 0.1
MIN_TRAIN = 361
"""Fewest train rows: what the networks need for two calibration folds, so that every model can be fitted."""
HOLDOUT = "holdout"
WALK_FORWARD = "walk_forward"
LIVE = "live"


def holdout_splits(features: pd.DataFrame) -> pd.DataFrame:
    """Split one ticker's rows of table `features` 80/10/10 by session: frame of table `splits`, fold `holdout`.

    The shares are of the labelled rows; rows without a label (the newest) are live.

    Raises:
        TooFewRows: fewer than `MIN_TRAIN` rows would be left to learn from; names the ticker and both numbers.
    """
    rows = features.sort_values("session", ignore_index=True)
    labelled = rows["target_log_return"].notna()
    n = int(labelled.sum())
    validation = int(n * TRAIN_SHARE)
    test = int(n * (TRAIN_SHARE + VALIDATION_SHARE))
    n_train = max(validation - 1, 0)
    if n_train < MIN_TRAIN:
        ticker = rows["ticker"].iloc[0] if len(rows) else "this ticker"
        raise TooFewRows(
            f"{ticker} has {n} sessions with features and a next session, which leaves {n_train} to learn from; "
            f"expected at least {MIN_TRAIN}",
            cure="fetch a longer history (--lookback) or leave the ticker out",
        )
    role = pd.Series("live", index=rows.index)
    role[:n] = "test"
    role[:test] = "validation"
    role[:validation] = "train"
    role[[validation - 1, test - 1]] = "purged"
    return pd.DataFrame({"ticker": rows["ticker"], "session": rows["session"], "fold": HOLDOUT, "role": role})


def scheme_of(fold: str) -> str:
    """Which scheme a fold belongs to: holdout, walk_forward (folds `wf_00` …) or live; `ValueError` for no fold."""
    if fold in (HOLDOUT, LIVE):
        return fold
    if fold.startswith("wf_"):
        return WALK_FORWARD
    raise ValueError(f"fold is {fold!r}, expected {HOLDOUT}, wf_<number> or {LIVE}")


def roles(splits: pd.DataFrame, fold: str = HOLDOUT) -> "pd.Series[str]":
    """Role of each session in one fold of one ticker's table `splits`: a Series indexed by session, ascending."""
    role: pd.Series[str] = splits[splits["fold"] == fold].sort_values("session").set_index("session")["role"]
    return role


def check_splits(splits: pd.DataFrame, features: pd.DataFrame) -> list[Finding]:
    """Check one ticker's splits against the features they divide: one finding per fold and rule that is broken.

    Disjoint: no session twice in a fold. Ordered: train before validation before test before live. Purged: no label
    ends in a session of a later role (purged rows aside). Complete: every session of `features` from the fold's first
    to its last has a role, and rows without a label are live. (A live row may have got its label since the split was
    made.)
    """
    rows = features.sort_values("session", ignore_index=True)
    findings = []
    for fold, part in splits.sort_values("session").groupby("fold"):
        faults = (
            ("splits_disjoint", "sessions with two roles", part["session"][part["session"].duplicated()]),
            ("splits_ordered", "sessions whose role belongs to an earlier time", _not_ordered(part)),
            ("splits_purged", "labels that end in the next role", _not_purged(part, rows)),
            ("splits_complete", "sessions without a role, or without a label and not live", _not_complete(part, rows)),
        )
        findings += [
            Finding(rule, "error", f"fold {fold}: {message}: {len(sessions)}", as_dates(sessions))
            for rule, message, sessions in faults
            if len(sessions)
        ]
    return findings


_ORDER = {"train": 0, "validation": 1, "test": 2, "live": 3}


def _not_ordered(part: pd.DataFrame) -> pd.Series:
    order = part["role"].map(_ORDER).ffill()
    late: pd.Series = part["session"][order < order.cummax()]
    return late


def _not_purged(part: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    role = part.drop_duplicates("session").set_index("session")["role"]
    used = part[~part["role"].isin(["purged", "live"])]
    ends = used["session"].map(rows.set_index("session")["target_session"])
    ends_in = ends.map(role)
    touching: pd.Series = used["session"][ends_in.isin(["train", "validation", "test"]) & (ends_in != used["role"])]
    return touching


def _not_complete(part: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    inside = rows["session"][rows["session"].between(part["session"].min(), part["session"].max())]
    unlabelled = rows["session"][rows["target_log_return"].isna()]
    not_live = part["session"][(part["role"] != "live") & part["session"].isin(unlabelled)]
    wrong: pd.Series = pd.concat([inside[~inside.isin(part["session"])], not_live])
    return wrong
