"""Two pictures: error against speed of every variant, and every weight against exp."""

import itertools
import math
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import matplotlib as mpl
import numpy as np
from cases import rows
from lib.case import Options, chosen, core, once_each
from lib.data_sets import Float32, gaussian
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation, Text
from matplotlib.ticker import MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

SHAPE = (64, 2048)
SIGMA = 2.0
ROUNDS = 25
LOWEST = -14.0
#: What the registry's forms of a weight mean to a reader.
FORMS = {
    "exp": "exponential, by polynomial",
    "h(d)": "published expressions",
    "h(u)": "powers of a quadratic",
}

mpl.use("Agg")


def draw(folder: Path, heading: str) -> list[Path]:
    """Draw both pictures into `folder` and return their paths."""
    measured, weights = folder / "error_vs_speed.png", folder / "weights.png"
    _error_vs_speed(measured, heading)
    _weights(weights)
    return [measured, weights]


def _front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Give the points that no other beats in both time and error, by time."""
    best = math.inf
    front = []
    for time, error in sorted(points):
        if error < best:
            best = error
            front.append((time, error))
    return front


def _error_vs_speed(path: Path, heading: str) -> None:
    kernels = once_each(chosen(Options(), "online", "float32"))
    table = rows.measure(gaussian(SHAPE, SIGMA), kernels, ROUNDS)
    forms = {kernel.variant: kernel.form for kernel in kernels}
    measured = zip(*(table.column(name) for name in ("variant", "ns/element", "KL")), strict=True)
    points = {
        str(name): (float(time or 0), float(error or 0))
        for name, time, error in measured
        if name in forms
    }
    figure, axes = plt.subplots(figsize=(9, 6.5), dpi=120)
    front = _front(list(points.values()))
    axes.plot(*zip(*front, strict=True), color="0.75", zorder=1, label="Pareto front")
    for form, marker in zip(dict.fromkeys(forms.values()), itertools.cycle("osD^vP"), strict=False):
        members = [point for name, point in points.items() if forms[name] == form]
        label = FORMS.get(form, form)
        axes.plot(*zip(*members, strict=True), marker, label=label, ls="", zorder=3)
    shape = f"{SHAPE[0]}x{SHAPE[1]}"
    axes.set_title(f"Softmax of {shape} float32 logits N(0, {SIGMA:g}$^2$), {kernels[0].isa}")
    axes.set(xscale="log", yscale="log", xlabel="ns per element")
    axes.set_ylabel("KL(variant || exact), mean over rows")
    axes.xaxis.set_major_locator(MaxNLocator(8))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(0.1, 0.12)
    axes.grid(which="major", color="0.92")
    axes.legend(loc="lower left", frameon=False)
    figure.text(0.01, 0.01, heading, fontsize=6, color="0.4")
    figure.tight_layout(rect=(0, 0.035, 1, 1))
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    _label(axes, points, canvas.get_renderer())
    figure.savefig(path)
    plt.close(figure)


def _label(axes: Axes, points: dict[str, tuple[float, float]], renderer: RendererBase) -> None:
    """Write each name beside its point where nothing is yet, with a line if that is not close."""
    spots = axes.transData.transform(list(points.values()))
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in spots]
    directions = [
        math.tau * turn / 16 for turn in (0, 8, 4, 12, 2, 6, 10, 14, 1, 3, 5, 7, 9, 11, 13, 15)
    ]
    for name, point in points.items():
        for distance, angle in itertools.product((9, 16, 24, 34, 46, 60, 80), directions):
            text = _annotate(axes, name, point, distance, angle)
            # the annotation's own extent would count its line in
            text.update_positions(renderer)
            box = Text.get_window_extent(text).padded(1)
            inside = axes.bbox.containsx(box.x0) and axes.bbox.containsx(box.x1)
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()
        else:
            _annotate(axes, name, point, 9, 0.0)


def _annotate(
    axes: Axes, name: str, point: tuple[float, float], distance: float, angle: float
) -> Annotation:
    across, up = math.cos(angle), math.sin(angle)
    return axes.annotate(
        name,
        point,
        xytext=(distance * across, distance * up),
        textcoords="offset points",
        ha="left" if across > 0.3 else "right" if across < -0.3 else "center",
        va="bottom" if up > 0.3 else "top" if up < -0.3 else "center",
        fontsize=8,
        arrowprops={"arrowstyle": "-", "color": "0.7", "lw": 0.6} if distance > 12 else None,
    )


def _weight(kernel: fs.Kernel, d: Float32) -> Float32:
    out = np.empty_like(d)
    core.weight(kernel.variant, kernel.isa, d, out)
    return out


def _weights(path: Path) -> None:
    kernels = once_each(chosen(Options(), "weight", "float32"))
    d = np.linspace(LOWEST, 0, 4001, dtype=np.float32)
    exact = np.exp(d.astype(np.float64))
    forms = list(dict.fromkeys(kernel.form for kernel in kernels))
    figure, panels = plt.subplots(
        2,
        len(forms),
        figsize=(4.2 * len(forms), 7),
        dpi=120,
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    for form, (above, below) in zip(forms, panels.T, strict=True):
        members = [kernel for kernel in kernels if kernel.form == form]
        colours = plt.get_cmap("viridis")(np.linspace(0, 0.92, len(members)))
        above.plot(d, exact, color="black", lw=3, alpha=0.25, label="exp")
        for kernel, colour in zip(members, colours, strict=True):
            h = _weight(kernel, d).astype(np.float64)
            above.plot(d, h, color=colour, lw=1.1, label=kernel.variant)
            below.plot(d, np.maximum(np.abs(h - exact), 1e-12), color=colour, lw=0.8)
        above.set_title(FORMS.get(form, form), fontsize=10)
        above.set(yscale="log", ylim=(1e-6, 1.5))
        above.legend(
            fontsize=7, frameon=False, loc="lower right", ncols=2 if len(members) > 5 else 1
        )
        below.set(yscale="log", ylim=(1e-10, 0.5), xlabel="d = x - max")
        for axes in (above, below):
            axes.grid(color="0.92")
    panels[0, 0].set_ylabel("weight h(d)")
    panels[1, 0].set_ylabel("|h(d) - exp(d)|")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
