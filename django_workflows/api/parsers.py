"""Request bodies: JSON, strictly, and no more of it than an execution could take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from django_workflows import conf
from django_workflows.api.problems import BodyTooLarge, InvalidJSON
from django_workflows.asl import InvalidValue, values
from django_workflows.asl.values import JSON

#: What a body may hold beside a payload.
_SLACK_BYTES = 65_536
#: How much longer letters get when a client writes them as ``\\uXXXX``: at most
#: two bytes of UTF-8 become six.
_ESCAPED = 3


def max_body_bytes() -> int:
    """How large a request's body may be: any payload fits in, however it is written."""
    return _ESCAPED * conf.current().payload_bytes + _SLACK_BYTES


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it: UTF-8, no NaN, no 1e400, no member twice, not too deep.

    Not DRF's parser: that one has the whole body in memory before it looks at it,
    takes other encodings, and passes numbers on that no JSON text can hold.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> JSON:
        limit = max_body_bytes()
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge(f"The body is larger than {limit} bytes.")
        try:
            return values.loads(body, unique_keys=True)
        except InvalidValue as error:
            raise InvalidJSON(str(error)) from None
