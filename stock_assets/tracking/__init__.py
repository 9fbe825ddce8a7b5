"""Tracking: what MLflow is told about training, and how its runs are kept true. `assets/` and `runs.py` call this.

    store.py     the door to MLflow: client, addresses, locks, what counts as unreachable
    parents.py   one parent run per Dagster run, made once, ended with the Dagster run's status
    fits.py      one child run per (model, ticker), from its beginning to its end
    content.py   what is written down about a fit
    registry.py  registered versions, `@champion` and `@challenger`
    housekeeping.py  runs that nothing refers to any more

Training never depends on it: a store that cannot be reached costs the tracking and nothing else (docs/tracking.md).
"""
