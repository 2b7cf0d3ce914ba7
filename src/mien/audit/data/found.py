"""What is wrong with data, collected while reading it: every case by name, counted by kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from mien.report import Problem


@dataclass(slots=True)
class Found:
    """Problems by kind, in the order in which the kinds were first met."""

    words: dict[str, str] = field(default_factory=dict)
    cases: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, words: str, case: str) -> None:
        """One more case; `words` say for the whole kind what it is and what became of it."""
        self.words.setdefault(kind, words)
        self.cases.setdefault(kind, []).append(case)

    def problems(self) -> tuple[Problem, ...]:
        """All kinds met."""
        return tuple(Problem(kind, self.words[kind], tuple(cases)) for kind, cases in self.cases.items())
