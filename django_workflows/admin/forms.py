"""What people write in the admin, checked: definitions, inputs, reasons."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_workflows import asl, conf, models
from django_workflows.asl import values
from django_workflows.asl.parse import source
from django_workflows.asl.values import JSON
from django_workflows.handlers import MAX_CAUSE, MAX_ERROR


class CodeWidget(forms.Textarea):
    """A monospaced text; a script puts line numbers beside it."""

    def __init__(self, rows: int = 12) -> None:
        super().__init__(
            attrs={
                "class": "vLargeTextField wf-code",
                "rows": rows,
                "cols": 80,
                "spellcheck": "false",
                "autocapitalize": "off",
                "autocomplete": "off",
            }
        )


class CodeField(forms.CharField):
    """A text whose lines and blanks stay as they were written."""

    def __init__(self, *, rows: int = 12, **kwargs: Any) -> None:
        super().__init__(strip=False, widget=CodeWidget(rows), **kwargs)

    def to_python(self, value: Any) -> str:
        # Browsers send lines that end as in DOS.
        return str(super().to_python(value)).replace("\r\n", "\n")


class JSONField(CodeField):
    """JSON data; what is wrong with it is said with its line and column."""

    def clean(self, value: Any) -> JSON:
        text = super().clean(value)
        if not text:  # It is required, or may be left out.
            return {}
        return read_json(text)


def read_json(text: str) -> JSON:
    """The JSON data in *text*, no larger than a payload may be.

    Raises ValidationError, with the line and the column where there is one.
    """
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise ValidationError(
            _("Not JSON: %(why)s at line %(line)s, column %(column)s."),
            params={"why": error.msg, "line": error.lineno, "column": error.colno},
        ) from None
    except (RecursionError, ValueError):
        pass  # values.loads says it better.
    try:
        value = values.loads(text, unique_keys=True)
    except asl.InvalidValue as error:
        raise ValidationError(
            _("Line %(line)s, column %(column)s: %(why)s."),
            params={"why": str(error), **_place_of_trouble(text)},
        ) from None
    limit = conf.current().payload_bytes
    if values.exceeds(value, limit):
        raise ValidationError(
            _("This has %(size)s bytes; at most %(limit)s are allowed."),
            params={"size": values.size(value), "limit": limit},
        )
    return value


def _place_of_trouble(text: str) -> dict[str, int]:
    """Where the first thing is that only some readers of JSON take."""
    places = source.scan(text)
    offsets = [at for _pointer, _name, _first, at in places.repeated]
    offsets += [places.offsets[pointer][1] for pointer, _word in places.bad_numbers]
    if places.too_deep is not None:
        offsets += [places.offsets.get(places.too_deep, (0, 0))[1]]
    line, column = places.line_and_column(min(offsets, default=0))
    return {"line": line, "column": column}


class WorkflowForm(forms.ModelForm):
    """A workflow and the text of its next version."""

    definition = CodeField(
        label=gettext_lazy("Definition"),
        rows=28,
        help_text=gettext_lazy(
            "Amazon States Language, as JSON. Saving a changed definition publishes the"
            " next version; executions that run keep theirs."
        ),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=2000,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("What this version changes, for those who read the list of them."),
    )
    #: The version that the text in the form began as.
    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = models.Workflow
        fields = ("name", "description", "start_groups", "operate_groups")

    #: What is wrong with the definition that was entered.
    problems: tuple[asl.Problem, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = self.instance.current
        if current is not None and not self.is_bound:
            self.initial.setdefault("definition", current.source)
            self.initial.setdefault("based_on", current.version)

    def clean_definition(self) -> str:
        text: str = self.cleaned_data["definition"]
        try:
            asl.parse(text)
        except asl.InvalidDefinition as error:
            self.problems = error.problems
            raise ValidationError(
                _("This is no valid definition. What is wrong with it stands above.")
            ) from None
        return text

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        current = self.instance.current
        based_on = self.cleaned_data.get("based_on")
        if current is not None and based_on is not None and based_on != current.version:
            self.add_error(
                "definition",
                ValidationError(
                    _(
                        "Meanwhile version %(current)s was published; this text began as"
                        " version %(based_on)s. Compare them, and open the page anew."
                    ),
                    params={"current": current.version, "based_on": based_on},
                ),
            )
        return cleaned


class ReasonForm(forms.Form):
    """Why somebody does what they do."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=2000,
        widget=AdminTextareaWidget(attrs={"rows": 3}),
        help_text=gettext_lazy("It is kept with the events, and everyone sees it who sees them."),
    )


class NamedForm(ReasonForm):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        required=False,
        max_length=80,
        validators=[models.validate_name],
        widget=AdminTextInputWidget,
        help_text=gettext_lazy(
            "Leave it empty and one is made. Each name is there once in a workflow:"
            " starting twice with the same name and input starts one execution."
        ),
    )


class StartForm(NamedForm):
    input = JSONField(
        label=gettext_lazy("Input"),
        required=False,
        initial="{}",
        help_text=gettext_lazy("Any JSON data."),
    )

    field_order = ("input", "name", "reason")


class StartAgainForm(NamedForm):
    field_order = ("name", "reason")


class CompleteForm(ReasonForm):
    result = JSONField(
        label=gettext_lazy("Result"),
        initial="{}",
        help_text=gettext_lazy("What the task is to have returned: any JSON data."),
    )

    field_order = ("result", "reason")


class FailForm(ReasonForm):
    error = forms.CharField(
        label=gettext_lazy("Error"),
        max_length=MAX_ERROR,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("The Error Name that the definition's Retry and Catch look for."),
    )
    cause = forms.CharField(
        label=gettext_lazy("Cause"),
        required=False,
        max_length=MAX_CAUSE,
        widget=AdminTextareaWidget(attrs={"rows": 3}),
    )

    field_order = ("error", "cause", "reason")


class DecisionForm(forms.Form):
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        max_length=10_000,
        widget=AdminTextareaWidget(attrs={"rows": 4}),
        help_text=gettext_lazy("It becomes part of the result, and is kept."),
    )
    decision = forms.CharField(required=False, strip=False)
    #: Which task was on the page: its row is gone once it is decided.
    execution = forms.UUIDField(required=False)
    task = forms.IntegerField(required=False, min_value=1, max_value=2**31)
