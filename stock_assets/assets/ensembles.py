"""One step per ensemble file: it combines what its members have stored, and loads and fits nothing."""

from stock_assets.assets._fits import fit_outputs, predict, prediction_notes, trained_rows
from stock_assets.bodies import Made, OneTicker
from stock_assets.clock import Clock
from stock_assets.forecasting.combining import answers, combine
from stock_assets.forecasting.ensembles import Ensemble, discover_ensembles, member_names
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.splits import HOLDOUT, LIVE
from stock_assets.lineage import Declaration, Read, lineage_asset
from stock_assets.resources import ModelSettings, Tracking
from stock_assets.tracking.fits import track_fit


def build_ensemble_asset(ensemble: type[Ensemble]) -> Declaration:
    """The step that weighs the members of `ensemble`, and says the weighted mean of what they say."""

    @lineage_asset(
        *fit_outputs(ensemble.name, ensemble.description),
        reads=[
            "prices",
            "features",
            "splits",
            Read("models", models=member_names()),
            Read("predictions", models=member_names(), schemes=(HOLDOUT, LIVE)),
        ],
        kinds=ensemble.libraries[:1],
        model=ensemble.name,
        is_required=False,
        is_divisible=True,
    )
    def combined(one: OneTicker, clock: Clock, model_settings: ModelSettings, tracking: Tracking) -> Made:
        """Combine the members' fits, or take the combination in use, and predict every session that has a role."""
        splits = one.read("splits")
        history = build_history(one.read("prices"), one.read("features"))
        said = one.read("predictions", model=list(member_names()))
        if not one.makes("models"):
            trained = one.store.load_current(one.ticker, ensemble.name)
            table, findings = predict(one, trained, answers(trained, history, said), history, splits)
            return Made({"predictions": table}, findings, prediction_notes(one, table))
        with track_fit(tracking.store, one.context, ticker=one.ticker, model=ensemble.name, warn=one.warn) as tracked:
            weighs = model_settings.ensemble(ensemble.name)
            trained, answered = combine(
                weighs, history, splits, said, ticker=one.ticker, store=one.store, now=clock.now, progress=one.say
            )
            return trained_rows(one, tracked, trained, answered, history, splits)

    return combined


ensemble_assets = [build_ensemble_asset(ensemble) for ensemble in discover_ensembles().values()]
