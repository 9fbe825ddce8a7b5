"""All screens and the daemon of one home, started, watched and stopped together: `stock-assets up`.

What belongs here: what a service is, which ones there are, and the loop that keeps them. What does not: how that looks
on a terminal (`cli/up.py`), and what the services do. The loop takes its services as data and knows none of them.
"""
