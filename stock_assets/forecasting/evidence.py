"""Whether a backtest is about the model that forecasts: what its fits and the final fit do not have in common."""

from collections.abc import Collection, Mapping

import pandas as pd

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.manifest import Manifest
from stock_assets.forecasting.models import discover


def outdated_backtests(
    versions: Mapping[str, str], folds: pd.DataFrame, *, tuned: Collection[str], ticker: str, store: ArtifactStore
) -> dict[str, str]:
    """The models whose backtest says nothing of their final fit → what differs: its code, features or settings.

    Args:
        versions: version of each model's final fit.
        folds: the ticker's rows of table `backtest_folds`. All of a model are of one backtest, so the newest tells.
        tuned: models whose settings have been searched: a search gives every fit what its own training window says, so
            the settings that it chooses may differ.
    """
    newest = folds.sort_values("test_start").groupby("model")["model_version"].last()
    found = {}
    for model in newest.index.intersection(list(versions)):
        try:
            final, walked = (store.manifest(ticker, model, version) for version in (versions[model], newest[model]))
        except ArtifactMismatch as error:
            found[str(model)] = f"a fit cannot be read: {error.problem}"
            continue
        searched = discover()[model].search_space if model in tuned and model in discover() else ()
        if changed := _differences(final, walked, searched):
            found[str(model)] = f"other {', '.join(changed)}"
    return found


def _differences(final: Manifest, walked: Manifest, searched: Collection[str]) -> list[str]:
    names = (final.settings.keys() | walked.settings.keys()) - set(searched)
    settings = sorted(name for name in names if final.settings.get(name) != walked.settings.get(name))
    code = ["code"] if final.code_version != walked.code_version else []
    features = ["feature formulas"] if final.features_version != walked.features_version else []
    return [*code, *features, *settings]
