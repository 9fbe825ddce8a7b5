"""The platform's tables as frames, in two lines. Run `make demo` first; then `python docs/examples/quickstart.py`."""

import storage

forecasts = storage.table("latest_forecasts")
scores = storage.query("SELECT ticker, model, rmse, skill_vs_naive FROM leaderboard WHERE role = 'test'")
