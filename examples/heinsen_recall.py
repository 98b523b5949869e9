"""Can a state of fixed size recall arbitrary context? Heinsen beside softmax attention.

A sequence lists pairs of a key and a value, drawn at random, then all keys again in another order;
after each the model has to say its value. Ordinary attention looks the pair up. Heinsen attention
(arXiv 2404.05843) has to answer from d_k x d_v numbers a head, however many pairs there were: the
doubt that its paper itself cites.

Models have two layers, are trained on 4 to 64 pairs in turn, all in the same way, and then asked
for each number of pairs and for more. Each position also gets the token before it, as short
convolutions give it in models of linear attention, so that a value knows its key. Nothing else
tells of order.

    pip install 'fastsoftmax[examples]' matplotlib
    python examples/heinsen_recall.py --picture recall.png     # about 6 minutes
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from fastsoftmax.heinsen.torch import Attention
from torch import nn
from torch.nn import functional as F

KEYS, VALUES = 256, 64
WIDTH, HEADS, LAYERS = 64, 2, 2
BATCH, RATE = 16, 8e-3
#: Name of each model and the width of its heads' queries and keys; values have WIDTH / HEADS.
MODELS = {
    "softmax attention": 32,
    "Heinsen, d_k = 16": 16,
    "Heinsen, d_k = 32": 32,
    "Heinsen, d_k = 64": 64,
}


class Block(nn.Module):
    """Attention and a perceptron, each after a normalisation."""

    def __init__(self, d_k: int, constant: bool) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k = (nn.Linear(WIDTH, HEADS * d_k) for _ in range(2))
        self.v, self.mix = (nn.Linear(WIDTH, WIDTH) for _ in range(2))
        self.wide, self.narrow = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.heinsen = Attention() if constant else None

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """Tokens to tokens: [batch, n, width]."""
        x = self.before(h)
        q, k, v = (
            part(x).unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (self.q, self.k, self.v)
        )
        if self.heinsen is not None:
            y = self.heinsen(q, k, v)
        else:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.mix(y.transpose(1, 2).flatten(2))
        return h + self.narrow(F.gelu(self.wide(self.between(h))))


class Model(nn.Module):
    """Scores of all values after each token."""

    def __init__(self, d_k: int, constant: bool) -> None:
        super().__init__()
        self.this, self.last = (nn.Embedding(KEYS + VALUES, WIDTH) for _ in range(2))
        self.blocks = nn.ModuleList(Block(d_k, constant) for _ in range(LAYERS))
        self.out = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VALUES))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """[batch, n] to [batch, n, VALUES]."""
        h = self.this(tokens) + F.pad(self.last(tokens[:, :-1]), (0, 0, 1, 0))
        for block in self.blocks:
            h = block(h)
        return self.out(h)


def sequences(pairs: int, batch: int, random: np.random.Generator) -> tuple[torch.Tensor, ...]:
    """Tokens [batch, 4*pairs] and values [batch, pairs] to answer at their second half's keys."""
    keys = random.permuted(np.tile(np.arange(KEYS), (batch, 1)), axis=1)[:, :pairs]
    values = random.integers(VALUES, size=(batch, pairs))
    again = random.permuted(np.tile(np.arange(pairs), (batch, 1)), axis=1)
    rows = np.arange(batch)[:, None]
    listed = np.stack([keys, KEYS + values], -1)
    tokens = np.concatenate([listed, listed[rows, again]], 1).reshape(batch, -1)
    return torch.from_numpy(tokens), torch.from_numpy(values[rows, again])


def answers(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Scores [batch, pairs, VALUES] where a key comes for the second time."""
    return model(tokens)[:, tokens.shape[1] // 2 :: 2]


def train(model: nn.Module, sizes: list[int], steps: int, seed: int) -> None:
    """Train in place on all sizes in turn, with a rate that rises, then falls to 0."""
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, 10 * (step + 1) / steps) * (1 - step / steps)
    )
    random = np.random.default_rng([seed, 1])
    for step in range(steps):
        tokens, values = sequences(sizes[step % len(sizes)], BATCH, random)
        optimizer.zero_grad()
        F.cross_entropy(answers(model, tokens).flatten(0, 1), values.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def accuracy(model: nn.Module, pairs: int, seed: int) -> float:
    """Share of values answered rightly, in per cent, of about 2000."""
    tokens, values = sequences(pairs, -(-2048 // pairs), np.random.default_rng([seed, 2]))
    with torch.no_grad():
        return 100 * (answers(model, tokens).argmax(-1) == values).double().mean().item()


def draw(path: Path, asked: list[int], most: int, found: dict[str, list[list[float]]]) -> None:
    """Draw the accuracies: their mean over seeds, and their range as a band."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), dpi=100)
    for name, runs in found.items():
        each = np.array(runs)
        (line,) = axes.plot(asked, each.mean(0), marker="o", ms=3, label=name)
        axes.fill_between(asked, each.min(0), each.max(0), color=line.get_color(), alpha=0.2)
    axes.axvline(most, color="0.6", lw=1, zorder=0)
    axes.text(most, 101, " more than trained on", color="0.4", fontsize=8, va="bottom")
    axes.set_xscale("log", base=2)
    axes.set_xticks(asked, labels=[str(pairs) for pairs in asked])
    axes.set(xlabel="pairs of key and value", ylabel="values recalled, per cent", ylim=(0, 108))
    axes.grid(color="0.92")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    """Train all models with each seed and print how many values they recall."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--steps", type=int, default=600, help=f"of {BATCH} sequences")
    parser.add_argument("--picture", type=Path, help="draw the accuracies into this file")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.steps = 1, 4
    if min(options.seeds, options.steps) < 1:
        parser.error("--seeds and --steps must be positive")
    torch.set_num_threads(1)  # the matrices are too small to share
    begun = time.monotonic()
    sizes = [4, 8] if options.quick else [4, 8, 16, 32, 64]
    asked = [*sizes, 2 * sizes[-1], 4 * sizes[-1]]
    found: dict[str, list[list[float]]] = {name: [] for name in MODELS}
    for seed in range(options.seeds):
        for name, d_k in MODELS.items():
            torch.manual_seed(seed)
            model = Model(d_k, name.startswith("Heinsen"))
            train(model, sizes, options.steps, seed)
            found[name].append([accuracy(model, pairs, seed) for pairs in asked])
            print(f"seed {seed}, {name}: {time.monotonic() - begun:.0f} s", flush=True)
    print(f"\nvalues recalled, per cent, {options.seeds} seeds; chance is {100 / VALUES:.1f}")
    print(f"{'pairs':25}" + " ".join(f"{pairs:5}" for pairs in asked))
    for name, runs in found.items():
        each = np.array(runs)
        for what, row in (
            ("mean", each.mean(0)),
            ("lowest", each.min(0)),
            ("highest", each.max(0)),
        ):
            print(f"{name:17} {what:7}" + " ".join(f"{value:5.1f}" for value in row))
    if options.picture:
        draw(options.picture, asked, sizes[-1], found)


if __name__ == "__main__":
    main()
