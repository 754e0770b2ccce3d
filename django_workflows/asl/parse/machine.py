"""Machines and their states: the document, made into `definition`'s classes.

Read from the top down, each object by its own small function; which fields it
may have is in `fields`. What can only be said of a whole machine (where its
states lead, which variables it assigns) is left to `graph` and `variables`,
which look at the `Scope`s gathered here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from django_workflows.asl.definition import (
    Choice,
    Expression,
    Fail,
    ItemBatcher,
    ItemReader,
    Map,
    Parallel,
    Pass,
    QueryLanguage,
    ResultWriter,
    State,
    StateMachine,
    Succeed,
    Task,
    Wait,
)
from django_workflows.asl.expressions import jsonata
from django_workflows.asl.parse import fields as tables
from django_workflows.asl.parse import resources
from django_workflows.asl.parse.handling import catchers, retriers
from django_workflows.asl.parse.reading import MAX_SECONDS, Fields
from django_workflows.asl.parse.report import (
    DUPLICATE_LABEL_NAME,
    DUPLICATE_STATE_NAME,
    INVALID_LABEL_NAME,
    INVALID_STATE_NAME,
    TOO_DEEPLY_NESTED,
    Report,
    quoted,
    shown,
)
from django_workflows.asl.parse.rules import choice_rule
from django_workflows.asl.values import JSON

MachineType = Literal["STANDARD", "EXPRESS"]

#: How deep Parallel and Map states may nest. AWS has a limit (TOO_DEEPLY_NESTED)
#: that it does not publish; published definitions reach six.
MAX_MACHINE_LEVELS: Final = 20
#: Source: ASL specification, "States": "between 1 and 80 Unicode characters".
MAX_NAME_LENGTH: Final = 80
#: Source: AWS developer guide, "Label" of the distributed Map state.
MAX_LABEL_LENGTH: Final = 40
_FORBIDDEN_IN_LABELS: Final = frozenset('?*<>{}[]:;,\\|^~$#%&`"')
#: Source: AWS developer guide, "MaxItems" and "MaxInputBytesPerBatch".
_MAX_ITEMS: Final = 100_000_000
_MAX_BATCH_BYTES: Final = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One machine: the states that can lead to one another and share variables."""

    pointer: str
    start_at: JSON
    states: dict[str, JSON]
    #: The scope whose variables are seen in here; None outside, and in a
    #: distributed Map, whose child executions see nothing of their parent.
    outer: Scope | None
    #: The query language of the states that don't choose one.
    language: QueryLanguage
    #: What the states were read as, but for those that could not be.
    read: dict[str, State]

    def language_of(self, state: JSON) -> QueryLanguage:
        """The query language that *state* of this scope is in."""
        chosen = state.get("QueryLanguage") if isinstance(state, dict) else None
        return chosen if chosen in tables.QUERY_LANGUAGES else self.language


