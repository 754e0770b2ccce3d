"""Who sends a command: a person, the holder of a task's token, or the engine itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from django_workflows import asl


class Kind(StrEnum):
    USER = "user"
    SYSTEM = "system"
    TOKEN = "token"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who, why and through which door. `user`, `system` and `BEARER` make them."""

    kind: Kind
    #: The site's user model, for Kind.USER.
    user: Any = None
    reason: str | None = None
    #: "admin", "api", "token", "worker", "clock", "command", "workflow", ...
    channel: str | None = None

    @property
    def origin(self) -> asl.Origin:
        """What the log keeps of it."""
        by = None if self.user is None else self.user.get_username()
        return asl.Origin(by=by, reason=self.reason, channel=self.channel)

    def because(self, reason: str | None) -> Actor:
        """The same, with a reason."""
        return replace(self, reason=reason)

    def __str__(self) -> str:
        return str(self.user) if self.kind is Kind.USER else (self.channel or str(self.kind))


def user(user: Any, *, channel: str, reason: str | None = None) -> Actor:
    """A person, who may do what their permissions say."""
    return Actor(kind=Kind.USER, user=user, channel=channel, reason=reason or None)


def system(channel: str, *, reason: str | None = None) -> Actor:
    """The engine itself, or code of the site that vouches for what it does: may do all."""
    return Actor(kind=Kind.SYSTEM, channel=channel, reason=reason or None)


#: Whoever holds a task's token; the engine has looked at it.
BEARER = Actor(kind=Kind.TOKEN, channel="token")
