"""All screens and the daemon of one home, started, watched and stopped together: `stock-assets up` (`cli/up.py`).

The loop takes its services as data and knows none of them.
"""