@dataclass(slots=True)
class Reader:
    """One reading of one definition: what is gathered on the way."""

    report: Report
    machine_type: MachineType
    #: The whole definition's query language.
    language: QueryLanguage = "JSONPath"
    scopes: list[Scope] = field(default_factory=list)
    #: Where each state's name is, over the whole definition.
    names: dict[str, str] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)

    def machine(self, document: dict[str, JSON]) -> StateMachine | None:
        """The whole definition; None where its query language can't be read."""
        top = Fields(document, "", self.report)
        language = self._query_language(top, "JSONPath")
        if language is None:
            return None
        self.language = language
        top.only(tables.MACHINE_FIELDS)
        top.choice("Version", ("1.0",))
        return self._machine(
            top,
            language,
            outer=None,
            level=1,
            timeout_seconds=top.integer("TimeoutSeconds", 1, MAX_SECONDS),
        )

    def state_alone(self, document: dict[str, JSON], name: str) -> State | None:
        """A state outside of any machine, to be called *name*; None where it can't be read."""
        top = Fields(document, "", self.report)
        return self._state(name, top, _Surroundings(scope=None, language=self.language, level=1))

    # --- Machines ---

    def _inner_machine(
        self, inner: Fields, allowed: frozenset[str], surroundings: _Surroundings
    ) -> StateMachine:
        inner.only(allowed)
        language = self._query_language(inner, surroundings.language)
        if language is None:
            return _NO_MACHINE
        if surroundings.level >= MAX_MACHINE_LEVELS:
            self.report.error(
                inner.pointer,
                f"Parallel and Map states nest deeper than {MAX_MACHINE_LEVELS} levels",
                code=TOO_DEEPLY_NESTED,
            )
            return _NO_MACHINE
        return self._machine(
            inner, language, outer=surroundings.scope, level=surroundings.level + 1
        )

    def _machine(
        self,
        machine: Fields,
        language: QueryLanguage,
        *,
        outer: Scope | None,
        level: int,
        timeout_seconds: int | None = None,
    ) -> StateMachine:
        machine.require("States", "StartAt")
        start_at = machine.text("StartAt")
        states = machine.object("States")
        found: dict[str, State] = {}
        if states is not None:
            if not states.members:
                machine.wrong("States", "Value cannot be empty: a machine has at least one state")
            scope = Scope(
                pointer=machine.pointer,
                start_at=start_at,
                states=states.members,
                outer=outer,
                language=language,
                read=found,
            )
            self.scopes.append(scope)
            surroundings = _Surroundings(scope=scope, language=language, level=level)
            for name in states.members:
                self._check_name(name, states)
                state = states.object(name)
                if state is not None:
                    read = self._state(name, state, surroundings)
                    if read is not None:
                        found[name] = read
        return StateMachine(
            start_at=start_at or "",
            states=found,
            comment=machine.text("Comment"),
            timeout_seconds=timeout_seconds,
            query_language=language,
        )

    def _query_language(self, holder: Fields, default: QueryLanguage) -> QueryLanguage | None:
        """The query language that *holder* is in; None where that can't be read."""
        if "QueryLanguage" not in holder:
            return default
        chosen = holder.choice("QueryLanguage", tables.QUERY_LANGUAGES)
        if chosen == "JSONPath" and self.language == "JSONata":
            holder.wrong(
                "QueryLanguage",
                "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",
            )
            return None
        return cast(QueryLanguage | None, chosen)

    def _check_name(self, name: str, states: Fields) -> None:
        pointer = states.at(name)
        if not name or len(name) > MAX_NAME_LENGTH:
            self.report.error(
                pointer,
                f"a state's name has 1 to {MAX_NAME_LENGTH} characters,"
                f" {shown(name)} has {len(name)}",
                code=INVALID_STATE_NAME,
                at_name=True,
            )
        elif any(
            letter < " " or letter == "\x7f" or "\ud800" <= letter <= "\udfff" for letter in name
        ):
            self.report.error(
                pointer,
                f"a state's name has no control characters and no lone surrogates,"
                f" found {shown(name)}",
                code=INVALID_STATE_NAME,
                at_name=True,
            )
        first = self.names.setdefault(name, pointer)
        if first != pointer:
            self.report.error(
                pointer,
                f"Duplicate State name: {shown(name)} is at {first} already; a name is unique"
                " in the whole definition",
                code=DUPLICATE_STATE_NAME,
                at_name=True,
            )

    # --- States ---

    def _state(self, name: str, state: Fields, surroundings: _Surroundings) -> State | None:
        language = self._query_language(state, surroundings.language)
        state.require("Type")
        kind = state.choice("Type", tables.STATE_TYPES)
        if language is None or kind is None:
            return None
        state.language = language
        allowed = tables.STATE_FIELDS[kind, language]
        if not state.members.keys() <= allowed:
            for member in state.members:
                if member not in allowed:
                    state.unsupported(member, allowed, tables.why_not(member, kind, language))
        return _STATES[kind](self, state, surroundings, self._shared(name, state, kind, language))

    def _shared(
        self, name: str, state: Fields, kind: str, language: QueryLanguage
    ) -> dict[str, Any]:
        """What states of all types have; a field this one may not have keeps its default."""
        shared: dict[str, Any] = {
            "name": name,
            "pointer": state.pointer,
            "comment": state.text("Comment"),
            "query_language": language,
        }
        if "Next" in tables.STATE_FIELDS[kind, language]:
            shared["next"] = _next(state)
        members = state.members
        if "InputPath" in members:
            shared["input_path"] = state.path_or_null("InputPath")
        if "OutputPath" in members:
            shared["output_path"] = state.path_or_null("OutputPath")
        if "ResultPath" in members:
            shared["result_path"] = state.result_path()
        if "Parameters" in members and kind != "Map":
            shared["parameters"] = state.template("Parameters")
        if "ResultSelector" in members:
            shared["result_selector"] = state.template("ResultSelector", must_be_object=True)
        if language == "JSONata":
            if "Arguments" in members:
                shared["arguments"] = state.template("Arguments")
            if "Output" in members:
                shared["output"] = state.template("Output")
        if "Assign" in members:
            shared["assign"] = state.template("Assign", must_be_object=True)
        if "Retry" in members:
            shared["retry"] = retriers(state)
        if "Catch" in members:
            shared["catch"] = catchers(state)
        return shared

    def _pass(self, state: Fields, _: _Surroundings, shared: dict[str, Any]) -> Pass:
        return Pass(**shared, has_result="Result" in state, result=state.members.get("Result"))

    def _task(self, state: Fields, _: _Surroundings, shared: dict[str, Any]) -> Task:
        state.require("Resource")
        timeout = state.seconds("TimeoutSeconds", 1)
        heartbeat = state.seconds("HeartbeatSeconds", 1)
        if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
            state.wrong(
                "HeartbeatSeconds",
                f"expected less than TimeoutSeconds, which is {timeout}, found {heartbeat}",
            )
        credentials = state.members.get("Credentials")
        if isinstance(credentials, dict) and not (
            "RoleArn" in credentials
            or (state.language == "JSONPath" and "RoleArn.$" in credentials)
        ):
            state.wrong("Credentials", "The field 'RoleArn' is required but was missing")
        return Task(
            **shared,
            resource=self._resource(state),
            timeout_seconds=timeout,
            heartbeat_seconds=heartbeat,
            credentials=state.template("Credentials", must_be_object=True),
        )

    def _resource(self, holder: Fields) -> str:
        resource = holder.text("Resource")
        if resource is None:
            return ""
        problem = resources.problem_with(resource)
        if problem is not None:
            holder.wrong("Resource", problem)
        if self.machine_type == "EXPRESS":
            problem = resources.problem_in_express(resource)
            if problem is not None:
                holder.wrong("Resource", problem)
        return resource

    def _choice(self, state: Fields, _: _Surroundings, shared: dict[str, Any]) -> Choice:
        state.require("Choices")
        return Choice(
            **shared,
            choices=tuple(choice_rule(rule) for rule in state.objects("Choices")),
            default=state.text("Default"),
        )

    def _wait(self, state: Fields, _: _Surroundings, shared: dict[str, Any]) -> Wait:
        forms = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")
        allowed = [name for name in forms if name in tables.STATE_FIELDS["Wait", state.language]]
        match state.one_of(*allowed, required=True):
            case "Seconds":
                seconds = state.computed(
                    "Seconds", lambda: state.integer("Seconds", 0, MAX_SECONDS)
                )
                return Wait(**shared, seconds=seconds)
            case "Timestamp":
                timestamp = state.computed("Timestamp", lambda: state.timestamp("Timestamp"))
                return Wait(**shared, timestamp=timestamp)
            case "TimestampPath":
                return Wait(**shared, timestamp=state.reference_path("TimestampPath"))
            case _:
                return Wait(**shared, seconds=state.reference_path("SecondsPath"))

    def _succeed(self, _state: Fields, _: _Surroundings, shared: dict[str, Any]) -> Succeed:
        return Succeed(**shared)

    def _fail(self, state: Fields, _: _Surroundings, shared: dict[str, Any]) -> Fail:
        return Fail(
            **shared,
            error=state.text_or_expression("Error"),
            cause=state.text_or_expression("Cause"),
        )

    def _parallel(
        self, state: Fields, surroundings: _Surroundings, shared: dict[str, Any]
    ) -> Parallel:
        state.require("Branches")
        return Parallel(
            **shared,
            branches=tuple(
                self._inner_machine(branch, tables.BRANCH_FIELDS, surroundings)
                for branch in state.objects("Branches")
            ),
        )

    # --- Map ---

    def _map(self, state: Fields, surroundings: _Surroundings, shared: dict[str, Any]) -> Map:
        form = state.one_of("ItemProcessor", "Iterator")
        processor = None
        if form is None:
            state.require("ItemProcessor")
        else:
            processor = state.object(form)
        mode, execution_type = self._processor_config(processor)
        if mode == "DISTRIBUTED":
            # Its child executions see none of the variables out here.
            surroundings = _Surroundings(
                scope=None, language=surroundings.language, level=surroundings.level
            )
        selector = state.one_of("ItemSelector", "Parameters")
        return Map(
            **shared,
            processor=(
                _NO_MACHINE
                if processor is None
                else self._inner_machine(processor, tables.PROCESSOR_FIELDS, surroundings)
            ),
            mode=mode,
            execution_type=execution_type,
            items=state.path("ItemsPath") if state.language == "JSONPath" else self._items(state),
            item_selector=None if selector is None else state.template(selector),
            max_concurrency=state.count("MaxConcurrency") or 0,
            tolerated_failure_count=state.count("ToleratedFailureCount"),
            tolerated_failure_percentage=state.constant_or_path(
                "ToleratedFailurePercentage",
                lambda: state.number("ToleratedFailurePercentage", 0, 100),
            ),
            label=self._label(state),
            item_reader=self._item_reader(state),
            item_batcher=self._item_batcher(state),
            result_writer=self._result_writer(state),
        )

    def _items(self, state: Fields) -> Expression | None:
        value = state.members.get("Items")
        if "Items" in state and not isinstance(value, list) and not jsonata.is_jsonata(value):
            state.expected("Items", "an array or a JSONata string")
            return None
        return state.template("Items")

    def _processor_config(
        self, processor: Fields | None
    ) -> tuple[Literal["INLINE", "DISTRIBUTED"], MachineType | None]:
        config = None if processor is None else processor.object("ProcessorConfig")
        if config is None:
            return "INLINE", None
        config.only(tables.PROCESSOR_CONFIG_FIELDS)
        mode = config.choice("Mode", ("INLINE", "DISTRIBUTED")) or "INLINE"
        execution_type = config.choice("ExecutionType", ("STANDARD", "EXPRESS"))
        if mode == "DISTRIBUTED":
            config.require("ExecutionType")
            if self.machine_type == "EXPRESS":
                config.wrong("Mode", "Express state machine does not support DISTRIBUTED mode")
        return (
            cast(Literal["INLINE", "DISTRIBUTED"], mode),
            cast(MachineType | None, execution_type),
        )

    def _label(self, state: Fields) -> str | None:
        label = state.text("Label")
        if label is None:
            return None
        if not label or len(label) > MAX_LABEL_LENGTH:
            state.wrong(
                "Label",
                f"a label has 1 to {MAX_LABEL_LENGTH} characters, {shown(label)} has {len(label)}",
                code=INVALID_LABEL_NAME,
            )
        bad = next(
            (it for it in label if it in _FORBIDDEN_IN_LABELS or not it.isprintable() or it == " "),
            None,
        )
        if bad is not None:
            state.wrong(
                "Label",
                f"Label contains invalid character: {bad!r}",
                code=INVALID_LABEL_NAME,
            )
        if label in self.labels:
            state.wrong(
                "Label",
                f"Duplicate Label: {shown(label)} is another Map state's already",
                code=DUPLICATE_LABEL_NAME,
            )
        self.labels.add(label)
        return label

    def _item_reader(self, state: Fields) -> ItemReader | None:
        reader = state.object("ItemReader")
        if reader is None:
            return None
        reader.only_in(tables.READER_FIELDS)
        reader.require("Resource")
        config = reader.object("ReaderConfig")
        return ItemReader(
            resource=self._resource(reader),
            parameters=_parameters(reader),
            config={} if config is None else _reader_config(config),
            max_items=(None if config is None else config.count("MaxItems", _MAX_ITEMS)),
        )

    def _item_batcher(self, state: Fields) -> ItemBatcher | None:
        batcher = state.object("ItemBatcher")
        if batcher is None:
            return None
        batcher.only_in(tables.BATCHER_FIELDS)
        if not any(name.startswith("Max") for name in batcher.members):
            limits = [
                name
                for name in (
                    "MaxItemsPerBatch",
                    "MaxItemsPerBatchPath",
                    "MaxInputBytesPerBatch",
                    "MaxInputBytesPerBatchPath",
                )
                if name in tables.BATCHER_FIELDS[batcher.language]
            ]
            self.report.error(
                batcher.pointer, f"one of {quoted(limits)} is required, none of them is given"
            )
        return ItemBatcher(
            batch_input=batcher.template("BatchInput"),
            max_items_per_batch=batcher.constant_or_path(
                "MaxItemsPerBatch",
                lambda: batcher.integer("MaxItemsPerBatch", 1, _MAX_ITEMS),
            ),
            max_input_bytes_per_batch=batcher.constant_or_path(
                "MaxInputBytesPerBatch",
                lambda: batcher.integer("MaxInputBytesPerBatch", 1, _MAX_BATCH_BYTES),
            ),
        )

    def _result_writer(self, state: Fields) -> ResultWriter | None:
        writer = state.object("ResultWriter")
        if writer is None:
            return None
        writer.only_in(tables.WRITER_FIELDS)
        if not writer.members:
            state.wrong("ResultWriter", "Value cannot be empty")
        config = writer.object("WriterConfig")
        if config is not None:
            config.only(tables.WRITER_CONFIG_FIELDS)
            config.require("OutputType")
            config.choice("OutputType", ("JSON", "JSONL"))
            config.choice("Transformation", ("NONE", "COMPACT", "FLATTEN"))
        return ResultWriter(
            resource=self._resource(writer) or None,
            parameters=_parameters(writer),
            config={} if config is None else config.members,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Surroundings:
    """What a state stands in."""

    scope: Scope | None
    language: QueryLanguage
    level: int


#: Stands in for a machine that could not be read; it is never run.
_NO_MACHINE: Final = StateMachine(start_at="", states={})

_STATES: Final[Mapping[str, Callable[[Reader, Fields, _Surroundings, dict[str, Any]], State]]] = {
    "Task": Reader._task,
    "Wait": Reader._wait,
    "Pass": Reader._pass,
    "Succeed": Reader._succeed,
    "Fail": Reader._fail,
    "Choice": Reader._choice,
    "Parallel": Reader._parallel,
    "Map": Reader._map,
}


def _next(state: Fields) -> str | None:
    """The state that follows; None at an end."""
    ends = state.flag("End")
    following = state.text("Next")
    if ends and "Next" in state:
        state.out_of_place("End", "a state has either 'Next' or 'End': true, this one has both")
    elif "Next" not in state and not ends and ("End" not in state or ends is False):
        found = "neither" if "End" not in state else "'End': false, which ends nothing"
        state.report.error(
            state.pointer,
            f"These fields are required: [Next]: a state has either 'Next' or 'End': true,"
            f" this one has {found}",
        )
    return following


def _parameters(holder: Fields) -> Expression | None:
    """A reader's or writer's Parameters, which JSONata calls Arguments."""
    return holder.template("Arguments" if holder.language == "JSONata" else "Parameters")


def _reader_config(config: Fields) -> dict[str, JSON]:
    config.only_in(tables.READER_CONFIG_FIELDS)
    config.choice("InputType", ("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"))
    location = config.choice("CSVHeaderLocation", ("FIRST_ROW", "GIVEN"))
    config.choice("CSVDelimiter", ("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"))
    config.choice("ManifestType", ("ATHENA_DATA", "S3_INVENTORY"))
    config.choice("Transformation", ("NONE", "LOAD_AND_FLATTEN"))
    config.text("ItemsPointer")
    if location == "GIVEN":
        config.require("CSVHeaders")
    headers = config.members.get("CSVHeaders", [])
    if not isinstance(headers, list) or not all(isinstance(name, str) for name in headers):
        config.expected("CSVHeaders", "an array of strings")
    return {
        name: value
        for name, value in config.members.items()
        if name not in ("MaxItems", "MaxItemsPath")
    }
