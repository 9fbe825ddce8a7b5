"""Honest next-session stock forecasts as Dagster assets."""

__version__ = "0.1.0"
