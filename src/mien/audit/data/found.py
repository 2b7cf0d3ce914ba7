"""What is wrong with data, collected while reading it: every case by name, counted by kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from mien.report import Problem


@dataclass(slots=True)
class Found:
    """Problems by kind and words, in the order in which they were first met."""

    held: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, kind: str, words: str, case: str) -> None:
        """One more case; `words` say for all of them what it is and what became of it."""
        self.held.setdefault((kind, words), []).append(case)

    def note(self, kind: str, words: str) -> None:
        """A problem of the whole, without cases."""
        self.held.setdefault((kind, words), [])

    def first(self, otherwise: str) -> str:
        """The words of the problem met first."""
        return next((words for _, words in self.held), otherwise)

    def clear(self) -> None:
        """Forget all of it."""
        self.held.clear()

    def problems(self) -> tuple[Problem, ...]:
        """All that was met."""
        return tuple(Problem(kind, words, tuple(cases)) for (kind, words), cases in self.held.items())
