"""Any machine, any answers in any order, a cut anywhere.

`Run` checks the invariants of the design after every command; here Hypothesis
thinks up the machines and the commands.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_workflows import asl
from tests.asl.running import Run

ERRORS = ["Busy", "NoStock", "States.Timeout"]
PATTERNS = [*ERRORS, "States.ALL", "States.TaskFailed"]

OUTPUTS = [
    None,
    {"n": "{% $states.input %}", "at": ["{% $now() %}", "{% $random() %}"]},
    "{% $states.result %}",
    "{% $states.input.n %}",
    {"deep": [{"id": "{% $uuid() %}"}]},
    "{% $v1 %}",
    "{% $shuffle([1..5]) %}",
]
CONDITIONS = [True, False, "{% $states.input.n = 1 %}", "{% $random() < 0.5 %}", "{% 1 %}"]
ITEMS = [[1, "{% $states.input %}"], "{% $states.context.items %}", "{% [1..3] %}", "{% 1 %}"]


class _Builder:
    """A random machine; names are unique over the whole of it, as the language wants."""

    def __init__(self, draw: random.Random, language: str = "JSONPath") -> None:
        self.draw = draw
        self.count = 0
        #: The whole machine's; single states of a JSONPath one may be in JSONata.
        self.language = language

    def name(self) -> str:
        self.count += 1
        return f"S{self.count}"

    def machine(self, depth: int) -> dict[str, Any]:
        names = [self.name() for _ in range(self.draw.randint(1, 4))]
        states = {
            name: self.any_state(names[index + 1 :], depth) for index, name in enumerate(names)
        }
        return {"StartAt": names[0], "States": _reachable(names[0], states)}

    def any_state(self, later: list[str], depth: int) -> dict[str, Any]:
        state = self.state(later, depth)
        if self.language == "JSONata":
            return self.in_jsonata(state)
        if self.draw.random() < 0.2:
            return {**self.in_jsonata(state), "QueryLanguage": "JSONata"}
        return state

    def in_jsonata(self, state: dict[str, Any]) -> dict[str, Any]:
        """*state* with JSONata in place of its paths, and some more of it."""
        draw = self.draw
        kind = state["Type"]
        for field in ("Result", "Parameters", "OutputPath", "ItemsPath"):
            state.pop(field, None)
        for rule in state.get("Choices", ()):
            del rule["Variable"], rule["IsPresent"]
            rule["Condition"] = draw.choice(CONDITIONS)
        for catcher in state.get("Catch", ()):
            del catcher["ResultPath"]
            catcher["Output"] = draw.choice(OUTPUTS)
        if kind == "Map":
            state["Items"] = draw.choice(ITEMS)
            state["MaxConcurrency"] = draw.choice([0, "{% 1 + 1 %}", "{% -1 %}"])
        if kind == "Wait":
            state["Seconds"] = draw.choice([0, "{% 1 + 2 %}", "{% $round($random() * 5) %}"])
        if kind != "Fail" and draw.random() < 0.5:
            state["Output"] = draw.choice(OUTPUTS)
        if kind not in ("Fail", "Succeed") and draw.random() < 0.3:
            self.count += 1
            state["Assign"] = {f"v{self.count}": draw.choice(OUTPUTS)}
        if kind in ("Task", "Parallel") and draw.random() < 0.5:
            state["Arguments"] = draw.choice(OUTPUTS)
        return state

    def state(self, later: list[str], depth: int) -> dict[str, Any]:
        draw = self.draw
        kinds = ["Pass", "Task", "Task", "Wait"]
        if not later:
            kinds += ["Succeed", "Fail"]
        else:
            kinds.append("Choice")
        if depth:
            kinds += ["Parallel", "Map", "Map"]
        kind = draw.choice(kinds)
        follow = {"Next": later[0]} if later else {"End": True}
        match kind:
            case "Succeed":
                return {"Type": kind}
            case "Fail":
                return {"Type": kind, "Error": draw.choice(ERRORS)}
            case "Choice":
                rule = {
                    "Variable": "$.n",
                    "IsPresent": draw.random() < 0.5,
                    "Next": draw.choice(later),
                }
                return {"Type": kind, "Choices": [rule], "Default": later[0]}
            case "Wait":
                return {"Type": kind, "Seconds": draw.randint(0, 5), **follow}
            case "Pass":
                self.count += 1
                extra: dict[str, Any] = draw.choice(
                    [
                        {},
                        {"Result": {"n": 1}},
                        {"Parameters": {"id.$": "States.UUID()"}},
                        {"Assign": {f"v{self.count}": 1}},
                        {"OutputPath": "$.missing"},
                    ]
                )
                return {"Type": kind, **extra, **follow}
        state: dict[str, Any] = {"Type": kind, **follow}
        if kind == "Task":
            state |= {"Resource": "work"}
            if draw.random() < 0.4:
                state["TimeoutSeconds"] = draw.randint(2, 6)
                if draw.random() < 0.5:
                    state["HeartbeatSeconds"] = 1
        elif kind == "Parallel":
            state["Branches"] = [self.machine(depth - 1) for _ in range(draw.randint(1, 3))]
        else:
            processor = self.machine(depth - 1)
            if draw.random() < 0.3:
                processor["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
                state["ToleratedFailureCount"] = draw.randint(0, 2)
            state |= {
                "ItemsPath": "$$.items",
                "ItemProcessor": processor,
                "MaxConcurrency": draw.randint(0, 2),
            }
        if draw.random() < 0.4:
            state["Retry"] = [
                {
                    "ErrorEquals": [draw.choice(PATTERNS)],
                    "IntervalSeconds": 1,
                    "MaxAttempts": draw.randint(0, 2),
                    "JitterStrategy": draw.choice(["FULL", "NONE"]),
                }
            ]
        if later and draw.random() < 0.4:
            state["Catch"] = [
                {
                    "ErrorEquals": [draw.choice(PATTERNS)],
                    "Next": draw.choice(later),
                    "ResultPath": None,
                }
            ]
        return state


def _reachable(start: str, states: dict[str, Any]) -> dict[str, Any]:
    """*states* without those that no transition leads to, which the parser would refuse."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        state = states[name]
        todo += [
            target
            for target in (
                state.get("Next"),
                state.get("Default"),
                *(rule["Next"] for rule in (*state.get("Choices", ()), *state.get("Catch", ()))),
            )
            if target
        ]
    return {name: state for name, state in states.items() if name in seen}


