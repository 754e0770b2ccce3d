"""Which variables a machine assigns: their names, and that none hides an outer one.

Source: ASL specification, "Variables", "Variable scope".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django_workflows.asl.parse.machine import Scope
from django_workflows.asl.parse.report import Report, shown, step

MAX_NAME_LENGTH: Final = 80


def check(scope: Scope, assigned: dict[int, dict[str, str]], report: Report) -> None:
    """Check one machine, after those around it.

    *assigned* keeps, by the scope's id, where each variable is assigned first.
    """
    own: dict[str, str] = {}
    assigned[id(scope)] = own
    for pointer, name, by_catcher in _assignments(scope):
        if not _is_a_name(name):
            report.error(
                pointer,
                f"{shown(name)} can't be a variable's name: a letter first, then letters,"
                f" digits and underscores, at most {MAX_NAME_LENGTH}, and not 'states'",
                at_name=True,
            )
            continue
        # Recorded on AWS: a branch may assign what a Catch around it assigns.
        if not by_catcher:
            own.setdefault(name, pointer)
        outer = _assigned_outside(name, scope, assigned)
        if outer is not None:
            report.error(
                pointer,
                f"the variable {shown(name)} is assigned outside of this machine already,"
                f" at {outer}, and can't be assigned in here too",
                at_name=True,
            )


def _assigned_outside(name: str, scope: Scope, assigned: dict[int, dict[str, str]]) -> str | None:
    outer = scope.outer
    while outer is not None:
        pointer = assigned[id(outer)].get(name)
        if pointer is not None:
            return pointer
        outer = outer.outer
    return None


def visible_in(scope: Scope) -> set[str]:
    """The variables that the states of *scope* may see: what they assign, and those around."""
    visible: set[str] = set()
    around: Scope | None = scope
    while around is not None:
        visible.update(name for _, name, _ in _assignments(around))
        around = around.outer
    return visible


def _assignments(scope: Scope) -> Iterator[tuple[str, str, bool]]:
    """Where each variable is assigned, its name, and whether a Catch does it."""
    for name, state in scope.states.items():
        if not isinstance(state, dict):
            continue
        pointer = f"{scope.pointer}/States{step(name)}"
        in_jsonata = scope.language_of(state) == "JSONata"
        holders = [(pointer, state, False)]
        for member in ("Choices", "Catch"):
            entries = state.get(member)
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                holders.append((f"{pointer}/{member}/{index}", entry, member == "Catch"))
        for at, holder, by_catcher in holders:
            assign = holder.get("Assign") if isinstance(holder, dict) else None
            for written in assign if isinstance(assign, dict) else ():
                variable = written if in_jsonata else written.removesuffix(".$")
                yield f"{at}/Assign{step(written)}", variable, by_catcher


def _is_a_name(name: str) -> bool:
    # A Python identifier is ID_Start, then ID_Continue, but may begin with "_".
    return (
        name.isidentifier() and name[0] != "_" and len(name) <= MAX_NAME_LENGTH and name != "states"
    )
