"""What an expression may refer to at one moment of one state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from django_workflows.asl.values import JSON


class Names:
    """The documents behind ``$``, ``$$`` and ``$variable``, and the moment's chance.

    ``context`` and ``chance`` are made when first asked for: most states use
    neither. A `Names` lives for one evaluation moment; two expressions in it
    draw from one stream, so two ``States.UUID()`` in a template differ.
    """

    __slots__ = ("_chance", "_context", "_make_chance", "_make_context", "input", "variables")

    def __init__(
        self,
        *,
        input: JSON,
        context: Callable[[], JSON],
        variables: Mapping[str, JSON],
        chance: Callable[[], Random],
    ) -> None:
        self.input = input
        self.variables = variables
        self._make_context = context
        self._make_chance = chance
        self._context: JSON = None
        self._chance: Random | None = None

    @property
    def context(self) -> JSON:
        """The Context Object, what ``$$`` stands for."""
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
        names = Names(
            input=input,
            context=self._make_context,
            variables=self.variables,
            chance=lambda: self.chance,
        )
        names._context = self._context
        return names
