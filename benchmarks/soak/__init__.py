"""`make soak`: the desk alone for ninety sessions.

`market.py` is the world outside, `daemon.py` what ticks, `script.py` what happens when, `checks.py` what must have
held.
"""
