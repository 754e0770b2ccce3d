"""What an expression may refer to at one moment of one state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from django_workflows.asl.values import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonataLimits:
    """How far one JSONata evaluation may go. All but the time are AWS's, as measured."""

    timeout_seconds: float = 2.0
    depth: int = 100
    array_length: int = 873_782
    #: In bytes of UTF-8.
    string_length: int = 4_194_304
    result_bytes: int = 16_777_216


DEFAULT_JSONATA_LIMITS = JsonataLimits()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Names:
    """The documents behind ``$``, ``$$`` and ``$variable``, and the moment's chance.

    ``context`` and ``chance`` are made when first asked for: most states use
    neither. A `Names` lives for one evaluation moment; two expressions in it
    draw from one stream, so two ``States.UUID()`` in a template differ.
    """

    __slots__ = (
        "_chance",
        "_context",
        "_make_chance",
        "_make_context",
        "input",
        "jsonata",
        "now",
        "states",
        "variables",
    )

    def __init__(
        self,
        *,
        input: JSON,
        context: Callable[[], JSON],
        variables: Mapping[str, JSON],
        chance: Callable[[], Random],
        states: Mapping[str, JSON] | None = None,
        now: datetime = EPOCH,
        jsonata: JsonataLimits = DEFAULT_JSONATA_LIMITS,
    ) -> None:
        self.input = input
        self.variables = variables
        #: What ``$states`` has besides ``input`` and ``context``: ``result`` or ``errorOutput``.
        self.states: Mapping[str, JSON] = states or {}
        #: What ``$now()`` and ``$millis()`` tell.
        self.now = now
        self.jsonata = jsonata
        self._make_context = context
        self._make_chance = chance
        self._context: JSON = None
        self._chance: Random | None = None

    @property
    def context(self) -> JSON:
        """The Context Object, what ``$$`` and ``$states.context`` stand for."""
        if self._context is None:
            self._context = self._make_context()
        return self._context

    @property
    def chance(self) -> Random:
        """Where random draws come from: derived from the execution's seed."""
        if self._chance is None:
            self._chance = self._make_chance()
        return self._chance

    def with_input(self, input: JSON) -> Names:
        """The same names with another document behind ``$``."""
        return self._but(input, self.states)

    def with_states(self, **states: JSON) -> Names:
        """The same names with *states* in ``$states``: ``result`` or ``errorOutput``."""
        return self._but(self.input, states)

    def _but(self, input: JSON, states: Mapping[str, JSON]) -> Names:
        names = Names(
            input=input,
            context=self._make_context,
            variables=self.variables,
            chance=lambda: self.chance,
            states=states,
            now=self.now,
            jsonata=self.jsonata,
        )
        names._context = self._context
        return names
