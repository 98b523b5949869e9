"""Progress that leaves no lines: one that is rewritten on a terminal, else a dot for each part."""

import sys


class Ticker:
    """Writes to standard error; call `end` before anything else is written there."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()

    def say(self, text: str) -> None:
        """Say which part begins."""
        print(f"\r\x1b[K{text[:79]}" if self.terminal else ".", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Wipe the line, or end that of dots."""
        print("\r\x1b[K" if self.terminal else "\n", end="", file=sys.stderr, flush=True)
