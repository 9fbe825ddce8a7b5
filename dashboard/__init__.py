"""The Panel dashboard: what the analyst opens. It reads the published database and is never in the pipeline's way.

    store.py     frames of one published generation, shared by all sessions
    views/       one file, one page, one question; discovered, so adding a page is adding a file
    page.py      what surrounds every view: navigation, choices, banners, problems
    app.py       the server

What does not belong here: Dagster, MLflow or any model library. Runs are started over HTTP (`pipeline.py`).
"""
