"""What the cases of the group peers stand on: options, targets, kernels of ours, a short race."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import fastsoftmax as fs
from lib import targets, timing
from lib.case import DEFAULT, Case, Options, Progress, chosen, once_each
from lib.report import Table

from peers import race, registry

#: The ISA that most machines have, measured beside the best one.
COMMON = "avx2"  # by name: the targets of the peers are set for it


@dataclass(frozen=True)
class Ground:
    """What was asked for, and what should be reached."""

    options: Options
    wanted: targets.Targets

    @cached_property
    def surveyed(self) -> registry.Survey:
        """The libraries that run here; imported when a case asks for them first."""
        return registry.survey(self.options.threads, quick=self.options.quick)

    def kernels(self, operation: str) -> list[fs.Kernel]:
        """Keep what the user chose; otherwise the default variant, on the best ISA and on AVX2."""
        options = self.options
        named = replace(options, variants=options.variants or (DEFAULT,))
        found = chosen(named, operation, "float32")
        if options.isas:
            return found
        common = [kernel for kernel in found if kernel.isa == COMMON]
        return list(dict.fromkeys([*once_each(found), *common]))

    def best(self, operation: str) -> list[fs.Kernel]:
        """Of those the ones on the best ISA."""
        return once_each(self.kernels(operation))

    def counts(self, kernel: fs.Kernel) -> bool:
        """Whether targets hold for it: they are those of exact on one thread."""
        return kernel.variant == "exact" and self.options.threads == 1

    def race(self, calls: Mapping[str, Callable[[], object]], items: int) -> dict[str, float]:
        """Time everybody in turn; ns for one of `items` each, minima."""
        options = self.options
        tied = {name: partial(_call, call) for name, call in calls.items()}
        seconds = race.QUICK_SECONDS if options.quick else race.SECONDS
        found = timing.interleave(tied, [None], 10 * options.rounds, seconds)
        return {name: times.per(items).minimum for name, times in found.items()}

    def best_race(
        self,
        calls: Mapping[str, Callable[[], object]],
        items: int,
        ratio: Callable[[dict[str, float]], float],
    ) -> dict[str, float]:
        """Race `--runs` times; give the run with the smallest ratio, since ratios wander."""
        return min((self.race(calls, items) for _ in range(self.options.runs)), key=ratio)


def member(
    name: str,
    summary: str,
    operations: tuple[str, ...],
    run: Callable[[Ground, Progress], list[Table]],
    headline: Callable[[list[Table]], str | None],
) -> Case:
    """Make a case of the group."""

    def on_ground(options: Options, progress: Progress) -> list[Table]:
        return run(Ground(options, targets.load()), progress)

    return Case(f"peers/{name}", summary, operations, on_ground, headline)


def short(name: str) -> str:
    """Leave our own name out of a label."""
    return name.removeprefix(f"{race.OURS} ")


def _call(call: Callable[[], object], _: None) -> None:
    call()
