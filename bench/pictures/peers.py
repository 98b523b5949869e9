"""The picture of the group peers: ns for an element against the row length, a line a library."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from lib.report import Cell, Table
from matplotlib import pyplot as plt
from matplotlib.ticker import NullLocator
from peers.race import COPY

mpl.use("Agg")

#: From here on input and output don't fit a core's caches; such shapes get points and no line.
LARGE = 1 << 24


def draw(path: Path, heading: str, softmax: Table, logsumexp: Table | None) -> None:
    """Draw the tables of everybody's times beside each other, with the machine in small print."""
    tables = [softmax] + ([logsumexp] if logsumexp else [])
    figure, panels = plt.subplots(
        1, len(tables), figsize=(6.8 * len(tables), 5.2), dpi=120, sharey=True, squeeze=False
    )
    names = dict.fromkeys(itertools.chain.from_iterable(t.columns[1:] for t in tables))
    markers = dict(zip(names, itertools.cycle("osD^vP*X<>"), strict=False))
    lengths = sorted({int(str(rows).partition("x")[2]) for rows in softmax.column("rows")})
    colours = dict(zip(names, itertools.cycle(mpl.color_sequences["tab10"]), strict=False))
    for axes, table in zip(panels[0], tables, strict=True):
        for name in table.columns[1:]:
            ours = name.startswith("fastsoftmax")
            style = {"color": "0.2" if name == COPY else colours[name], "marker": markers[name]}
            inside, outside = _points(table.column("rows"), table.column(name))
            axes.plot(
                *zip(*sorted(inside), strict=True) if inside else ([], []),
                label=name,
                ms=5 if ours else 4,
                lw=2.2 if ours else 1.0,
                ls=":" if name == COPY else "-",
                **style,
            )
            if outside:
                axes.plot(*zip(*outside, strict=True), ls="", ms=7, mfc="none", **style)
        axes.set(xscale="log", yscale="log", xlabel="columns", title=table.title.split()[0])
        axes.set_xticks(_spread(lengths), [f"{n:,}" for n in _spread(lengths)], fontsize=7)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(which="both", color="0.93")
    panels[0, 0].set_ylabel("ns per element (hollow: rows that fit no cache)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        fontsize=8,
        frameon=False,
        ncols=6,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.05),
    )
    figure.text(0.01, 0.01, heading, fontsize=6, color="0.4")
    figure.tight_layout(rect=(0, 0.13, 1, 1))
    figure.savefig(path)
    plt.close(figure)


def _spread(lengths: list[int]) -> list[int]:
    """Leave out lengths whose labels would overlap."""
    kept = lengths[:1]
    for length in lengths:
        if length >= 2 * kept[-1]:
            kept.append(length)
    return kept


def _points(
    shapes: Sequence[Cell], times: Sequence[Cell]
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """Row lengths and times: of what fits the caches, and of what doesn't."""
    inside: list[tuple[int, float]] = []
    outside: list[tuple[int, float]] = []
    for shape, time in zip(shapes, times, strict=True):
        rows, columns = (int(number) for number in str(shape).split("x"))
        (outside if rows * columns >= LARGE else inside).append((columns, float(time or 0)))
    return inside, outside
