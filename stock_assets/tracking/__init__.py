"""Tracking: what MLflow is told about training, and how its runs are kept true. `assets/` and `runs.py` call this.

Training never depends on it: a store that cannot be reached costs the tracking and nothing else (docs/tracking.md).
"""