def machines() -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda draw, timeout, language: {
            **_Builder(draw, language).machine(depth=2),
            **({"TimeoutSeconds": timeout} if timeout else {}),
            "QueryLanguage": language,
        },
        st.randoms(use_true_random=False),
        st.sampled_from([None, None, 8]),
        st.sampled_from(["JSONPath", "JSONata"]),
    )


@given(definition=machines(), world=st.randoms(use_true_random=False))
@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_machine_comes_to_an_end_and_keeps_the_invariants(definition, world):
    run = Run(definition, {"n": 1}, ctx={"items": [1, 2][: world.randint(0, 2)]})
    for _ in range(60):
        if not run.execution.is_running:
            break
        _something_happens(run, world)
        if run.execution.is_redrivable and world.random() < 0.5:
            run.send(asl.Redrive())
    while run.execution.is_running:
        if run.tasks:
            run.complete(output={})
        else:
            assert run.due_in is not None
            run.wake(after=max(run.due_in, 0))


def _something_happens(run: Run, world: random.Random) -> None:
    happening = world.randint(0, 11)
    if happening == 11 and world.random() < 0.1:
        run.send(asl.Stop(cause="enough"))
    elif happening >= 9:
        run.wake(after=world.choice([0, 0.5, 1, 3]))
    elif happening == 8 and run.execution.waits:
        run.send(asl.FinishWaiting(wait=world.choice(sorted(run.execution.waits))))
    elif run.tasks:
        one = world.choice(run.tasks)
        if happening < 5:
            run.complete(one.seq, output=world.choice([{}, {"n": 2}, 3, None]))
        elif happening < 7:
            run.fail(one.seq, error=world.choice([*ERRORS, None]), cause=world.choice(["c", None]))
        else:
            run.send(asl.Heartbeat(task=one.seq))


@given(definition=machines(), seed=st.text(min_size=1, max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_seed_and_moments_give_the_same_log(definition, seed):
    one, other = Run(definition, seed=seed), Run(definition, seed=seed)
    assert one.log == other.log
