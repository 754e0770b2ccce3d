"""What goes into a state's work, and what comes out of the state.

One function a moment. Each takes the state and the `Names` of that moment; what
``$`` stands for differs from moment to moment, and is said in each docstring.

In a JSONata state ``$states.input`` is the raw input at every moment; paths and
templates that such a state cannot have are at their defaults, which change nothing.

Source: ASL specification, "Input and Output Processing"; the texts of the causes
are AWS's, as recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from django_workflows.asl import values
from django_workflows.asl.definition import (
    Catcher,
    Choice,
    ChoiceRule,
    Expression,
    Fail,
    ItemBatcher,
    ItemReader,
    Map,
    ResultWriter,
    State,
    Wait,
)
from django_workflows.asl.errors import StateError
from django_workflows.asl.expressions import jsonata
from django_workflows.asl.expressions.jsonata import Jsonata, JsonataTemplate
from django_workflows.asl.expressions.jsonpath import ROOT, Path, PathNotFound
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.values import JSON

#: A Wait may not end later than this many seconds from now (recorded on AWS).
LONGEST_WAIT_SECONDS = 2_147_483_647


def runtime_error(cause: str) -> StateError:
    """The error that AWS reports for everything that goes wrong while evaluating."""
    return StateError("States.Runtime", cause)


def too_large(name: str) -> StateError:
    """The error of a result or an output, that of *name*, above the limit."""
    return StateError(
        "States.DataLimitExceeded",
        f"The state/task '{name}' returned a result with a size exceeding the maximum number"
        " of bytes service limit.",
    )


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
    """The raw input (``$``) after InputPath and Parameters, or JSONata's Arguments."""
    if state.arguments is not None:
        return state.arguments.evaluate(names, "Arguments")
    filtered = filtered_input(state, names)
    if state.parameters is None:
        return filtered
    return state.parameters.evaluate(names.with_input(filtered), "Parameters")


#: Told of a value on its way through a state, by TestState's name for it.
Watch = Callable[[str, JSON], None]


def unwatched(name: str, value: JSON) -> None:
    """Nobody wants to know: the ordinary case."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a state is left with."""

    output: JSON
    variables: Mapping[str, JSON] | None


def outcome(
    state: State, result: JSON, names: Names, *, has_result: bool, watch: Watch = unwatched
) -> Outcome:
    """*result* on its way out of *state*, and the variables that it sets.

    ``names`` are those of the raw input. JSONPath: ResultSelector, then ResultPath
    into the raw input, not into the effective one (null drops the result), then
    OutputPath; ``$`` in Assign is the selected result. JSONata: Output, else the
    result; ``$states.result`` is there where ``has_result`` says that the state
    type has one. All right-hand sides see the variables as they were on entering.
    ``watch`` is told of the values between.

    Raises StateError: States.ResultPathMatchFailure where the raw input has no
    place for the result; States.Runtime or States.QueryEvaluationError where an
    evaluation fails.
    """
    if state.query_language == "JSONata":
        seen = names.with_states(result=result) if has_result else names
        output = result if state.output is None else state.output.evaluate(seen, "Output")
        return Outcome(output, _variables(state.assign, seen))
    if state.result_selector is not None:
        result = state.result_selector.evaluate(names.with_input(result), "ResultSelector")
    watch("afterResultSelector", result)
    output = _through_paths(state, result, names, watch)
    return Outcome(output, _variables(state.assign, names.with_input(result)))


def _through_paths(state: State, result: JSON, names: Names, watch: Watch = unwatched) -> JSON:
    raw = names.input
    combined = raw if state.result_path is None else state.result_path.put(raw, result)
    watch("afterResultPath", combined)
    if state.output_path is None:
        return {}
    return value_at(state.output_path, names.with_input(combined))


def _variables(assign: Expression | None, names: Names) -> Mapping[str, JSON] | None:
    if assign is None:
        return None
    variables: Mapping[str, JSON] = assign.evaluate(names, "Assign")
    return variables


def chosen_outcome(state: Choice, rule: ChoiceRule | None, names: Names) -> Outcome:
    """What a Choice is left with: the taken rule's Output and Assign, else the state's.

    ``$`` in a JSONPath Assign is the effective input.
    """
    output = rule.output if rule is not None and rule.output is not None else state.output
    assign = rule.assign if rule is not None and rule.assign is not None else state.assign
    if state.query_language == "JSONata":
        return Outcome(
            names.input if output is None else output.evaluate(names, "Output"),
            _variables(assign, names),
        )
    filtered = filtered_input(state, names)
    return Outcome(
        _through_paths(state, filtered, names), _variables(assign, names.with_input(filtered))
    )


