"""What the benchmark measures errors and times with, on cases computed by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from benched import Load


def test_order_kept_and_bfloat16_by_hand(bench: Load) -> None:
    """Pairs of equal weights, and ties to even."""
    case = bench("cases.int8_error")
    assert case.equal_pairs(np.array([[3, 1, 3, 3], [1, 2, 3, 4]])).tolist() == [3, 0]
    logits = np.array([[0.0, 1.0, 2.0, 2.0]])
    assert case.order_kept(np.array([[0, 0, 5, 5]]), logits) == pytest.approx(4 / 5)
    assert case.order_kept(np.array([[1, 2, 5, 5]]), logits) == 1
    values = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, -1.0078125, 0.0], np.float32)
    wanted = [1.0, 1.0, 1 + 2**-6, -1.0078125, 0.0]
    assert case.bfloat16(values).tolist() == wanted


def test_metrics_on_cases_computed_by_hand(bench: Load) -> None:
    """Divergence, variation, entropy and distance on two or three weights."""
    metrics = bench("lib.metrics")
    exact, weights = [0.5, 0.5], [0.75, 0.25]
    assert metrics.total_variation(weights, exact)[0] == pytest.approx(0.25)
    by_hand = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert metrics.kl(weights, exact)[0] == pytest.approx(by_hand)
    assert metrics.kl([1.0, 0.0], exact)[0] == pytest.approx(math.log(2))
    assert metrics.kl([1.5, -0.5], exact)[0] == math.inf
    assert metrics.kl([1.0, 1.0], exact)[0] == pytest.approx(2 * math.log(2) - 1)
    assert metrics.entropy([3.0, 3.0])[0] == pytest.approx(math.log(2))
    assert metrics.entropy([1.0, 0.0])[0] == 0.0
    assert metrics.relative_l2([3.0, 5.0], [3.0, 4.0])[0] == pytest.approx(0.2)
    compared = metrics.compare(
        [[0.9, 0.1, 0.0], [0.5, 0.5, 0.0]], [[0.8, 0.2, 1e-10], [0.5, 0.5, 0]]
    )
    assert compared.max_abs == pytest.approx(0.1)
    assert compared.max_rel == pytest.approx(0.5)
    assert compared.total_variation == pytest.approx(0.05)


def test_cancelling_and_split_on_rows_computed_by_hand(bench: Load) -> None:
    """One new maximum among three logits."""
    error_split, data_sets, exact_rows = (
        bench(f"lib.{name}") for name in ("error_split", "data_sets", "exact_rows")
    )
    logits = np.log(np.array([[1.0, 2.0, 1.0]])).astype(np.float32)
    rows = exact_rows.Rows.of(data_sets.Workload("three", (1, 3), lambda _: logits))
    assert rows.s[0] == pytest.approx(2.0)
    # without rescale 1, + 1 for the new maximum, + 1/2; with h = 0.6 throughout 1 + 0.6 + 0.6
    parts = error_split.split(rows, lambda d: np.full_like(d, 0.6), np.array([2.2]))
    assert parts.missing_rescales[0] == pytest.approx(0.5 / 2)
    assert parts.new_max[0] == pytest.approx(-0.4 / 2)
    assert parts.drift[0] == pytest.approx(0.1 / 2)
    assert parts.extrapolation[0] == 0
    assert parts.rounding[0] == pytest.approx(0.0, abs=1e-7)
    assert parts.total[0] == pytest.approx(0.1)
    found = error_split.cancelling(np.zeros((1, 2)), lambda d: d + np.array([[1.5, 0.75]]))
    assert found.absolute[0] == pytest.approx(0.75)
    assert found.signed[0] == pytest.approx(0.25)
    assert found.ratio[0] == pytest.approx(1 / 3)


def test_stream_follows_the_exact_update(bench: Load) -> None:
    """Each target is the state of the next tuple."""
    stream = bench("lib.data_sets").stream(500, "float64")
    assert stream.m[0] == 0
    assert stream.s[0] == 0
    assert stream.target[:-1] == pytest.approx(stream.s[1:], rel=1e-12)
    m = max(0.0, float(stream.x.max()))
    whole = np.exp(stream.x - m).sum()  # the start m = 0, s = 0 adds nothing
    assert stream.target[-1] == pytest.approx(whole, rel=1e-12)


def test_real_logits_are_4608_rows_of_128(bench: Load) -> None:
    """The stored logits have the shape that the reports name."""
    logits = bench("lib.data_sets").real_logits()
    assert logits.shape == (4608, 128)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_interleave_times_every_candidate_on_all_inputs(bench: Load) -> None:
    """Fresh inputs come in turn."""
    met: dict[str, set[int]] = {"a": set(), "b": set()}
    calls = {name: seen.add for name, seen in met.items()}
    times = bench("lib.timing").interleave(calls, [1, 2, 3], rounds=3)
    assert met == {"a": {1, 2, 3}, "b": {1, 2, 3}}
    assert all(0 < t.minimum <= t.median for t in times.values())


def test_tables_in_every_form(bench: Load, tmp_path: Path) -> None:
    """Text, Markdown and JSON, with cells that are not numbers."""
    report = bench("lib.report")
    table = report.Table("two", ["name", "figure"], note="a note")
    table.add("first", 1234.5)
    table.add("none", None)
    table.add("endless", math.inf)
    assert "1.23e+03" in report.as_text(table)
    assert report.as_markdown(table).endswith("| none | - |\n| endless | inf |")
    report.write_json(tmp_path / "a.json", {"cpu": "x"}, "command", {"case": [table]})
    read = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert read["tables"][0]["rows"] == [["first", 1234.0], ["none", None], ["endless", "inf"]]
    with pytest.raises(ValueError, match="cells"):
        table.add("one cell too few")
