"""What goes into a state's work, and what comes out of the state.

One function a moment. Each takes the state and the `Names` of that moment; what
``$`` stands for differs from moment to moment, and is said in each docstring.

Source: ASL specification, "Input and Output Processing with JSONPath"; the texts
of the causes are AWS's, as recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django_workflows.asl import values
from django_workflows.asl.definition import (
    Catcher,
    ChoiceRule,
    Expression,
    Fail,
    ItemBatcher,
    Map,
    State,
    Wait,
)
from django_workflows.asl.errors import StateError
from django_workflows.asl.expressions.jsonpath import Path, PathNotFound
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.values import JSON

#: A Wait may not end later than this many seconds from now (recorded on AWS).
LONGEST_WAIT_SECONDS = 2_147_483_647


def runtime_error(cause: str) -> StateError:
    """The error that AWS reports for everything that goes wrong while evaluating."""
    return StateError("States.Runtime", cause)


def value_at(path: Path, names: Names) -> JSON:
    """What *path* finds, for the fields that hold one path (InputPath, TimeoutSecondsPath, ...).

    Raises StateError: States.Runtime with AWS's ``Invalid path`` text.
    """
    try:
        return path.find(names)
    except PathNotFound as missing:
        raise runtime_error(f"Invalid path '{path.text}' : {missing.detail}") from None


def filtered_input(state: State, names: Names) -> JSON:
    """The raw input (``$``) after InputPath; ``InputPath: null`` gives ``{}``."""
    return {} if state.input_path is None else value_at(state.input_path, names)


def effective_input(state: State, names: Names) -> JSON:
    """The raw input (``$``) after InputPath and Parameters: what the state's work gets."""
    filtered = filtered_input(state, names)
    if state.parameters is None:
        return filtered
    return state.parameters.evaluate(names.with_input(filtered), "Parameters")


def selected_result(state: State, result: JSON, names: Names) -> JSON:
    """*result* after ResultSelector, in which ``$`` is the result."""
    if state.result_selector is None:
        return result
    return state.result_selector.evaluate(names.with_input(result), "ResultSelector")


def effective_output(state: State, raw: JSON, result: JSON, names: Names) -> JSON:
    """*result* on its way out: ResultPath into the raw input, then OutputPath.

    ``raw`` is the state's input before InputPath: ResultPath writes into that,
    not into the effective input. ``ResultPath: null`` drops the result.

    Raises StateError: States.ResultPathMatchFailure where ``raw`` has no place
    for the result; States.Runtime where OutputPath finds nothing.
    """
    combined = raw if state.result_path is None else state.result_path.put(raw, result)
    if state.output_path is None:
        return {}
    return value_at(state.output_path, names.with_input(combined))


def assigned(assign: Expression | None, subject: JSON, names: Names) -> Mapping[str, JSON] | None:
    """The variables that *assign* sets; ``$`` in it is *subject*.

    Every right-hand side sees the variables as they were on entering the state.
    """
    if assign is None:
        return None
    variables: Mapping[str, JSON] = assign.evaluate(names.with_input(subject), "Assign")
    return variables


def caught_output(catcher: Catcher, raw: JSON, error_output: JSON) -> JSON:
    """What goes on from a Catcher: its ResultPath alone, against the raw input."""
    if catcher.result_path is None:
        return raw
    return catcher.result_path.put(raw, error_output)


def rule_assign(state: State, rule: ChoiceRule | None) -> Expression | None:
    """The one Assign that runs in a Choice: the taken rule's, else with Default the state's."""
    return rule.assign if rule is not None and rule.assign is not None else state.assign


def failure(state: Fail, names: Names) -> tuple[str | None, str | None]:
    """A Fail state's Error and Cause.

    Raises StateError: States.Runtime where ErrorPath or CausePath yields no text.
    """
    return _text(state.error, names, "ErrorPath"), _text(state.cause, names, "CausePath")


