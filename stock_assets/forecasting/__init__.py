"""The domain: pure functions on frames, the same file stems as `assets/`. Imports no Dagster and no storage."""
