"""Fields that take JSON as it is: no text is a number here, and no number a text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.validators import ProhibitNullCharactersValidator
from rest_framework import serializers
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from django_workflows.asl import values
from django_workflows.asl.values import JSON


class Moment(serializers.DateTimeField):
    """RFC 3339 in UTC, whatever the site's time zone and DRF's settings are."""

    def to_representation(self, value: datetime) -> str:
        return values.format_timestamp(value)


class Payload(serializers.Field):
    """Any JSON data; the parser has looked at it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)

    def to_internal_value(self, data: JSON) -> JSON:
        return data

    def to_representation(self, value: JSON) -> JSON:
        return value


class Text(serializers.CharField):
    """A text, without NUL and lone surrogates, for what is looked up in the database."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: JSON) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class AnyText(Text):
    """Any text that JSON can hold, for what is stored inside of events."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        refused = (ProhibitNullCharactersValidator, ProhibitSurrogateCharactersValidator)
        self.validators = [one for one in self.validators if not isinstance(one, refused)]


class Seq(serializers.IntegerField):
    """The number of an event."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=2**31 - 1, **kwargs)

    def to_internal_value(self, data: JSON) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data
