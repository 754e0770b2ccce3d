"""Executions: the list, the page of one, its events, and the pages behind its buttons."""

from __future__ import annotations

import contextlib
import math
import uuid
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_workflows import asl, engine, models, permissions, timeline
from django_workflows.admin import display, drawing, history, pending
from django_workflows.admin.forms import StartAgainForm
from django_workflows.admin.pages import WorkflowsModelAdmin
from django_workflows.admin.pending import Button
from django_workflows.admin.steering import STEERINGS, Steering
from django_workflows.permissions import Action


class MapItemsFilter(admin.SimpleListFilter):
    """A distributed Map's items are listed when asked for: there may be thousands."""

    title = gettext_lazy("items of Maps")
    parameter_name = "items"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("only", gettext_lazy("Only these"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(map_run__isnull=self.value() != "only")

    def choices(self, changelist: Any) -> Any:
        """The first choice is to leave them out, not to show all."""
        first, *others = super().choices(changelist)
        yield {**first, "display": gettext_lazy("Without")}
        yield from others


class ExecutionAdmin(WorkflowsModelAdmin):
    list_display = (
        "status_mark",
        "workflow_version",
        "name",
        "waiting",
        "states",
        "started",
        "duration",
    )
    list_display_links = ("name",)
    list_filter = (
        "status",
        ("workflow", admin.RelatedFieldListFilter),
        "waiting_for",
        MapItemsFilter,
    )
    search_fields = ("name",)
    search_help_text = gettext_lazy("Part of a name, or a whole id")
    ordering = ("-started_at", "id")
    list_per_page = 50
    actions = None
    show_full_result_count = False
    # Counting every filter's rows would read the whole table.
    show_facets = admin.ShowFacets.NEVER

    # -- the list

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Execution]:
        return (
            permissions.visible_executions(request.user)
            .select_related("workflow", "definition")
            .defer("input", "output", "cause", "workflow__description", "definition__source")
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        with contextlib.suppress(ValueError):
            return queryset.filter(pk=uuid.UUID(search_term.strip())), False
        return super().get_search_results(request, queryset, search_term)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # What is hidden in an input or an output must not be found out by filtering on it.
        if lookup.partition("__")[0] in ("input", "output"):
            return False
        return super().lookup_allowed(lookup, value, request)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def status_mark(self, execution: models.Execution) -> str:
        return display.status_mark(execution.status)

    @admin.display(description=gettext_lazy("workflow"), ordering="workflow__name")
    def workflow_version(self, execution: models.Execution) -> str:
        return f"{execution.workflow.name}@{execution.definition.version}"

    @admin.display(description=gettext_lazy("waiting for"), ordering="waiting_since")
    def waiting(self, execution: models.Execution) -> str:
        if not execution.waiting_for:
            return "–"
        since = execution.waiting_since or execution.updated_at
        return format_html(
            '{} <span class="wf-quiet">{}</span>',
            display.waiting_mark(execution.waiting_for),
            display.length(timezone.now() - since),
        )

    @admin.display(description=gettext_lazy("current states"))
    def states(self, execution: models.Execution) -> str:
        return Truncator(execution.current_states).chars(60) or "–"

    @admin.display(description=gettext_lazy("started"), ordering="started_at")
    def started(self, execution: models.Execution) -> str:
        return date_format(timezone.localtime(execution.started_at), "Y-m-d H:i:s")

    @admin.display(description=gettext_lazy("duration"))
    def duration(self, execution: models.Execution) -> str:
        return display.length((execution.ended_at or timezone.now()) - execution.started_at)

    # -- who may

    def has_view_permission(
        self, request: HttpRequest, obj: models.Execution | None = None
    ) -> bool:
        return permissions.allows(request.user, Action.VIEW, execution=obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: models.Execution | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: models.Execution | None = None
    ) -> bool:
        return False

    # -- where

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path(
                "<uuid:execution_id>/event/<int:seq>/",
                wrap(self.event_view),
                name="django_workflows_execution_event",
            ),
            path(
                "<uuid:execution_id>/start_again/",
                wrap(self.start_again_view),
                name="django_workflows_execution_start_again",
            ),
        ]
        for steering in STEERINGS:
            number = "<int:number>/" if steering.answers else ""
            own.append(
                path(
                    f"<uuid:execution_id>/{steering.name}/{number}",
                    wrap(partial(self.steering_view, steering=steering)),
                    name=f"django_workflows_execution_{steering.name}",
                )
            )
        return own + super().get_urls()

    def _visible(self, request: HttpRequest, execution_id: Any) -> models.Execution:
        """The execution, for somebody who may see it; with what asking permissions needs."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            key = uuid.UUID(str(execution_id))
        except ValueError:
            raise Http404 from None
        executions = (
            permissions.visible_executions(request.user)
            .select_related("workflow", "definition", "started_by")
            .defer("definition__source", "workflow__description")
            .prefetch_related("workflow__start_groups", "workflow__operate_groups")
        )
        execution = executions.filter(pk=key).first()
        if execution is None:
            raise Http404
        return execution

    # -- the page

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """All of one execution, to be read."""
        execution = self._visible(request, object_id)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        now = timezone.now()
        broken, everything = "", pending.Everything()
        if execution.is_running:
            try:
                state = engine.load(execution.pk)
            except engine.CorruptLog as error:
                broken = str(error)
            else:
                finder = pending.Finder(execution, state, request.user, now, self.url)
                everything = finder.everything()
        page, pages = _timeline_page(request, execution)
        first = (page - 1) * history.TIMELINE_EVENTS + 1
        bars = timeline.bars(
            history.glance(execution.pk, range(first, first + history.TIMELINE_EVENTS)),
            now if page == pages else _end_of(execution, first),
            queued=everything.queued,
            waiting=everything.waiting,
        )
        after = _number(request.GET.get("after"), 0)
        lines = history.Reader(request.user, execution).lines(after=after)
        return self.page(
            request,
            "execution.html",
            title=str(execution),
            execution=execution,
            original=execution,
            status_mark=display.status_mark(execution.status),
            duration=self.duration(execution),
            buttons=self._buttons(request, execution),
            broken=broken,
            pending=everything,
            picture=drawing.picture(bars),
            timeline_page=page,
            timeline_pages=pages,
            lines=lines,
            after=after,
            previous_after=max(after - history.TABLE_EVENTS, 0) if after else None,
            next_after=lines[-1].seq if lines and lines[-1].seq < execution.seq else None,
            documents=_documents(execution),
            cause=display.legible(models.without_tokens(execution.cause)),
        )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._visible(request, object_id)
        return super().history_view(request, object_id, extra_context)

    def _buttons(self, request: HttpRequest, execution: models.Execution) -> list[Button]:
        buttons = []
        for steering in STEERINGS:
            if steering.answers:
                continue
            refusal = permissions.refusal(request.user, steering.action, execution=execution)
            buttons.append(
                Button(
                    label=str(steering.label),
                    url=self.url(f"execution_{steering.name}", execution.pk),
                    refusal=refusal or _no_use(steering, execution),
                )
            )
        buttons.append(
            Button(
                label=_("Start again with the same input"),
                url=self.url("execution_start_again", execution.pk),
                refusal=permissions.refusal(
                    request.user, Action.START, workflow=execution.workflow
                ),
            )
        )
        return buttons

    def event_view(self, request: HttpRequest, execution_id: uuid.UUID, seq: int) -> HttpResponse:
        """One event with all its fields, however large."""
        execution = self._visible(request, execution_id)
        event = execution.events.filter(seq=seq).first()
        if event is None:
            raise Http404
        fields = history.Reader(request.user, execution).fields_of(event)
        return self.page(
            request,
            "event.html",
            title=_("Event %(seq)s: %(type)s") % {"seq": event.seq, "type": event.type},
            execution=execution,
            event=event,
            fields=display.document(fields),
            previous=seq - 1 if seq > 1 else None,
            next=seq + 1 if seq < execution.seq else None,
        )

    # -- its buttons

    def steering_view(
        self,
        request: HttpRequest,
        execution_id: uuid.UUID,
        number: int = 0,
        *,
        steering: Steering,
    ) -> HttpResponse:
        """A page that asks for the reason; what is posted is sent as a command."""
        execution = self._visible(request, execution_id)
        back = HttpResponseRedirect(self.url("execution_change", execution.pk))
        event = self._answered(request, execution, number, steering) if steering.answers else None
        task = execution.tasks.filter(seq=number).first() if steering.answers else None
        if task is not None:
            task.execution = execution
        permissions.authorize(self.actor(request), steering.action, execution=execution, task=task)
        form = steering.form(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                self._send(request, execution, number, steering, form, event)
            except permissions.NotAllowed:
                raise
            except (asl.CommandRejected, asl.InvalidValue) as error:
                self._say_nothing_was_done(request, error)
            return back
        return self.page(
            request,
            "steering.html",
            title=str(steering.label),
            steering=steering,
            execution=execution,
            event=event,
            form=form,
            back=back.url,
            is_grave=steering.name in ("stop", "fail_task"),
        )

    def _answered(
        self, request: HttpRequest, execution: models.Execution, number: int, steering: Steering
    ) -> history.Line:
        """The task or wait that a command is about. Raises Http404 where it is not to be seen."""
        event = execution.events.filter(seq=number, type__in=steering.answers).first()
        if event is None:
            raise Http404
        reader = history.Reader(request.user, execution)
        fields = event.public_fields
        if history.is_approval(event, fields) and not reader.is_asked(fields.get("input")):
            raise Http404
        return reader.line(event)

    def _send(
        self,
        request: HttpRequest,
        execution: models.Execution,
        number: int,
        steering: Steering,
        form: Any,
        event: history.Line | None,
    ) -> None:
        reason = form.cleaned_data["reason"]
        command = steering.command(form.cleaned_data, number)
        done = str(steering.done)
        if event is not None:
            done %= {"state": event.state}
        with transaction.atomic():
            engine.send(execution.pk, command, actor=self.actor(request, reason))
            self.log_deed(request, execution, done, reason)
        messages.success(request, done)

    def _say_nothing_was_done(self, request: HttpRequest, error: Exception) -> None:
        messages.error(
            request,
            _("Nothing was done, somebody may have been faster: %(why)s.")
            % {"why": display.legible(str(error)).rstrip(".")},
        )

    def start_again_view(self, request: HttpRequest, execution_id: uuid.UUID) -> HttpResponse:
        """Start the workflow's current version with the input that this one had."""
        execution = self._visible(request, execution_id)
        permissions.authorize(self.actor(request), Action.START, workflow=execution.workflow)
        form = StartAgainForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            response = self._start_again(request, execution, form)
            if response is not None:
                return response
        return self.page(
            request,
            "steering.html",
            title=_("Start again with the same input"),
            steering={
                "explanation": _(
                    "A new execution of the workflow's current version is started with this input."
                )
            },
            execution=execution,
            form=form,
            document=display.document(execution.input),
            back=self.url("execution_change", execution.pk),
        )

    def _start_again(
        self, request: HttpRequest, execution: models.Execution, form: StartAgainForm
    ) -> HttpResponse | None:
        """The answer to a start that succeeded; None where *form* now says why it did not."""
        reason = form.cleaned_data["reason"]
        name = form.cleaned_data["name"] or None
        if name is not None and execution.workflow.executions.filter(name=name).exists():
            form.add_error("name", _("There is an execution of this name already."))
            return None
        try:
            with transaction.atomic():
                fresh = engine.start(
                    execution.workflow,
                    execution.input,
                    name=name,
                    actor=self.actor(request, reason),
                )
                self.log_addition(request, fresh, f"{_('Started again.')} {reason}".strip())
        except permissions.NotAllowed:
            raise
        except (asl.CommandRejected, asl.InvalidValue) as error:
            form.add_error(None, str(error))
            return None
        messages.success(
            request,
            format_html(_("Started {} with the input of {}."), str(fresh), str(execution)),
        )
        return HttpResponseRedirect(self.url("execution_change", fresh.pk))


def _no_use(steering: Steering, execution: models.Execution) -> str | None:
    """Why a button of the whole execution would do nothing."""
    if steering.action is Action.STOP and not execution.is_running:
        return _("it has ended")
    if steering.action is Action.REDRIVE and execution.is_running:
        return _("it is running")
    if steering.action is Action.REDRIVE and execution.status == models.Status.SUCCEEDED:
        return _("it has succeeded")
    return None


def _timeline_page(request: HttpRequest, execution: models.Execution) -> tuple[int, int]:
    """Which stretch of the events is drawn, the last one unless asked, and of how many."""
    pages = max(math.ceil(execution.seq / history.TIMELINE_EVENTS), 1)
    page = _number(request.GET.get("timeline"), pages)
    return min(max(page, 1), pages), pages


def _end_of(execution: models.Execution, first: int) -> Any:
    """The moment of the last event of the stretch that begins with event *first*."""
    last = execution.events.filter(seq=first + history.TIMELINE_EVENTS - 1)
    return last.values_list("at", flat=True).get()


def _number(text: str | None, default: int) -> int:
    try:
        number = int(text or "")
    except ValueError:
        return default
    return number if 0 <= number <= 2**31 - 1 else default


def _documents(execution: models.Execution) -> list[tuple[str, display.Document]]:
    documents = [(_("Input"), display.document(execution.input))]
    if execution.status == models.Status.SUCCEEDED:
        documents.append((_("Output"), display.document(execution.output)))
    return documents
