"""A distributed Map's run, for the world that does it.

Each item or batch is the input of an execution of its own, of the Map's processor.
The parent asks for the whole run with one TaskStarted (``role="map"``), whose input
holds everything that was evaluated, and waits: its history stays small. Whoever
runs the children asks this module what they get, and when too many have failed.

Source: AWS, "Using Map state in Distributed mode".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django_workflows.asl import context, values
from django_workflows.asl.dataflow import Tolerance
from django_workflows.asl.definition import Map, StateMachine
from django_workflows.asl.errors import StateError
from django_workflows.asl.events import TaskStarted
from django_workflows.asl.execution import Execution
from django_workflows.asl.expressions.names import DEFAULT_JSONATA_LIMITS, JsonataLimits, Names
from django_workflows.asl.values import JSON

#: The resource of the task that asks for a run; no handler is ever called for it.
RESOURCE = "states:mapRun"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRun:
    """What the run that *task* asks for is to do."""

    state: Map
    execution: Execution
    task: TaskStarted
    jsonata: JsonataLimits = DEFAULT_JSONATA_LIMITS

    @property
    def processor(self) -> StateMachine:
        """The machine that each child executes."""
        return self.state.processor

    @property
    def items(self) -> list[JSON] | None:
        """The items; None where an ItemReader is to read them."""
        items: list[JSON] | None = self._asked("Items")
        return items

    @property
    def max_concurrency(self) -> int:
        """How many children may run at a time; 0 is no limit."""
        return int(self._asked("MaxConcurrency") or 0)

    @property
    def item_reader(self) -> dict[str, JSON] | None:
        """Resource, Parameters, ReaderConfig and MaxItems of what reads the items."""
        reader: dict[str, JSON] | None = self._asked("ItemReader")
        return reader

    @property
    def result_writer(self) -> dict[str, JSON] | None:
        """Resource, Parameters and WriterConfig of what writes the results."""
        writer: dict[str, JSON] | None = self._asked("ResultWriter")
        return writer

    @property
    def is_batched(self) -> bool:
        """Whether a child's input holds several items."""
        return self._asked("ItemBatcher") is not None

    @property
    def tolerated_failure_count(self) -> int | None:
        count: int | None = self._asked("ToleratedFailureCount")
        return count

    @property
    def tolerated_failure_percentage(self) -> float | None:
        percentage: float | None = self._asked("ToleratedFailurePercentage")
        return percentage

    def is_over_tolerance(self, failed: int, total: int) -> bool:
        """Whether *failed* of *total* items are more than may fail.

        Where nothing is said, one is. Items count, not batches.
        """
        return is_over_tolerance(
            self.tolerated_failure_count,
            self.tolerated_failure_percentage,
            failed=failed,
            total=total,
        )

    def inputs(self, items: Iterable[JSON], *, first: int = 0) -> Iterator[JSON]:
        """The children's inputs: each item after ItemSelector, in batches where asked for.

        Reads *items* as it goes; ``first`` is the index of their first, where the
        children of those before it are there already. Raises StateError where a
        selector or a batch fails.
        """
        selected = (self._selected(index, item) for index, item in enumerate(items, first))
        batcher = self._asked("ItemBatcher")
        return selected if batcher is None else batches(batcher, selected)

    def _selected(self, index: int, item: JSON) -> JSON:
        selector = self.state.item_selector
        if selector is None:
            return item
        execution, path = self.execution, self.task.path
        branch = execution.branches[path]
        names = Names(
            input=branch.input,
            context=lambda: {
                **context.context_object(execution, path, self.state),
                "Map": {"Item": {"Index": index, "Value": item}},
            },
            variables=execution.visible_variables(path),
            chance=lambda: context.chance(execution, f"{self.task.seq}/{index}"),
            now=self.task.at,
            jsonata=self.jsonata,
        )
        filtered = self._asked("Input", branch.input)
        return selector.evaluate(names.with_input(filtered), "ItemSelector")

    def _asked(self, name: str, default: JSON = None) -> JSON:
        return self.task.input.get(name, default)


def map_run(
    workflow: StateMachine,
    execution: Execution,
    task: TaskStarted,
    *,
    jsonata: JsonataLimits = DEFAULT_JSONATA_LIMITS,
) -> MapRun:
    """The run that *task*, an open one of *execution*, asks for.

    Raises ValueError where it asks for none.
    """
    state = workflow.at(task.path).states[task.state]
    if not isinstance(state, Map) or task.role != "map":
        raise ValueError(f"task {task.seq} asks for no Map run")
    return MapRun(state=state, execution=execution, task=task, jsonata=jsonata)


def is_over_tolerance(
    count: int | None, percentage: float | None, *, failed: int, total: int
) -> bool:
    """Whether *failed* of *total* items are more than may fail; where nothing is said, one is."""
    if not failed:
        return False
    if count is None and percentage is None:
        return True
    return Tolerance(count, percentage).is_exceeded_by(failed, total)


def threshold_exceeded() -> StateError:
    """The error of a run in which too many children failed."""
    return StateError(
        "States.ExceedToleratedFailureThreshold",
        "The specified tolerated failure threshold was exceeded",
    )


def batches(batcher: JSON, selected: Iterable[JSON]) -> Iterator[JSON]:
    """The *selected* items in groups, as `dataflow.item_batcher` has it.

    Raises StateError where one item alone is too large for a batch.
    """
    most, most_bytes = batcher.get("MaxItemsPerBatch"), batcher.get("MaxInputBytesPerBatch")
    shared = {name: batcher[name] for name in ("BatchInput",) if name in batcher}
    frame = values.size({**shared, "Items": []})
    batch: list[JSON] = []
    taken = frame
    for item in selected:
        room = values.size(item) + 1 if most_bytes is not None else 0
        if batch and (
            (most is not None and len(batch) >= most)
            or (most_bytes is not None and taken + room > most_bytes)
        ):
            yield {**shared, "Items": batch}
            batch, taken = [], frame
        if most_bytes is not None and taken + room > most_bytes:
            raise StateError(
                "States.Runtime",
                f"An item of {room - 1} bytes does not fit into MaxInputBytesPerBatch"
                f" ({most_bytes} bytes)",
            )
        batch.append(item)
        taken += room
    if batch:
        yield {**shared, "Items": batch}
