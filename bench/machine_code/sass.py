"""Machine code of CUDA kernels as nvdisasm prints it: blocks, loops, and the way of bulk data.

A kernel is a graph of basic blocks. What it costs an element is counted along one way through it:
of all ways with the most bytes in 128-bit accesses of global memory, the one with the fewest
instructions (no block twice). That is the way of whole chunks of ordinary numbers;
ragged ends, masks, NaN and slow divisions lie beside it. Inner loops are counted by themselves.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

_TEXT = re.compile(r"^\.text\.(\S+):")
_LABEL = re.compile(r"^(\.L_x_\d+):")
_TARGET = re.compile(r"\.L_x_\d+")
_INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]+\*/\s+(@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)([^;]*);")
_JUMPS = ("BRA", "JMP", "BRX", "BRXU", "JMX")
_ENDS = ("EXIT", "RET", "KILL", "BPT")

#: Instructions by the pipe that takes them; all else goes to "alu".
_PIPES = {
    "fma": ("FADD", "FMUL", "FFMA", "FADD32I", "FMUL32I", "FFMA32I"),
    "half": ("HADD2", "HMUL2", "HFMA2", "HMNMX2", "HSET2", "HSETP2"),
    "imad": ("IMAD", "IDP", "IDP4A"),
    "fp64": ("DADD", "DMUL", "DFMA", "DSETP", "DMNMX"),
    "special": ("MUFU",),
    "convert": ("F2F", "F2I", "I2F", "F2FP", "I2FP", "FRND"),
    "shuffle": ("SHFL",),
    "reduce": ("REDUX", "CREDUX"),
    "memory": ("LDG", "STG", "LDS", "STS", "LDL", "STL", "LD", "ST", "ATOMG", "ATOMS", "RED"),
    "branch": ("BRA", "BRX", "JMP", "EXIT", "BSSY", "BSYNC", "BAR", "CALL", "RET", "WARPSYNC"),
}
PIPE_OF = {name: pipe for pipe, names in _PIPES.items() for name in names}


@dataclass(frozen=True)
class Instruction:
    """One line: whether a predicate guards it, its name with all suffixes, its operands."""

    guarded: bool
    name: str
    operands: str

    @property
    def base(self) -> str:
        """Name without suffixes."""
        return self.name.partition(".")[0]

    @property
    def pipe(self) -> str:
        """Unit that runs it; "uniform" runs once for a warp beside the others."""
        if self.base not in PIPE_OF and self.base.startswith(("U", "R2UR", "S2UR")):
            return "uniform"
        return PIPE_OF.get(self.base, "alu")

    @property
    def width(self) -> int:
        """Bytes that a lane reads or writes."""
        for bits in (128, 64):
            if f".{bits}" in self.name:
                return bits // 8
        if re.search(r"\.[US]8\b", self.name):
            return 1
        return 2 if re.search(r"\.[US]16\b", self.name) else 4

    @property
    def conditional(self) -> bool:
        """Whether what follows may run next: a predicate, or operands beside the target."""
        beside = self.operands.partition("`")[0].strip()
        return self.guarded or (self.base == "BRA" and bool(beside))

    @property
    def targets(self) -> list[str]:
        """Labels that it may jump to."""
        return _TARGET.findall(self.operands) if self.base in _JUMPS else []


@dataclass
class Kernel:
    """Blocks of instructions in the order of addresses, by the labels that start them."""

    name: str
    blocks: list[list[Instruction]] = field(default_factory=lambda: [[]])
    labels: dict[str, int] = field(default_factory=dict)

    def add_label(self, label: str) -> None:
        """Start a block that can be jumped to."""
        if self.blocks[-1]:
            self.blocks.append([])
        self.labels[label] = len(self.blocks) - 1

    def add(self, instruction: Instruction) -> None:
        """Append an instruction; one that may go elsewhere ends its block."""
        self.blocks[-1].append(instruction)
        if instruction.base in _JUMPS + _ENDS:
            self.blocks.append([])

    @property
    def instructions(self) -> list[Instruction]:
        """All of them, without what fills up the end."""
        return [i for block in self.blocks for i in block if i.base != "NOP"]

    @cached_property
    def successors(self) -> list[list[int]]:
        """Blocks that may follow each block."""
        following = []
        for number, block in enumerate(self.blocks):
            last = block[-1] if block else None
            to = [self.labels[t] for t in last.targets if t in self.labels] if last else []
            falls = last is None or last.conditional or last.base not in _JUMPS + _ENDS
            if falls and number + 1 < len(self.blocks):
                to.append(number + 1)
            following.append(to)
        return following

    @cached_property
    def loops(self) -> list[set[int]]:
        """Blocks of the innermost loops."""
        return [loop for loop in self._loops(set(range(len(self.blocks))), 0) if loop]

    def _loops(self, among: set[int], entry: int) -> list[set[int]]:
        """Innermost loops among blocks; backward edges to the entry don't count."""
        found = []
        for part in self._components(among, entry):
            outside = [n for n in range(len(self.blocks)) if n not in part]
            entered = [to for n in outside for to in self.successors[n] if to in part]
            head = min(entered, default=min(part))
            found += self._loops(part, head) or [part]
        return found

    def _components(self, among: set[int], entry: int) -> list[set[int]]:
        """Find sets of blocks that lead to each other; not the jump to itself that ends code."""
        ahead = {n: self._reached(n, among, entry) for n in among}
        parts, seen = [], set[int]()
        for n in sorted(among):
            part = {to for to in ahead[n] if n in ahead[to]}
            if n not in seen and part and (len(part) > 1 or len(self.blocks[n]) > 1):
                parts.append(part)
            seen |= part
        return parts

    def _reached(self, start: int, among: set[int], entry: int) -> set[int]:
        reached, waiting = set[int](), [start]
        while waiting:
            for to in self.successors[waiting.pop()]:
                if to in among and to != entry and to not in reached:
                    reached.add(to)
                    waiting.append(to)
        return reached

    def way(self, among: set[int] | None = None) -> list[Instruction]:
        """Instructions on the way described above, through the kernel or the blocks of a loop."""
        allowed = set(range(len(self.blocks))) if among is None else among
        order = self._order(min(allowed), allowed)
        best: dict[int, tuple[int, int, int]] = {}  # bulk bytes, -instructions, next block
        for number in order:
            ways = [(*best[to][:2], to) for to in self.successors[number] if to in best]
            bulk, fewest, after = max(ways, default=(0, 0, -1))
            block = self.blocks[number]
            best[number] = (bulk + bulk_bytes(block), fewest - len(block), after)
        taken, number = [], min(allowed)
        while number >= 0:
            taken += self.blocks[number]
            number = best[number][2]
        return [i for i in taken if i.base != "NOP"]

    def _order(self, start: int, allowed: set[int]) -> list[int]:
        """Blocks so that each comes after those it leads to, as a walk in depth leaves them."""
        order, seen, stack = [], {start}, [(start, iter(self.successors[start]))]
        while stack:
            number, following = stack[-1]
            for to in following:
                if to in allowed and to not in seen:
                    seen.add(to)
                    stack.append((to, iter(self.successors[to])))
                    break
            else:
                order.append(number)
                stack.pop()
        return order


def bulk_bytes(instructions: list[Instruction]) -> int:
    """Bytes in 128-bit accesses of global memory."""
    return sum(i.width for i in instructions if i.base in ("LDG", "STG") and i.width == 16)


def moved(instructions: list[Instruction], base: str) -> int:
    """Bytes of a lane that go through one kind of access."""
    return sum(i.width for i in instructions if i.base == base)


def pipes(instructions: list[Instruction]) -> Counter[str]:
    """Count instructions by pipe."""
    return Counter(i.pipe for i in instructions)


def parse(text: str) -> dict[str, Kernel]:
    """Read what ``nvdisasm -c`` prints."""
    kernels: dict[str, Kernel] = {}
    current: Kernel | None = None
    for line in text.splitlines():
        if found := _TEXT.match(line):
            current = kernels.setdefault(found[1], Kernel(found[1]))
        elif current and (found := _LABEL.match(line)):
            current.add_label(found[1])
        elif current and (found := _INSTRUCTION.match(line)):
            current.add(Instruction(bool(found[1]), found[2], found[3]))
    return kernels
