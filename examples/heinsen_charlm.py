"""A small language model of characters: Heinsen attention beside ordinary softmax attention.

The text is what Python ships: the help topics of `pydoc` (English, with some grammar and code), of
which every tenth is held out. Two models that differ in nothing but their attention are trained on
it and their losses compared. Then the one with Heinsen attention (arXiv 2404.05843) writes: each
character costs it one `State.step` for each layer, whose time and memory don't depend on how much
it has written; the same text given to the model as a whole gets the same scores.

    pip install 'fastsoftmax[examples]' matplotlib
    python examples/heinsen_charlm.py --picture charlm.png      # about 5 minutes on 2 cores

The paper trained a model of 125M parameters; its loss is printed below ours as published and is not
reproduced here. Topics differ a little between versions of Python, and so do the losses.
"""

import argparse
import time
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import torch
from fastsoftmax import heinsen
from fastsoftmax.heinsen.torch import Attention
from torch import nn
from torch.nn import functional as F

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))  # the rest is written as "?"
WIDTH, HEADS, LAYERS = 96, 3, 2
BEFORE = 4  #: characters that each position sees without attention, itself counted
LENGTH, BATCH = 128, 16
MODELS = ("softmax attention", "Heinsen attention")
PUBLISHED = """\
as published, not reproduced here: 125M parameters, 24 layers, 24 heads of d_k = d_v = 32, trained
on 300B tokens of The Pile: cross-entropy 2.47 (of 50257 tokens, not of characters)"""


class Block(nn.Module):
    """Attention and a perceptron, each after a normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.mix = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(3 * WIDTH, WIDTH)

    def forward(self, h: Any, attend: Any) -> Any:
        """Tokens to tokens, [batch, n, width]; `attend` mixes values [batch, heads, n, d]."""
        parts = self.qkv(self.before(h)).unflatten(-1, (3, HEADS, -1))
        h = h + self.mix(attend(*parts.permute(2, 0, 3, 1, 4)).transpose(1, 2).flatten(2))
        return h + self.narrow(F.gelu(self.wide(self.between(h))))


class Model(nn.Module):
    """Scores of the next character. Order is known from the last few characters only."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(ALPHABET), WIDTH)
        self.near = nn.Conv1d(WIDTH, WIDTH, BEFORE)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.out = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(ALPHABET)))
        self.attend = Attention() if name.startswith("Heinsen") else ordinary

    def forward(self, text: Any) -> Any:
        """[batch, n] to [batch, n, characters]."""
        text = F.pad(self.embed(text), (0, 0, BEFORE - 1, 0))
        return self.mixed(text, [self.attend] * LAYERS)

    def mixed(self, embedded: Any, attends: list[Any]) -> Any:
        """Scores from embedded characters, BEFORE - 1 of them in front."""
        h = self.near(embedded.mT).mT
        for block, attend in zip(self.blocks, attends, strict=True):
            h = block(h, attend)
        return self.out(h)


def ordinary(q: Any, k: Any, v: Any) -> Any:
    """Softmax attention as everybody knows it."""
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class Writer:
    """The trained model, one character at a time, with one state of constant size per layer."""

    def __init__(self, model: Model) -> None:
        self.model = model
        d = WIDTH // HEADS
        self.states = [heinsen.State((HEADS,), d, d) for _ in range(LAYERS)]
        self.seen = torch.zeros(1, BEFORE, WIDTH)

    def step(self, character: int) -> Any:
        """Scores of the character after this one."""
        new = self.model.embed(torch.tensor([[character]]))
        self.seen = torch.cat([self.seen[:, 1:], new], 1)
        return self.model.mixed(self.seen, [self.attend(state) for state in self.states])[0, 0]

    @staticmethod
    def attend(state: heinsen.State) -> Any:
        """Attention of one token that goes through its state."""

        def one(*tokens: Any) -> Any:
            y = state.step(*(np.ascontiguousarray(token[0, :, 0].numpy()) for token in tokens))
            return torch.from_numpy(y)[None, :, None]

        return one


def texts() -> tuple[Any, Any]:
    """Characters to train on and to test on, as numbers."""
    parts: tuple[list[str], list[str]] = ([], [])
    for at, name in enumerate(sorted(topics)):
        parts[at % 10 == 9].append(topics[name])
    number = {character: at for at, character in enumerate(ALPHABET)}
    unknown = number["?"]
    trained, held = (
        torch.tensor([number.get(c, unknown) for c in "\n\n".join(part)]) for part in parts
    )
    return trained, held


def rows(text: Any, begins: Any) -> Any:
    """LENGTH + 1 characters from each position on."""
    return text[begins[:, None] + torch.arange(LENGTH + 1)]


def loss_of(model: Model, some: Any) -> Any:
    """Cross-entropy of every next character, in nats."""
    scores = model(some[:, :-1])
    return F.cross_entropy(scores.flatten(0, 1), some[:, 1:].flatten())


