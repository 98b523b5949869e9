"""The exact softmax and its kin against other libraries, and against what they should reach.

Everything is measured `--runs` times over; a ratio is that of the better run, since ratios wander
by 0.1. The targets are in data/targets.json; they count for the exact variant on one thread.
"""
