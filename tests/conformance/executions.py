"""Executions recorded on AWS, run by the interpreter alone on a virtual clock.

Tasks are answered from the recording, by state and order (by parameters too where
a Map or Parallel runs them side by side); waits pass at once.
"""

from __future__ import annotations

import importlib.util
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from django_workflows import asl
from django_workflows.asl import itemreader
from django_workflows.asl.execution import AwaitingTask
from django_workflows.asl.maprun import MapRun, map_run, threshold_exceeded
from tests.conformance.results import Result

START = datetime(2024, 6, 1, 12, tzinfo=UTC)

#: What a recorded Lambda function did, by the name of its file, for those calls
#: that the recording does not show.
RAISED = {
    "errorMessage": "Some exception was raised.",
    "errorType": "Exception",
    "requestId": "<request-id>",
    "stackTrace": [
        '  File "/var/task/handler.py", line 2, in handler\n'
        '    raise Exception("Some exception was raised.")\n'
    ],
}


def run(folder: Path) -> Iterator[Result]:
    """One Result for every recorded execution below *folder*/executions."""
    match = load_match(folder)
    for file in sorted((folder / "executions").glob("*.json")):
        for vector in json.loads(file.read_text()):
            yield result_of(vector, match)


def load_match(folder: Path) -> ModuleType:
    """The comparison rules that come with the data."""
    spec = importlib.util.spec_from_file_location("conformance_match", folder / "match.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def result_of(vector: dict[str, Any], match: ModuleType) -> Result:
    name = vector["id"].split("::", 1)[-1]
    try:
        outcome = Replay(vector, match).outcome()
    except Exception as error:  # a crash is a miss with its reason, not the end of the run
        return Result(
            "executions", vector["group"], name, False, f"{type(error).__name__}: {error}"
        )
    passed = match.outcome_matches(vector, outcome)
    detail = "" if passed else f"expected {vector['expected']}, got {outcome}"
    return Result("executions", vector["group"], name, passed, detail)


class Replay:
    """One recorded execution, driven to its end."""

    def __init__(self, vector: dict[str, Any], match: ModuleType) -> None:
        self.vector = vector
        self.match = match
        self.answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for task in vector["tasks"]:
            self.answers[task["state"]].append(task)
        self.workflow = asl.parse(vector["definition"])
        #: Open tasks whose recording says that they were never answered.
        self.silent: set[int] = set()

    def outcome(self) -> dict[str, Any]:
        """How the execution ended, as `match.outcome_matches` compares it."""
        return _outcome(self._play(self.workflow, self.vector["input"])[0])

    def run_log(self) -> list[asl.AnyEvent]:
        """All its events."""
        return self._play(self.workflow, self.vector["input"])[1]

    def _play(
        self, workflow: asl.StateMachine, input: Any
    ) -> tuple[asl.Answer, list[asl.AnyEvent]]:
        at = self._clock()
        answer = asl.start(workflow, self._context(), input, at=at, seed="fixed")
        if self.vector["expected"]["status"] == "ABORTED" and isinstance(answer, asl.Continue):
            answer = asl.resume(workflow, answer.execution, asl.Stop(), at=at)
        log = list(answer.events)
        while isinstance(answer, asl.Continue):
            self.workflow, self.execution = workflow, answer.execution
            command = self._next_command(answer.execution, log)
            if isinstance(command, asl.Wake):
                at = max(at, command.at)
            answer = asl.resume(workflow, answer.execution, command, at=at)
            log += answer.events
        return answer, log

    def _clock(self) -> datetime:
        moment = self.vector["clock"]
        return datetime.fromisoformat(moment) if moment else START

    def _context(self) -> dict[str, Any]:
        names = self.vector["names"]
        machine = names["state_machine"]
        return {
            "Execution": {
                "Id": names["execution_arn"],
                "Name": names["execution"],
                "RoleArn": names["role_arn"],
            },
            "StateMachine": {
                "Id": f"arn:aws:states:us-east-1:111111111111:stateMachine:{machine}",
                "Name": machine,
            },
        }

    def _next_command(
        self, execution: asl.Execution, log: Iterable[asl.AnyEvent]
    ) -> asl.AnyCommand:
        started = {event.seq: event for event in log if isinstance(event, asl.TaskStarted)}
        for seq in sorted(execution.tasks.keys() - self.silent):
            command = self._answer(started[seq])
            if command is not None:
                return command
            self.silent.add(seq)
        if execution.wake_at is None:
            raise RuntimeError(f"stuck with open tasks {sorted(execution.tasks)}")
        return asl.Wake(at=execution.wake_at)

    def _answer(self, task: asl.TaskStarted) -> asl.AnyCommand | None:
        if task.role == "map":
            return self._run_map(task)
        if task.is_activity and self.answers[task.state] and not self._taken(task):
            return asl.TakeTask(task=task.seq)
        recorded = self._recorded(task)
        if recorded is None:
            return self._unrecorded(task)
        outcome = recorded["outcome"]
        if outcome.get("timeout"):
            return None
        if "error" in outcome or "cause" in outcome or "output" not in outcome:
            return asl.fail_task(task, outcome.get("error"), outcome.get("cause"))
        return asl.complete_task(task, outcome["output"])

    def _taken(self, task: asl.TaskStarted) -> bool:
        doing = self.execution.branches[task.path].doing
        return isinstance(doing, AwaitingTask) and doing.taken

    def _recorded(self, task: asl.TaskStarted) -> dict[str, Any] | None:
        waiting = self.answers[task.state]
        if not waiting:
            return None
        wildcards = [*self.vector["wildcards"]]
        fitting = [
            one
            for one in waiting
            if self.match.matches(one.get("parameters"), task.input, wildcards)
        ]
        chosen = (fitting or waiting)[0]
        waiting.remove(chosen)
        return chosen

    def _run_map(self, task: asl.TaskStarted) -> asl.AnyCommand:
        """Do the children of a distributed Map one after the other, fed from the same tasks."""
        run = map_run(self.workflow, self.execution, task)
        outputs, failed, total = [], 0, 0
        try:
            for child in run.inputs(self._items(run, task)):
                total += 1
                answer, _ = self._play(run.processor, child)
                if isinstance(answer, asl.Succeed):
                    outputs.append(answer.output)
                else:
                    failed += 1
        except asl.StateError as error:
            return asl.fail_task(task, error.name, error.cause)
        if run.is_over_tolerance(failed, total):
            error = threshold_exceeded()
            return asl.fail_task(task, error.name, error.cause)
        if "ResultWriter" in task.input:
            return asl.complete_task(task, self._written(task))
        return asl.complete_task(task, outputs)

    def _items(self, run: MapRun, task: asl.TaskStarted) -> list[Any]:
        if run.items is not None:
            return run.items
        reader = task.input["ItemReader"]
        for fixture in self.vector["fixtures"]:
            if fixture["kind"] == "s3_object" and fixture["key"] == reader["Parameters"].get("Key"):
                lines = fixture["body"].splitlines(keepends=True)
                return itemreader.items(lines, reader["ReaderConfig"], reader.get("MaxItems"))
        raise asl.StateError("States.ItemReaderFailed", f"no object {reader['Parameters']}")

    def _written(self, task: asl.TaskStarted) -> Any:
        """What AWS's writer answers: where the results lie, by a run's random name."""
        machine, label = self.vector["names"]["state_machine"], task.input["Label"]
        place = task.input["ResultWriter"]["Parameters"]
        return {
            "MapRunArn": f"arn:aws:states:us-east-1:111111111111:mapRun:{machine}/{label}:run",
            "ResultWriterDetails": {
                "Bucket": place["Bucket"],
                "Key": f"{place['Prefix']}/run/manifest.json",
            },
        }

    def _unrecorded(self, task: asl.TaskStarted) -> asl.AnyCommand:
        if ":activity:" in task.resource:
            cause = f"The activity {task.resource} does not exist."
            return asl.fail_task(task, "States.Runtime", cause)
        handlers = {one["handler"] for one in self.vector["fixtures"] if one["kind"] == "lambda"}
        invoked = task.resource.endswith(":lambda:invoke")
        if "raise_exception.py" in handlers:
            # The function's own text has blanks; the integration writes it anew without.
            separators = (",", ":") if invoked else None
            return asl.fail_task(task, "Exception", json.dumps(RAISED, separators=separators))
        payload = task.input.get("Payload") if invoked else task.input
        if not invoked:
            return asl.complete_task(task, payload)
        # The envelope that AWS puts around a function's answer; its headers differ
        # from run to run, so the expected ones serve.
        expected = self.vector["expected"].get("output")
        envelope = expected if isinstance(expected, dict) and "Payload" in expected else {}
        own = {key: envelope[key] for key in ENVELOPE if key in envelope}
        return asl.complete_task(task, {"StatusCode": 200, **own, "Payload": payload})


ENVELOPE = ("ExecutedVersion", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode")


def _outcome(answer: asl.Answer) -> dict[str, Any]:
    if isinstance(answer, asl.Succeed):
        return {"status": "SUCCEEDED", "output": answer.output}
    assert isinstance(answer, asl.Fail)
    outcome: dict[str, Any] = {"status": str(answer.execution.status)}
    if answer.error is not None:
        outcome["error"] = answer.error
    if answer.cause is not None:
        outcome["cause"] = answer.cause
    return outcome
