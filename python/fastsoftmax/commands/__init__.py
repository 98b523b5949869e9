"""The sub-commands of ``python -m fastsoftmax``, one module each.

A module has ``NAME``, ``HELP``, ``add_arguments(parser)`` and ``run(arguments)``; `MODULES` makes
it a sub-command. What the user got wrong is an OSError, TypeError or ValueError: its words are
printed.
"""

from fastsoftmax.commands import calibrate, export, info

MODULES = (info, calibrate, export)
