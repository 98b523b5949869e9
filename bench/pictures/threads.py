"""The picture of the case int8_threads: throughput against threads, a panel for a row length."""

from pathlib import Path

import matplotlib as mpl
from lib.report import Table
from matplotlib import pyplot as plt

mpl.use("Agg")

FIRST = 3  # columns before those of the numbers of threads


def draw(path: Path, heading: str, table: Table) -> None:
    """Draw a line for each kernel and result."""
    counts = [int(name.split()[1]) for name in table.columns[FIRST:]]
    shapes = list(dict.fromkeys(table.column("rows")))
    figure, panels = plt.subplots(
        1, len(shapes), figsize=(4.6 * len(shapes), 4.8), dpi=120, sharey=True, squeeze=False
    )
    for shape, axes in zip(shapes, panels[0], strict=True):
        for row in (row for row in table.rows if row[0] == shape):
            rates = [float(rate or 0) for rate in row[FIRST:]]
            kernel = str(row[1]).rpartition("/")[0]
            style = "-" if kernel.startswith("hccs") else "--"
            axes.plot(counts, rates, style, marker="o", ms=4, label=f"{kernel} {row[2]}")
        axes.set(title=f"{shape} int8", xlabel="threads", xticks=counts)
        axes.grid(color="0.93")
    panels[0, 0].set(ylabel="1e9 elements a second", ylim=(0, None))  # of all: they share it
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, fontsize=8, frameon=False, ncols=4, loc="lower center",
        bbox_to_anchor=(0.5, 0.05),
    )  # fmt: skip
    figure.text(0.01, 0.01, heading, fontsize=6, color="0.4")
    figure.tight_layout(rect=(0, 0.19, 1, 1))
    figure.savefig(path, bbox_inches="tight")  # one panel is narrower than the legend
    plt.close(figure)
