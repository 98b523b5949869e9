"""``python -m fastsoftmax COMMAND``: the commands are those of `fastsoftmax.commands`."""

import argparse
import sys

from fastsoftmax.commands import MODULES


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m fastsoftmax")
    commands = parser.add_subparsers(dest="command", required=True)
    for module in MODULES:
        command = commands.add_parser(module.NAME, help=module.HELP, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"{parser.prog} {arguments.command}: {error}")


if __name__ == "__main__":
    main()
