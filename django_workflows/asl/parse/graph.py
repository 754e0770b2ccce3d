"""Where the states of a machine lead: every target is there, every state is
reached, and some state ends.

This reads the document, not what was made of it: transitions have the same
names in all states and both query languages, so a state that is wrong otherwise
still leads where it says.

Source: ASL specification, "Transitions"; that a state nobody leads to is an
error, and a machine that can't end is one: AWS.
"""

from __future__ import annotations

from collections.abc import Iterator

from django_workflows.asl.parse.machine import Scope
from django_workflows.asl.parse.report import (
    MISSING_END_STATE,
    MISSING_TRANSITION_TARGET,
    Report,
    shown,
    step,
)
from django_workflows.asl.values import JSON


def check(scope: Scope, names: dict[str, str], report: Report) -> None:
    """Check one machine; *names* says where in the definition every state is."""
    leads_to: dict[str, list[str]] = {}
    all_targets_known = True
    all_go_on_or_end = True
    for name, state in scope.states.items():
        pointer = f"{scope.pointer}/States{step(name)}"
        transitions = list(_transitions(state))
        targets = [_target(scope, to, pointer + at, names, report) for at, to in transitions]
        leads_to[name] = [target for target in targets if target is not None]
        all_targets_known &= None not in targets
        all_go_on_or_end &= bool(transitions) or _ends(state)
    start = None
    if isinstance(scope.start_at, str) and scope.states:
        start = _target(scope, scope.start_at, f"{scope.pointer}/StartAt", names, report)
    # What would only follow from a problem that is reported already is not said.
    if start is None or not all_go_on_or_end:
        return
    seen = _reached_from(start, leads_to)
    if not all_targets_known:
        # Behind a wrong transition a whole chain may lie; its first state will do.
        seen = seen.union(*leads_to.values())
    for name in scope.states:
        if name not in seen:
            report.error(
                f"{scope.pointer}/States{step(name)}",
                f"State {shown(name)} is not reachable.",
                code=MISSING_TRANSITION_TARGET,
                at_name=True,
            )
    if all_targets_known and not any(_ends(state) for state in scope.states.values()):
        report.error(
            f"{scope.pointer}/States",
            "no state ends this machine: give one 'End': true, or add a Succeed or Fail state",
            code=MISSING_END_STATE,
        )


def _reached_from(start: str, leads_to: dict[str, list[str]]) -> set[str]:
    reached = {start}
    ahead = [start]
    while ahead:
        for target in leads_to[ahead.pop()]:
            if target not in reached:
                reached.add(target)
                ahead.append(target)
    return reached


def _transitions(state: JSON) -> Iterator[tuple[str, str]]:
    """Where each transition stands in the state, and its target."""
    if not isinstance(state, dict):
        return
    for name in ("Next", "Default"):
        if isinstance(state.get(name), str):
            yield f"/{name}", state[name]
    for name in ("Choices", "Catch"):
        entries = state.get(name)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("Next"), str):
                yield f"/{name}/{index}/Next", entry["Next"]


def _ends(state: JSON) -> bool:
    return isinstance(state, dict) and (
        state.get("End") is True or state.get("Type") in ("Succeed", "Fail")
    )


def _target(
    scope: Scope, target: str, pointer: str, names: dict[str, str], report: Report
) -> str | None:
    """The state that *target* names, or was probably meant to name."""
    if target in scope.states:
        return target
    meant, hint = None, ""
    if target in names:
        hint = f": it is at {names[target]}, and a transition can't lead into or out of a machine"
    else:
        meant, hint = report.did_you_mean(target, scope.states)
    report.error(
        pointer, f"Missing 'Next' target: {shown(target)}{hint}", code=MISSING_TRANSITION_TARGET
    )
    return meant
