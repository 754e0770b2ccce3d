"""What running one piece of conformance data gave."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    kind: str
    group: str
    id: str
    passed: bool
    #: Why it failed: what was expected, what was found.
    detail: str
