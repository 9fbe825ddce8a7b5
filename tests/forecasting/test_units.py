"""Units of work, and the generators that yield them."""

import pickle

import numpy as np
import pytest

from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.training import fit_fold
from stock_assets.forecasting.units import AskUnit, FitUnit, Packed, drive, pack, together

SMALL = XGBoost(n_estimators=5)


class Number:
    """A unit whose result is its number, or an error."""

    def __init__(self, number):
        self.number = number

    def perform(self):
        if self.number < 0:
            raise ValueError(f"{self.number} is negative")
        return self.number


def summing(*rounds):
    """Work that yields its rounds one after another and returns the sum of all results."""
    total = 0
    for numbers in rounds:
        total += sum((yield [Number(number) for number in numbers]))
    return total


def _sent(content):
    """As it arrives in another process."""
    return pickle.loads(pickle.dumps(content))  # noqa: S301 - made in this very line


def test_a_fit_that_was_a_unit_says_and_keeps_what_the_model_itself_does(garch_history):
    known = garch_history.iloc[:400]
    fitted = SMALL.fit(known)
    there = _sent(FitUnit(SMALL, known, garch_history))
    done = _sent(there.perform())
    np.testing.assert_array_equal(done.predicted, fitted.predict(garch_history))
    assert done.files == pack(fitted)
    assert done.seconds > 0
    np.testing.assert_array_equal(AskUnit(Packed(SMALL, done.files), garch_history).perform().predicted, done.predicted)


def test_a_fold_that_only_calibrates_keeps_no_files(garch_history):
    assert FitUnit(SMALL, garch_history.iloc[:400], garch_history, is_kept=False).perform().files == {}


def test_only_files_travel_between_processes_not_what_was_made_of_them(garch_history):
    packed = Packed(SMALL, pack(SMALL.fit(garch_history.iloc[:400])))
    before = len(pickle.dumps(packed))
    expected = packed.predict(garch_history)
    assert len(pickle.dumps(packed)) == before
    np.testing.assert_array_equal(_sent(packed).predict(garch_history), expected)
    assert packed.losses is None


def test_work_is_driven_round_by_round_to_its_result():
    assert drive(summing([1, 2], [3])) == 6
    assert drive(summing()) == 0


def test_an_error_of_a_unit_is_raised_in_the_work_that_yielded_it():
    def careful():
        try:
            yield [Number(-1)]
        except ValueError as error:
            return str(error)

    assert drive(careful()) == "-1 is negative"
    with pytest.raises(ValueError, match="-2 is negative"):
        drive(summing([-2]))


def test_works_that_go_together_yield_their_units_together_and_end_each_in_its_place():
    work = together([summing([1], [10]), summing(), summing([2, 3])])
    assert [unit.number for unit in next(work)] == [1, 2, 3]
    assert [unit.number for unit in work.send([1, 2, 3])] == [10]
    with pytest.raises(StopIteration) as done:
        work.send([10])
    assert done.value.value == [11, 0, 5]


def test_what_is_refused_before_any_fit_is_refused_by_the_work(garch_history, tmp_path):
    from stock_assets.forecasting.artifacts import ArtifactStore
    from tests.forecasting.conftest import NOW

    with pytest.raises(TooFewRows, match="xgboost needs"):
        fit_fold(
            SMALL,
            garch_history,
            np.arange(60, 100),
            ticker="GARCH",
            store=ArtifactStore(tmp_path),
            now=lambda: NOW,
        )
