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
    #: What is not built yet that it needs; None where it counts.
    skipped_reason: str | None
