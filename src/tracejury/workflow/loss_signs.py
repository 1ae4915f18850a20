"""What an estimate of the loss rests on: counts of each step, and what stands below what."""

from dataclasses import dataclass

StepKey = tuple[str, str, str]  # service, span name, kind
ClassKey = tuple[str, str]  # service, kind: what is lost together


@dataclass(frozen=True, slots=True)
class StepCount:
    """What is known of one step: see the view `step_count`."""

    key: StepKey
    observed: int
    parents: int
    answers: int
    ghosts: float
    killed: float
    halves: float
    deficit: int
    settled: int = 0
    exact: int = 0

    @property
    def of_class(self) -> ClassKey:
        """Service and kind."""
        return self.key[0], self.key[2]


@dataclass(frozen=True, slots=True)
class Branch:
    """In the baseline, `ratio` spans of `child` stand below each span of `parent`."""

    parent: StepKey
    child: StepKey
    ratio: float


@dataclass(frozen=True, slots=True)
class Family:
    """In the baseline, below `times` spans of `parent` stood spans of just these classes."""

    parent: StepKey
    children: frozenset[ClassKey]
    times: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Calls of `caller` that went well and lack the half of `callee`."""

    caller: StepKey
    callee: StepKey
    halves: float


@dataclass(frozen=True, slots=True)
class Structure:
    """What stands below what: usually, by the baseline, and here."""

    branches: tuple[Branch, ...] = ()
    families: tuple[Family, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()
