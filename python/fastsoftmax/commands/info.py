"""What was compiled, and what runs here."""

import argparse

import fastsoftmax

NAME = "info"
HELP = "version, machine, instruction sets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no arguments."""


def run(arguments: argparse.Namespace) -> None:
    """Print what `fastsoftmax.info` tells."""
    for key, value in fastsoftmax.info().items():
        if isinstance(value, dict):
            value = ", ".join(f"{name}: {item}" for name, item in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        print(f"{key:18} {value}")
