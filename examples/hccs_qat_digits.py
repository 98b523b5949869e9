"""Retraining with HCCS: a small vision transformer on scikit-learn's digits.

A model is trained with exact softmax. Its attention logits are calibrated, and HCCS takes the place
of softmax, in integers as deployed: accuracy falls. Then the model is trained a little further
through those very integers. All of it for parameters of each head and for one set for all heads,
for a mode that divides and for one that shifts by the count of leading bits, and over several
seeds, since on 500 images one image is 0.2 %.

    pip install 'fastsoftmax[examples]'
    python examples/hccs_qat_digits.py

The figures of the paper are for BERT-tiny and BERT-small on SST-2 and MNLI (arXiv 2604.02292); they
are printed below ours as published and are not reproduced here.
"""

import argparse
import copy
import time

import numpy as np
import torch
from fastsoftmax import hccs
from fastsoftmax.torch import HCCSSoftmax
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

PATCH = 2  # of 8: 16 tokens
N = (8 // PATCH) ** 2
WIDTH, HEADS, LAYERS = 32, 4, 2
TRAINING, BATCH = 1297, 64
MODES = ("i16+div", "i8+clb")
GRANULARITIES = ("head", "global")
PUBLISHED = """\
as published for BERT (baseline / HCCS without retraining / retrained), not reproduced here:
  SST-2 BERT-tiny   0.825 / 0.619 / 0.822      MNLI BERT-tiny   0.653 / 0.480 / 0.639
  SST-2 BERT-small  0.893 / 0.766 / 0.878      MNLI BERT-small  0.742 / 0.602 / 0.723
  BERT-small by granularity (SST-2, MNLI):
  global 0.834, 0.545      layer 0.842, 0.602      head 0.878, 0.723"""


class Block(nn.Module):
    """Attention and a perceptron, each after a normalisation; `softmax` is what is exchanged."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.mix = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.softmax: nn.Module = nn.Softmax(-1)
        self.logits = torch.empty(0)  #: of the last call, for calibration

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """Tokens to tokens: [batch, tokens, width]."""
        batch, tokens, _ = h.shape
        parts = self.qkv(self.before(h)).view(batch, tokens, 3, HEADS, WIDTH // HEADS)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        x = q @ k.transpose(-1, -2) * (WIDTH // HEADS) ** -0.5
        self.logits = x.detach()
        h = h + self.mix((self.softmax(x) @ v).transpose(1, 2).flatten(2))
        return h + self.narrow(F.gelu(self.wide(self.between(h))))


class Model(nn.Module):
    """Patches of the image are the tokens; their mean is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(PATCH * PATCH, WIDTH)
        self.position = nn.Parameter(0.5 * torch.randn(N, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.classify = nn.Linear(WIDTH, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images [batch, 8, 8] to scores [batch, 10]."""
        patches = images.unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH).reshape(-1, N, PATCH**2)
        h = self.embed(patches) + self.position
        for block in self.blocks:
            h = block(h)
        return self.classify(h.mean(1))


class Digits:
    """Images and labels, in two parts."""

    def __init__(self) -> None:
        images, labels = load_digits(return_X_y=True)
        order = np.random.default_rng(1).permutation(len(images))
        x = torch.tensor(images[order] / 16, dtype=torch.float32).view(-1, 8, 8)
        y = torch.tensor(labels[order])
        self.x, self.y = x[:TRAINING], y[:TRAINING]
        self.test_x, self.test_y = x[TRAINING:], y[TRAINING:]

    def accuracy(self, model: nn.Module) -> float:
        """Share of the test images classified rightly, in per cent."""
        with torch.no_grad():
            return 100 * (model(self.test_x).argmax(1) == self.test_y).double().mean().item()


def train(model: nn.Module, digits: Digits, epochs: int, rate: float, seed: int) -> None:
    """Train in place, with a rate that falls to 0."""
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.01)
    order = torch.Generator().manual_seed(seed)
    steps = epochs * -(-TRAINING // BATCH)
    falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(epochs):
        for some in torch.randperm(TRAINING, generator=order).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(digits.x[some]), digits.y[some]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            falling.step()


def calibrated(model: Model, digits: Digits, mode: str, granularity: str) -> hccs.Params:
    """Parameters [layers, heads] from the logits of 64 training images."""
    with torch.no_grad():
        model(digits.x[:64])
    logits = np.stack([block.logits.transpose(0, 1).flatten(1, 2) for block in model.blocks])
    largest = np.abs(logits).max(axis=(-2, -1))
    if granularity == "global":  # heads that share B, S, Dmax must share the scale
        largest = np.full_like(largest, largest.max())
    stats = hccs.HeadStats(largest / 127)
    stats.update(logits)
    return hccs.calibrate(stats, N, profile="paper", mode=mode, granularity=granularity)


def with_hccs(model: Model, params: hccs.Params) -> Model:
    """Copy the model, HCCS in the place of softmax."""
    copied = copy.deepcopy(model)
    shared = (params.scale, params.B, params.S, params.Dmax)
    each_head = [np.broadcast_to(each, (len(copied.blocks), HEADS)) for each in shared]
    for block, *of_layer in zip(copied.blocks, *each_head, strict=True):
        layer = (*of_layer, N, params.profile)
        block.softmax = HCCSSoftmax(hccs.Params(*layer, params.mode))
    return copied


def one_seed(seed: int, epochs: int, more: int, digits: Digits) -> dict[str, float]:
    """Accuracies by name."""
    torch.manual_seed(seed)
    model = Model()
    train(model, digits, epochs, 3e-3, seed)
    found = {"exact": digits.accuracy(model)}
    control = copy.deepcopy(model)
    train(control, digits, more, 1e-3, seed)
    found["exact, trained as much longer"] = digits.accuracy(control)
    for granularity in GRANULARITIES:
        for mode in MODES:
            name = f"HCCS per head, {mode}" if granularity == "head" else f"HCCS global, {mode}"
            student = with_hccs(model, calibrated(model, digits, mode, granularity))
            found[name] = digits.accuracy(student)
            train(student, digits, more, 1e-3, seed)
            found[f"{name}, retrained"] = digits.accuracy(student)
    return found


def main() -> None:
    """Run all seeds and print the accuracies with their spread."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--epochs", type=int, default=30, help="of training with exact softmax")
    parser.add_argument("--more", type=int, default=5, help="epochs of retraining")
    options = parser.parse_args()
    if min(options.seeds, options.epochs, options.more) < 1:
        parser.error("--seeds, --epochs and --more must be positive")
    torch.set_num_threads(1)  # the matrices are too small to share
    begun = time.monotonic()
    digits = Digits()
    runs = []
    for seed in range(options.seeds):
        runs.append(one_seed(seed, options.epochs, options.more, digits))
        print(f"seed {seed}: {time.monotonic() - begun:.0f} s", flush=True)
    print(f"\naccuracy on {len(digits.test_y)} images, per cent, {options.seeds} seeds")
    print(f"{'':36}  mean   std   min   max")
    for name in runs[0]:
        each = np.array([run[name] for run in runs])
        print(f"{name:36} {each.mean():5.1f} {each.std():5.1f} {each.min():5.1f} {each.max():5.1f}")
    print(PUBLISHED)


if __name__ == "__main__":
    main()