def _text(value: str | Expression | None, names: Names, field: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    text = value.evaluate(names, field)
    if not isinstance(text, str):
        raise runtime_error(
            f"The {field} field refers to value {quoted(text)} which is not a string: {value.text}"
        )
    return text


def waiting_time(state: Wait, names: Names, now: datetime) -> datetime:
    """The moment a Wait ends, at *now* or before where there is nothing to wait for.

    Raises StateError: States.Runtime, in AWS's words, where what SecondsPath or
    TimestampPath finds is no length or no moment, or is more than 68 years off.
    """
    if state.timestamp is not None:
        until = _moment(state.timestamp, names)
    else:
        assert state.seconds is not None  # parse: exactly one of the two is set
        until = now + _seconds(state.seconds, names)
    if (until - now).total_seconds() > LONGEST_WAIT_SECONDS:
        raise runtime_error("Wait state delay is too long.")
    return until


def _moment(timestamp: datetime | Expression, names: Names) -> datetime:
    if isinstance(timestamp, datetime):
        return timestamp
    found = _found(timestamp, names, "TimestampPath")
    moment = values.parse_timestamp(found) if isinstance(found, str) else None
    if moment is None:
        shown = found if isinstance(found, str) else values.compact(found)
        raise runtime_error(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset"
            f" date-time format string: {timestamp.text} == {shown}"
        )
    return moment


def _seconds(seconds: int | Expression, names: Names) -> timedelta:
    if isinstance(seconds, int):
        return timedelta(seconds=seconds)
    found = _found(seconds, names, "SecondsPath")
    shown = f"{seconds.text} == {found if isinstance(found, str) else values.compact(found)}"
    number = _integer(found)
    if number is None:
        raise runtime_error(f"The SecondsPath parameter cannot be parsed as a long value: {shown}")
    if number < 0:
        raise runtime_error(f"The SecondsPath parameter references a negative value: {shown}")
    if number > LONGEST_WAIT_SECONDS:
        raise runtime_error("Wait state delay is too long.")
    return timedelta(seconds=number)


def _found(expression: Expression, names: Names, field: str) -> JSON:
    if isinstance(expression, Path):
        try:
            return expression.find(names)
        except PathNotFound:
            raise runtime_error(
                f"The {field} parameter does not reference an input value: {expression.text}"
            ) from None
    return expression.evaluate(names, field)


def positive_seconds(value: int | Expression | None, names: Names, field: str) -> int | None:
    """TimeoutSeconds or HeartbeatSeconds, literal or by path; None where there is none.

    Raises StateError: States.Runtime where the path yields no positive integer.
    """
    if value is None or isinstance(value, int):
        return value
    number = _whole(value, names, field)
    if not 0 < number <= 99_999_999:
        raise runtime_error(
            f"The {field} field refers to value {quoted(number)} which is not between"
            f" 1 and 99999999: {value.text}"
        )
    return number


def quoted(value: JSON) -> str:
    """*value* as AWS shows it in ``refers to value "V"``: JSON inside of quotation marks."""
    return f'"{value if isinstance(value, str) else values.compact(value)}"'


def _integer(value: JSON) -> int | None:
    """The whole number *value* is or, being a text, spells (recorded on AWS)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        try:
            return int(value) if len(value) < 20 and value.strip() == value else None
        except ValueError:
            return None
    return None


def _whole(value: Expression, names: Names, field: str) -> int:
    found = _at(value, names, field)
    number = _integer(found)
    if number is None:
        raise runtime_error(
            f"The {field} field refers to value {quoted(found)} which is not a valid integer:"
            f" {value.text}"
        )
    return number


def _at(value: Expression, names: Names, field: str) -> JSON:
    return value_at(value, names) if isinstance(value, Path) else value.evaluate(names, field)


# -- Map -------------------------------------------------------------------------------


def items(state: Map, filtered: JSON, names: Names) -> list[JSON]:
    """A Map's items: what ItemsPath finds in the effective input (``$``), an array.

    Raises StateError: States.Runtime where it is none.
    """
    if state.items is None:
        found, text = filtered, "$"
    else:
        found, text = _at(state.items, names.with_input(filtered), "ItemsPath"), state.items.text
    if not isinstance(found, list):
        raise runtime_error(f'Reference path "{text}" must point to array.')
    return found


def max_concurrency(state: Map, names: Names) -> int:
    """MaxConcurrency, literal or by path; 0 is no limit."""
    if isinstance(state.max_concurrency, int):
        return state.max_concurrency
    number = _whole(state.max_concurrency, names, "MaxConcurrencyPath")
    if number < 0:
        raise runtime_error("MaxConcurrency cannot be negative.")
    return number


@dataclass(frozen=True, slots=True)
class Tolerance:
    count: int | None
    percentage: float | None


def tolerance(state: Map, names: Names) -> Tolerance:
    """How many of a Map's iterations may fail; None is not said.

    Raises StateError: States.Runtime where a path yields no number or one out of range.
    """
    count = state.tolerated_failure_count
    if count is not None and not isinstance(count, int):
        count = _whole(count, names, "ToleratedFailureCountPath")
        if count < 0:
            raise runtime_error("ToleratedFailureCount cannot be negative.")
    percentage = state.tolerated_failure_percentage
    if percentage is not None and not isinstance(percentage, (int, float)):
        percentage = _percentage(percentage, names)
    return Tolerance(count, percentage)


def _percentage(value: Expression, names: Names) -> float:
    found = _at(value, names, "ToleratedFailurePercentagePath")
    try:
        number = float(found) if isinstance(found, (int, float, str)) else None
    except ValueError:
        number = None
    if number is None or isinstance(found, bool):
        raise runtime_error(
            f"The ToleratedFailurePercentagePath field refers to value {quoted(found)} which is"
            f" not a valid float: {value.text}"
        )
    if not 0 <= number <= 100:
        raise runtime_error("ToleratedFailurePercentage must be between 0 and 100.")
    return number


def max_items(state: Map, names: Names) -> int | None:
    """ItemReader's MaxItems, literal or by path; None (and 0) is no limit."""
    reader = state.item_reader
    if reader is None or reader.max_items is None or isinstance(reader.max_items, int):
        return reader.max_items if reader is not None else None  # type: ignore[return-value]
    number = _whole(reader.max_items, names, "MaxItemsPath")
    if number < 0:
        raise StateError("States.ItemReaderFailed", "field MaxItems must be positive")
    return number


def batches(batcher: ItemBatcher, selected: list[JSON], names: Names) -> list[JSON]:
    """*selected* items grouped into the inputs of a distributed Map's iterations.

    Raises StateError: States.Runtime where a limit is no positive integer, or one
    item alone is larger than MaxInputBytesPerBatch.
    """
    most = _limit(batcher.max_items_per_batch, names, "MaxItemsPerBatchPath")
    most_bytes = _limit(batcher.max_input_bytes_per_batch, names, "MaxInputBytesPerBatchPath")
    shared: dict[str, JSON] = {}
    if batcher.batch_input is not None:
        shared["BatchInput"] = batcher.batch_input.evaluate(names, "BatchInput")
    frame = values.size({**shared, "Items": []})
    grouped: list[JSON] = []
    batch: list[JSON] = []
    taken = frame
    for item in selected:
        room = values.size(item) + 1 if most_bytes is not None else 0
        if batch and (
            (most is not None and len(batch) >= most)
            or (most_bytes is not None and taken + room > most_bytes)
        ):
            grouped.append({**shared, "Items": batch})
            batch, taken = [], frame
        if most_bytes is not None and taken + room > most_bytes:
            raise runtime_error(
                f"An item of {room - 1} bytes does not fit into MaxInputBytesPerBatch"
                f" ({most_bytes} bytes)"
            )
        batch.append(item)
        taken += room
    if batch:
        grouped.append({**shared, "Items": batch})
    return grouped


def _limit(value: int | Expression | None, names: Names, field: str) -> int | None:
    if value is None or isinstance(value, int):
        return value
    number = _whole(value, names, field)
    if number <= 0:
        raise runtime_error(f"{field.removesuffix('Path')} must be positive.")
    return number


def error_output(error: str | None, cause: str | None) -> dict[Literal["Error", "Cause"], JSON]:
    """The Error Output that a Catcher hands on."""
    return {"Error": error, "Cause": cause}
