"""Two small models and the ensembles that combine them."""

from stock_assets.forecasting.ensembles import Ensemble
from stock_assets.forecasting.ensembles.ensemble_equal import EnsembleEqual
from stock_assets.forecasting.ensembles.ensemble_inverse_error import EnsembleInverseError
from stock_assets.forecasting.models.random_forest import RandomForest
from stock_assets.forecasting.models.xgboost import XGBoost

MEMBERS = {"random_forest": RandomForest(n_estimators=10), "xgboost": XGBoost(n_estimators=20)}
ENSEMBLES: tuple[type[Ensemble], ...] = (EnsembleEqual, EnsembleInverseError)