def caught_outcome(
    state: State, catcher: Catcher, error: str | None, cause: str | None, names: Names
) -> Outcome:
    """What goes on from a Catcher: nothing of the state's own output fields applies.

    JSONPath: its ResultPath against the raw input; ``$`` in Assign is the Error
    Output. JSONata: its Output, else the Error Output, ``$states.errorOutput``.
    """
    error_output: JSON = {"Error": error, "Cause": cause}
    if state.query_language == "JSONata":
        seen = names.with_states(errorOutput=error_output)
        output = error_output if catcher.output is None else catcher.output.evaluate(seen, "Output")
        return Outcome(output, _variables(catcher.assign, seen))
    raw = names.input
    return Outcome(
        raw if catcher.result_path is None else catcher.result_path.put(raw, error_output),
        _variables(catcher.assign, names.with_input(error_output)),
    )


def failure(state: Fail, names: Names) -> tuple[str | None, str | None]:
    """A Fail state's Error and Cause.

    Raises StateError: States.Runtime (JSONata: States.QueryEvaluationError) where an
    expression yields no text.
    """
    return _text(state.error, names, "ErrorPath"), _text(state.cause, names, "CausePath")


def _text(value: str | Expression | None, names: Names, field: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Jsonata):
        return str(value.expect("string", names, field.removesuffix("Path")))
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
    if isinstance(timestamp, Jsonata):
        text = timestamp.expect("string", names, "Timestamp")
        moment = values.parse_timestamp(text)
        if moment is None:
            raise jsonata.query_error(
                "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time"
                f" format string: {text}",
                "Timestamp",
            )
        return moment
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
    if isinstance(seconds, Jsonata):
        return timedelta(seconds=_number_in(seconds, names, "Seconds", 0, LONGEST_WAIT_SECONDS))
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
    if isinstance(value, Jsonata):
        return _number_in(value, names, field.removesuffix("Path"), 1, 99_999_999)
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


def _number_in(value: Jsonata, names: Names, field: str, least: int, most: int) -> int:
    """The whole number that a JSONata field yields, between *least* and *most*."""
    found = value.expect("number", names, field)
    if found != int(found) or not least <= found <= most:
        raise jsonata.query_error(
            f"The JSONata expression '{value.source}' specified for the field '{field}' returned"
            f" {values.compact(found)}: expected an integer between {least} and {most}",
            field,
        )
    return int(found)


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
    """A Map's items: what ItemsPath finds in the effective input (``$``), or Items yields.

    Raises StateError: States.Runtime (JSONata: States.QueryEvaluationError) where
    that is no array.
    """
    if state.query_language == "JSONata":
        if state.items is None:
            if isinstance(filtered, list):
                return filtered
            raise jsonata.query_error(
                f"Map state input must be an array but was: {values.compact(filtered)}"
            )
        whole = state.items.expression if isinstance(state.items, JsonataTemplate) else None
        found = state.items.evaluate(names, "Items")
        return cast(list[JSON], jsonata.check_kind("array", found, "Items", whole))
    if state.items is None:
        found, text = filtered, "$"
    else:
        found, text = _at(state.items, names.with_input(filtered), "ItemsPath"), state.items.text
    if not isinstance(found, list):
        # Recorded on AWS: a path into the context loses its first dollar.
        shown = text[1:] if text.startswith("$$") else text
        raise runtime_error(f'Reference path "{shown}" must point to array.')
    return found


def max_concurrency(state: Map, names: Names) -> int:
    """MaxConcurrency, literal or by path; 0 is no limit."""
    if isinstance(state.max_concurrency, int):
        return state.max_concurrency
    if isinstance(state.max_concurrency, Jsonata):
        return _number_in(state.max_concurrency, names, "MaxConcurrency", 0, 99_999_999)
    number = _whole(state.max_concurrency, names, "MaxConcurrencyPath")
    if number < 0:
        raise runtime_error("MaxConcurrency cannot be negative.")
    return number


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many of a Map's iterations may fail; None is not said."""

    count: int | None
    percentage: float | None

    def is_exceeded_by(self, failed: int, total: int) -> bool:
        """Whether *failed* of *total* are more than is said; never where nothing is."""
        return (self.count is not None and failed > self.count) or (
            self.percentage is not None and failed * 100 > self.percentage * total
        )


