"""``python -m fastsoftmax info``: what was compiled and what runs here."""

import argparse

import fastsoftmax


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m fastsoftmax", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="version, machine, instruction sets")
    parser.parse_args()
    for key, value in fastsoftmax.info().items():
        if isinstance(value, dict):
            value = ", ".join(f"{name}: {item}" for name, item in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        print(f"{key:18} {value}")


if __name__ == "__main__":
    main()
