"""Whether anything could have seen the future. Slow for networks, so not daily: after a backtest, or when asked for."""

import dagster as dg
import pandas as pd

from stock_assets.checks import check_results
from stock_assets.clock import Clock
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.audit import Subject, as_findings, audit
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.stored_model import StoredModel
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Warehouse

GROUP = "5_audit"


@lineage_asset(
    key=["audit"],
    table="audit",
    group=GROUP,
    kinds={"pandas"},
    description="Proofs that features, predictions and bounds do not change with the future, that scales and "
    "calibration come from training rows alone, and that splits are purged; flags on skill too good to be believed.",
    ins={name: dg.AssetIn(name) for name in ("prices", "features", "splits", "evaluation")},
    deps=[dg.AssetKey([stage, name]) for stage in ("model", "predictions", "backtest") for name in discover()],
)
def audit_asset(
    context: dg.AssetExecutionContext,
    prices: pd.DataFrame,
    features: pd.DataFrame,
    splits: pd.DataFrame,
    evaluation: pd.DataFrame,
    warehouse: Warehouse,
    clock: Clock,
) -> dg.MaterializeResult[pd.DataFrame]:
    """Examine what is stored. What fails is written down and shown red; it stops promotion, not the forecasts."""
    ticker, lake = context.partition_key, warehouse.lake
    names = list(discover())
    folds = lake.read("backtest_folds", ticker=ticker, model=names)
    trained = set(lake.read("models", ticker=ticker, model=names)["model"])
    table = audit(
        Subject(
            prices,
            features,
            splits,
            folds,
            lake.read("predictions", ticker=ticker, model=names),
            evaluation,
        ),
        {name: _fits(warehouse.models, ticker, name, folds) for name in names if name in trained},
        ticker=ticker,
        audited_at=clock.now(),
        progress=context.log.info,
    )
    shown = table[["subject", "name", "kind", "passed", "message"]]
    return dg.MaterializeResult(
        value=table,
        check_results=check_results(["audit"], as_findings(table)),
        metadata={"audit": dg.MetadataValue.md(shown.to_markdown(index=False))},
    )


def _fits(store: ArtifactStore, ticker: str, model: str, folds: pd.DataFrame) -> list[StoredModel]:
    """The final fit, the evaluated one, and the newest of the backtest if there is one."""
    trained = store.load_current(ticker, model)
    walked = folds[folds["model"] == model].sort_values("test_start")["model_version"].tail(1)
    return [trained.final, trained.evaluated, *(store.load(ticker, model, str(version)) for version in walked)]
