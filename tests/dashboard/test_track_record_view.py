from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from dashboard.page import Page
from dashboard.parts import download
from dashboard.selection import Selection
from dashboard.store import Store
from dashboard.views._base import Context, NothingToShow
from dashboard.views.track_record import TrackRecord
from stock_assets.settings import Settings
from tests.dashboard.homes import N_SESSIONS, add_calibration, add_forecasts, add_ticker, publish, score


def updated(home: Path, **chosen: object) -> TrackRecord:
    view = TrackRecord(Context(Store(home), Settings(home=home)))
    view.update(view.context.store.newest(), Selection(ticker="AAPL", **chosen))  # type: ignore[arg-type]
    return view


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A home with live forecasts, all but the newest scored."""
    lake = add_ticker(tmp_path)
    score(lake, add_forecasts(lake))
    add_calibration(lake, ("live", "live"), ("walk_forward", "test"))
    return publish(tmp_path)


def test_every_live_forecast_is_in_the_table_the_newest_first(live: Path) -> None:
    table = updated(live).table.layout
    rows = table.value
    assert len(rows) == 2 * N_SESSIONS
    assert table.frozen_rows == []
    assert rows["target_session"].is_monotonic_decreasing
    assert rows["inside"].head(2).tolist() == ["—", "—"]  # still to come
    assert set(rows["inside"]) == {"—", "yes", "no"}


def test_the_sentence_counts_the_closes_inside_and_says_the_skill(live: Path) -> None:
    view = updated(live, models=("sarima",))
    told = view.table.layout.value.query("actual == actual")
    inside = (told["inside"] == "yes").sum()
    assert f"{inside} of {N_SESSIONS - 1} closes" in view.sentence.text
    skill = 1 - ((told["error"] ** 2).mean() / ((told["naive"] - told["actual"]) ** 2).mean()) ** 0.5
    assert f"its skill over the random walk is {100 * skill:+.2f} %" in view.sentence.text


def test_misses_are_marked_where_the_close_lies_outside(live: Path) -> None:
    view = updated(live)
    misses = view.track._misses.data
    assert len(misses["x"]) == (view.table.layout.value.query("model == 'random_walk'")["inside"] == "no").sum() > 0
    assert all((misses["actual"] < misses["lower_90"]) | (misses["actual"] > misses["upper_90"]))


def test_live_rows_are_the_first_evidence_of_calibration(live: Path) -> None:
    view = updated(live)
    assert view.live.visible
    assert not view.waiting.text
    assert view.evidence.text.startswith("Live forecasts.")
    assert len(view.intervals.layout.value) == 2 * 4


def test_chosen_models_and_sessions_alone_are_shown(live: Path) -> None:
    start, end = pd.Timestamp("2024-02-01").date(), pd.Timestamp("2024-02-29").date()
    rows = updated(live, models=("sarima",), start=start, end=end).table.layout.value
    assert set(rows["model"]) == {"sarima"}
    assert (rows["target_session"].min(), rows["target_session"].max()) == ("2024-02-01", "2024-02-29")


def test_forecasts_that_wait_for_their_close_are_said_and_backtest_rows_stand_in(tmp_path: Path) -> None:
    lake = add_ticker(tmp_path)
    add_forecasts(lake)
    add_calibration(lake, ("walk_forward", "test"), ("holdout", "test"))
    view = updated(publish(tmp_path))
    assert not view.live.visible
    assert "wait for its close" in view.waiting.text
    assert "walk-forward" in view.evidence.text


def test_sample_forecasts_are_not_live_and_what_brings_a_track_record_is_said(tmp_path: Path) -> None:
    lake = add_ticker(tmp_path, source="sample")
    add_forecasts(lake, is_live=False, source="sample")
    add_calibration(lake, ("holdout", "test"))
    view = updated(publish(tmp_path))
    assert "sample data" in view.waiting.text
    assert "`stock-assets run" in view.waiting.text
    assert "holdout" in view.evidence.text


def test_charts_are_changed_in_place_and_come_back_after_an_empty_choice(live: Path) -> None:
    view = TrackRecord(Context(Store(live), Settings(home=live)))
    shown, figure = view.context.store.newest(), view.track.figure
    view.update(shown, Selection(ticker="AAPL", start=pd.Timestamp("2030-01-01").date()))
    assert not view.live.visible
    view.update(shown, Selection(ticker="AAPL"))
    assert view.live.visible
    assert view.track.figure is figure
    assert "random_walk" in view.skill.figure.html_attributes["aria-label"]


def test_a_ticker_without_scores_and_a_model_without_rows_are_states_with_their_cure(live: Path) -> None:
    add_ticker(live, "MSFT")
    publish(live)
    context = Context(Store(live), Settings(home=live))
    page = Page(TrackRecord(context), context, {"ticker": "MSFT"})
    assert "MSFT has no calibration yet" in page._problem.text
    assert "stock-assets run" in page._problem.text
    with pytest.raises(NothingToShow, match="nothing of xgboost"):
        updated(live, models=("xgboost",))


def test_a_download_has_the_rows_of_its_moment() -> None:
    frames = [pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})]
    button = download("some", lambda: frames.pop(0))
    saved = [pd.read_csv(StringIO(button.callback().read()))["a"].tolist() for _ in range(2)]
    assert saved == [[1], [2]]
    assert button.filename == "some.csv"
