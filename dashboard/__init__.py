"""The Panel dashboard: what the analyst opens. It reads the published database and is never in the pipeline's way.

What does not belong here: Dagster, MLflow or any model library. Runs are started over HTTP (`pipeline.py`).
"""
