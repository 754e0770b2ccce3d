"""Responses are JSON, whatever the client says it would rather have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request


class ASCIIJSONRenderer(JSONRenderer):
    """JSON in ASCII: lone surrogates in a payload have no UTF-8, but an escape."""

    ensure_ascii = True
    strict = True


class AlwaysJSON(DefaultContentNegotiation):
    """The first renderer, always: there is one form, and 406 would help nobody."""

    def select_renderer(
        self,
        request: Request,
        renderers: Sequence[BaseRenderer],  # type: ignore[override]
        format_suffix: str | None = None,
    ) -> tuple[Any, str]:
        renderer = renderers[0]
        return renderer, str(renderer.media_type)
