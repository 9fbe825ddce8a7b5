"""Whether anything could have seen the future. Slow for networks, so not daily: after a backtest, or when asked for."""

import pandas as pd

from stock_assets.bodies import Made, OneTicker
from stock_assets.clock import Clock
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.audit import Subject, as_findings, audit
from stock_assets.forecasting.ensembles import model_names
from stock_assets.forecasting.stored_model import StoredModel
from stock_assets.lineage import Output, lineage_asset

GROUP = "5_audit"
_TABLES = ("prices", "features", "splits", "backtest_folds", "predictions", "evaluation")


@lineage_asset(
    Output(
        "audit",
        "audit",
        GROUP,
        "Proofs that features, predictions and bounds do not change with the future, that scales and calibration come "
        "from training rows alone, and that splits are purged; flags on skill too good to be believed.",
    ),
    reads=[*_TABLES, "models"],
    kinds=["pandas"],
)
def audit_asset(one: OneTicker, clock: Clock) -> Made:
    """Examine what is stored. What fails is written down and shown red; it stops promotion, not the forecasts."""
    subject = Subject(*(one.read(table) for table in _TABLES))
    trained = set(one.read("models")["model"])
    fits = {name: _fits(one.store, one.ticker, name, subject.folds) for name in model_names() if name in trained}
    table = audit(subject, fits, ticker=one.ticker, audited_at=clock.now(), progress=one.say)
    shown = table[["subject", "name", "kind", "passed", "message"]]
    return Made({"audit": table}, as_findings(table), notes=one.pictures(audit=lambda: shown.to_markdown(index=False)))


def _fits(store: ArtifactStore, ticker: str, model: str, folds: pd.DataFrame) -> list[StoredModel]:
    """The final fit, the evaluated one, and the newest of the backtest if there is one."""
    trained = store.load_current(ticker, model)
    walked = folds[folds["model"] == model].sort_values("test_start")["model_version"].tail(1)
    return [trained.final, trained.evaluated, *(store.load(ticker, model, str(version)) for version in walked)]
