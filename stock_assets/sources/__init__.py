"""Where bars come from: one file per source, one contract (`base.py`)."""
