"""Who calls, and what that key may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Depends, Request

from mien.errors import NotAllowed

Role = Literal["reader", "operator", "admin"]
ROLES: tuple[Role, ...] = ("reader", "operator", "admin")  # each may do what those before it may


@dataclass(frozen=True, slots=True)
class Caller:
    """The key behind a request."""

    key: str  # its id, which the log names
    name: str
    role: Role
    tenant: str

    def may(self, role: Role) -> bool:
        """Whether the key's role covers `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


def needs(role: Role) -> Any:
    """A dependency that gives the Caller. Raises NotAuthenticated, NotAllowed, Overloaded (its rate or quota)."""

    def who(request: Request) -> Caller:
        known = getattr(request.state, "caller", None)  # `idempotency` asked already
        caller: Caller = known or request.app.state.service.gate.caller(request)
        request.state.caller = caller
        if not caller.may(role):
            raise NotAllowed(
                f"The key {caller.name!r} is a {caller.role}'s, and this needs {role}.", "Use another key."
            )
        return caller

    found: Callable[[Request], Caller] = who
    return Depends(found)
