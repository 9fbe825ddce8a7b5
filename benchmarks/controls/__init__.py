"""Controls that would catch the pipeline lying: series whose truth is known, through the platform's own code.

What belongs here: the series, one plain model, the rates and their bounds. What does not: any statistic, split or rule
of promotion; those are the platform's.
"""