def train(model: Model, text: Any, held: Any, steps: int, seed: int) -> list[tuple[int, float]]:
    """Train in place and return the loss on held-out text after some of the steps."""
    optimizer = torch.optim.AdamW(model.parameters(), 4e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, 10 * (step + 1) / steps) * (1 - step / steps)
    )
    random = torch.Generator().manual_seed(seed)
    test = rows(held, torch.linspace(0, len(held) - LENGTH - 1, 64).long())
    curve = []
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        begins = torch.randint(len(text) - LENGTH, (BATCH,), generator=random)
        loss_of(model, rows(text, begins)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % max(steps // 12, 1) == 0:
            with torch.no_grad():
                curve.append((step, float(loss_of(model, test))))
    return curve


def write(model: Model, count: int, seed: int) -> tuple[Any, Any, Any, Writer]:
    """Characters drawn one after another, log probabilities before each, seconds each took."""
    writer, random = Writer(model), np.random.default_rng(seed)
    text, logs, seconds = [0], [], []
    with torch.no_grad():
        for _ in range(count):
            begun = time.perf_counter()
            logs.append(F.log_softmax(writer.step(text[-1]).double(), -1))
            p = np.exp(logs[-1].numpy())
            text.append(int(random.choice(len(p), p=p / p.sum())))
            seconds.append(time.perf_counter() - begun)
    return torch.tensor(text), torch.stack(logs), np.array(seconds), writer


def show_writing(model: Model, count: int) -> None:
    """Print what it writes, how the cost goes, and that the whole text gets the same scores."""
    text, logs, seconds, writer = write(model, count, 0)
    shown = "".join(ALPHABET[c] for c in text[-400:])
    print(f"\nthe last of {count} characters written:\n{'-' * 40}\n{shown}\n{'-' * 40}")
    tenth = max(count // 10, 1)
    first, last = (np.median(part) * 1e6 for part in (seconds[:tenth], seconds[-tenth:]))
    numbers = sum(2 * HEADS * s.d_k + HEADS * s.d_k * s.d_v for s in writer.states)
    cache = 2 * LAYERS * WIDTH * count
    print(f"microseconds per character: {first:.0f} in the first tenth, {last:.0f} in the last")
    print(f"numbers kept: {numbers} after every character; ordinary attention now {cache}")
    with torch.no_grad():
        whole = F.log_softmax(model(text[None, :-1])[0].double(), -1)
    error = float((whole - logs).abs().max())
    print(f"scores of the text as a whole differ by at most {error:.1e}")
    if error > 1e-3:
        raise SystemExit("they should be the same")


def draw(path: Path, curves: dict[str, list[list[tuple[int, float]]]]) -> None:
    """Draw the losses: their mean over seeds, and their range as a band."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), dpi=100)
    for name, runs in curves.items():
        steps = [step for step, _ in runs[0]]
        losses = np.array([[loss for _, loss in run] for run in runs])
        (line,) = axes.plot(steps, losses.mean(0), marker="o", ms=3, label=name)
        axes.fill_between(steps, losses.min(0), losses.max(0), color=line.get_color(), alpha=0.2)
    axes.set(xlabel="steps", ylabel="nats per held-out character")
    axes.set_title(f"Two layers on pydoc's topics, {len(runs)} seeds")
    axes.grid(color="0.92")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    """Train both models with each seed, print losses, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--steps", type=int, default=600, help=f"of {BATCH} x {LENGTH} characters")
    parser.add_argument("--write", type=int, default=4000, help="characters")
    parser.add_argument("--picture", type=Path, help="draw the losses into this file")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.steps, options.write = 1, 4, 40
    if min(options.seeds, options.steps, options.write) < 1:
        parser.error("--seeds, --steps and --write must be positive")
    torch.set_num_threads(1)  # the matrices are too small to share
    begun = time.monotonic()
    text, held = texts()
    curves: dict[str, list[list[tuple[int, float]]]] = {name: [] for name in MODELS}
    for seed in range(options.seeds):
        for name in MODELS:
            torch.manual_seed(seed)
            model = Model(name)
            curves[name].append(train(model, text, held, options.steps, seed))
            print(f"seed {seed}, {name}: {time.monotonic() - begun:.0f} s", flush=True)
    size = sum(parameter.numel() for parameter in model.parameters())
    print(f"\n{size} parameters each, {len(text)} characters; nats per held-out character")
    print(f"{'after steps':18} " + " ".join(f"{step:6}" for step, _ in curves[name][0]))
    for name, runs in curves.items():
        losses = np.array([[loss for _, loss in run] for run in runs])
        print(f"{name:18} " + " ".join(f"{loss:6.3f}" for loss in losses.mean(0)))
        last = losses[:, -1]
        print(f"{'':18} at the end {last.mean():.3f}, from {last.min():.3f} to {last.max():.3f}")
    if options.picture:
        draw(options.picture, curves)
    show_writing(model, options.write)
    print(PUBLISHED)


if __name__ == "__main__":
    main()
