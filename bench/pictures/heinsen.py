"""The picture of the case heinsen: time and memory against the number of tokens."""

from pathlib import Path

import matplotlib as mpl
from lib.report import Table
from matplotlib import pyplot as plt

mpl.use("Agg")

PANELS = {
    "prefill ns/token": "causal prefill, ns per token",
    "decode ns/token": "decoding, ns per token",
    "kept KiB": "kept for one head, KiB",
}


def draw(path: Path, heading: str, table: Table) -> None:
    """Draw a panel for each figure, a line for each kind of attention."""
    figure, panels = plt.subplots(1, len(PANELS), figsize=(4.4 * len(PANELS), 4.2), dpi=120)
    numbers, names = table.column("n"), table.column("who")
    for axes, (column, title) in zip(panels, PANELS.items(), strict=True):
        figures = table.column(column)
        for who in dict.fromkeys(names):
            shown = [
                (float(n), float(y))
                for n, name, y in zip(numbers, names, figures, strict=True)
                if name == who and isinstance(n, int) and isinstance(y, (int, float))
            ]
            axes.plot(*zip(*shown, strict=True), marker="o", ms=4, label=str(who))
        axes.set(title=title, xlabel="tokens", xscale="log", yscale="log")
        axes.grid(color="0.93")
    panels[0].legend(frameon=False)
    figure.text(0.01, 0.01, heading, fontsize=6, color="0.4")
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path)
    plt.close(figure)