def tolerance(state: Map, names: Names) -> Tolerance:
    """How many of a Map's iterations may fail; None is not said.

    Raises StateError: States.Runtime where a path yields no number or one out of range.
    """
    count = state.tolerated_failure_count
    if isinstance(count, Jsonata):
        count = _number_in(count, names, "ToleratedFailureCount", 0, 99_999_999)
    elif count is not None and not isinstance(count, int):
        count = _whole(count, names, "ToleratedFailureCountPath")
        if count < 0:
            raise runtime_error("ToleratedFailureCount cannot be negative.")
    percentage = state.tolerated_failure_percentage
    if percentage is not None and not isinstance(percentage, (int, float)):
        percentage = _percentage(percentage, names)
    return Tolerance(count, percentage)


def _percentage(value: Expression, names: Names) -> float:
    if isinstance(value, Jsonata):
        share = float(value.expect("number", names, "ToleratedFailurePercentage"))
        if not 0 <= share <= 100:
            raise jsonata.query_error(
                "ToleratedFailurePercentage must be between 0 and 100.",
                "ToleratedFailurePercentage",
            )
        return share
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
    if isinstance(reader.max_items, Jsonata):
        return _number_in(
            reader.max_items, names, "ItemReader/ReaderConfig/MaxItems", 0, 100_000_000
        )
    number = _whole(reader.max_items, names, "MaxItemsPath")
    if number < 0:
        raise StateError("States.ItemReaderFailed", "field MaxItems must be positive")
    return number


def map_run(state: Map, names: Names) -> dict[str, JSON]:
    """Everything that a distributed Map's run is told, evaluated: see `maprun.MapRun`.

    Raises StateError where a path, an expression or a number is wrong.
    """
    filtered = filtered_input(state, names)
    seen = names.with_input(filtered)
    allowed = tolerance(state, seen)
    asked: dict[str, JSON] = {
        "MaxConcurrency": max_concurrency(state, seen) or None,
        "ToleratedFailureCount": allowed.count,
        "ToleratedFailurePercentage": allowed.percentage,
        "Label": state.label,
        "ExecutionType": state.execution_type,
    }
    if state.item_reader is None:
        asked["Items"] = items(state, filtered, names)
    else:
        asked["ItemReader"] = item_reader(state, state.item_reader, seen)
    if state.item_batcher is not None:
        asked["ItemBatcher"] = item_batcher(state.item_batcher, seen)
    if state.result_writer is not None:
        asked["ResultWriter"] = result_writer(state, state.result_writer, seen)
    if state.item_selector is not None and state.input_path != ROOT:
        asked["Input"] = filtered
    return {name: value for name, value in asked.items() if value is not None}


def item_reader(state: Map, reader: ItemReader, names: Names) -> dict[str, JSON]:
    """What *state*'s *reader* is to read: its Parameters or Arguments evaluated."""
    return {
        "Resource": reader.resource,
        "Parameters": _evaluated(reader.parameters, names, f"ItemReader/{_arguments(state)}"),
        "ReaderConfig": dict(reader.config),
        "MaxItems": max_items(state, names) or None,
    }


def item_batcher(batcher: ItemBatcher, names: Names) -> dict[str, JSON]:
    """How *batcher* groups items: those of its members that are given, evaluated."""
    limits = {
        "BatchInput": None
        if batcher.batch_input is None
        else batcher.batch_input.evaluate(names, "ItemBatcher/BatchInput"),
        "MaxItemsPerBatch": _limit(batcher.max_items_per_batch, names, "MaxItemsPerBatchPath"),
        "MaxInputBytesPerBatch": _limit(
            batcher.max_input_bytes_per_batch, names, "MaxInputBytesPerBatchPath"
        ),
    }
    return {name: value for name, value in limits.items() if value is not None}


def result_writer(state: Map, writer: ResultWriter, names: Names) -> dict[str, JSON]:
    """Where *state*'s *writer* is to write: its Parameters or Arguments evaluated."""
    return {
        "Resource": writer.resource,
        "Parameters": _evaluated(writer.parameters, names, f"ResultWriter/{_arguments(state)}"),
        "WriterConfig": dict(writer.config),
    }


def _arguments(state: Map) -> str:
    return "Arguments" if state.query_language == "JSONata" else "Parameters"


def _evaluated(template: Expression | None, names: Names, field: str) -> JSON:
    return {} if template is None else template.evaluate(names, field)


def _limit(value: int | Expression | None, names: Names, field: str) -> int | None:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Jsonata):
        return _number_in(value, names, f"ItemBatcher/{field.removesuffix('Path')}", 1, 99_999_999)
    number = _whole(value, names, field)
    if number <= 0:
        raise runtime_error(f"{field.removesuffix('Path')} must be positive.")
    return number
