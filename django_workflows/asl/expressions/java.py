"""How Java prints JSON data: what AWS's messages and ``States.Format`` show."""

from __future__ import annotations

from django_workflows.asl.values import JSON, compact


def java_text(value: JSON) -> str:
    """*value* as Java's ``toString`` has it: ``{a=1, b=[x, null]}``, texts without quotes.

    Numbers, ``true``, ``false`` and ``null`` are written as in JSON.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={java_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(java_text, value)) + "]"
    return compact(value)
