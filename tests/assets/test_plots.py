"""The picture that Dagster's UI shows."""

import base64

import pandas as pd

from stock_assets.plots import forecast_fan
from storage.tables import LEVELS


def test_the_fan_is_a_png_of_some_size() -> None:
    prices = pd.DataFrame(
        {"session": pd.bdate_range("2024-01-01", periods=90), "close": [100.0 + n for n in range(90)]}
    )
    bounds = {f"{side}_{level}": [190.0 + sign * level / 10] * 2 for level in LEVELS for side, sign in SIDES}
    forecasts = pd.DataFrame(
        {"model": ["random_walk", "xgboost"], "target_session": pd.Timestamp("2024-05-06"), "predicted": [190.0, 190.5]}
    ).assign(naive=190.0, **bounds)

    head, _, content = forecast_fan(prices, forecasts).removesuffix(")").partition("base64,")

    assert head == "![forecast fan](data:image/png;"
    picture = base64.b64decode(content, validate=True)
    assert picture.startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture[start : start + 4]) for start in (16, 20))
    assert width > height > 200


SIDES = (("lower", -1), ("upper", 1))
