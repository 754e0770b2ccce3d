"""Approvals: the inbox of those they ask, and the page on which they decide.

Whoever an approval does not ask finds nothing here: neither in the list nor by
its address, and it makes no difference whether there is one.
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_workflows import asl, engine, models, permissions
from django_workflows.admin import display, history, pending
from django_workflows.admin.forms import DecisionForm
from django_workflows.admin.pages import WorkflowsModelAdmin
from django_workflows.permissions import Action

#: What an approval's Parameters say to the engine; all else is for those who decide.
_OWN_PARAMETERS = {"Title", "Instructions", "Users", "Groups", "Decisions"}


class TaskAdmin(WorkflowsModelAdmin):
    """The open approvals that somebody may decide; everyone on the staff may look."""

    list_display = ("heading", "workflow_name", "execution_name", "asks", "created_at", "deadline")
    list_display_links = ("heading",)
    list_select_related = ("execution__workflow",)
    search_fields = ("title", "execution__name")
    ordering = ("created_at", "id")
    actions = None
    show_full_result_count = False

    # -- the list

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Task]:
        return (
            permissions.inbox(request.user)
            .select_related("execution__workflow")
            .prefetch_related("candidates")
            .defer("instructions", "execution__input", "execution__output", "execution__cause")
        )

    @admin.display(description=gettext_lazy("approval"), ordering="title")
    def heading(self, task: models.Task) -> str:
        return display.legible(task.title or task.state)

    @admin.display(description=gettext_lazy("workflow"), ordering="execution__workflow__name")
    def workflow_name(self, task: models.Task) -> str:
        return task.execution.workflow.name

    @admin.display(description=gettext_lazy("execution"), ordering="execution__name")
    def execution_name(self, task: models.Task) -> str:
        return task.execution.name

    @admin.display(description=gettext_lazy("asks"))
    def asks(self, task: models.Task) -> str:
        return pending.asked(task)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(
            request, {"title": _("My approvals"), **(extra_context or {})}
        )

    # -- who may

    def has_view_permission(self, request: HttpRequest, obj: models.Task | None = None) -> bool:
        return request.user.is_active and request.user.is_staff

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Task | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Task | None = None) -> bool:
        return False

    # -- where

    def get_urls(self) -> list[Any]:
        # Not those of ModelAdmin: each tells, in its own way, whether a task is there.
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.changelist_view), name="django_workflows_task_changelist"),
            path(
                "<int:task_id>/change/",
                wrap(self.decide_view),
                name="django_workflows_task_change",
            ),
        ]

    # -- deciding

    def decide_view(self, request: HttpRequest, task_id: int) -> HttpResponse:
        """What an approval asks, with a button for each decision."""
        form = DecisionForm(request.POST if request.method == "POST" else None)
        task = (
            permissions.inbox(request.user)
            .filter(pk=task_id)
            .select_related("execution__workflow")
            .prefetch_related("candidates", "execution__workflow__operate_groups")
            .first()
        )
        if task is None:
            return self._too_late(request, form)
        if request.method == "POST" and form.is_valid():
            response = self._decide(request, task, form)
            if response is not None:
                return response
        return self._question(request, task, form)

    def _question(
        self, request: HttpRequest, task: models.Task, form: DecisionForm
    ) -> HttpResponse:
        execution = task.execution
        started = execution.events.get(seq=task.seq)
        asked = started.public_fields.get("input")
        data = (
            {name: value for name, value in asked.items() if name not in _OWN_PARAMETERS}
            if isinstance(asked, dict)
            else asked
        )
        now = timezone.now()
        return self.page(
            request,
            "approval.html",
            title=display.legible(task.title or task.state),
            task=task,
            execution=execution,
            instructions=display.legible(task.instructions),
            asks=pending.asked(task),
            data=display.document(data) if data not in ({}, None) else None,
            rows=_rows(data),
            decisions=task.decisions,
            waiting_since=display.length(now - task.created_at),
            time_left=display.left(task.deadline, now) if task.deadline else "",
            may_see_execution=permissions.allows(request.user, Action.VIEW, execution=execution),
            form=form,
        )

    def _decide(
        self, request: HttpRequest, task: models.Task, form: DecisionForm
    ) -> HttpResponse | None:
        """The answer to a decision that was taken; None where *form* now says what is wrong."""
        decision, comment = form.cleaned_data["decision"], form.cleaned_data["comment"]
        try:
            with transaction.atomic():
                engine.decide_approval(task, decision, comment, actor=self.actor(request))
                deed = _("Decided “%(decision)s” on %(state)s.") % {
                    "decision": decision,
                    "state": task.state,
                }
                self.log_deed(request, task.execution, deed, comment)
        except asl.InvalidValue:
            form.add_error(None, _("Press one of the buttons to decide."))
            return None
        except permissions.NotAllowed:
            raise Http404 from None
        except asl.CommandRejected:
            return self._say_who_was_faster(request, task.execution, task.seq)
        messages.success(
            request,
            _("You decided “%(decision)s” on “%(title)s”.")
            % {"decision": decision, "title": display.legible(task.title or task.state)},
        )
        return HttpResponseRedirect(self.url("task_changelist"))

    # -- being too late

    def _too_late(self, request: HttpRequest, form: DecisionForm) -> HttpResponse:
        """For an approval that was open when its page was made, to somebody whom it asked."""
        if request.method != "POST" or not form.is_valid():
            raise Http404
        number = form.cleaned_data["task"]
        execution = (
            models.Execution.objects.filter(pk=form.cleaned_data["execution"])
            .select_related("workflow")
            .defer("input", "output")
            .first()
        )
        if execution is None or number is None:
            raise Http404
        started = execution.events.filter(seq=number).first()
        if started is None:
            raise Http404
        fields = started.public_fields
        is_asked = history.is_approval(started, fields) and history.Reader(
            request.user, execution
        ).is_asked(fields.get("input"))
        # An open one that the inbox has not is not for this user.
        if not is_asked or execution.tasks.filter(seq=number).exists():
            raise Http404
        return self._say_who_was_faster(request, execution, number)

    def _say_who_was_faster(
        self, request: HttpRequest, execution: models.Execution, number: int
    ) -> HttpResponse:
        started = execution.events.get(seq=number)
        answer = history.answer_to(started)
        messages.error(request, f"{_('Your decision was not taken.')} {_what_ended(answer)}")
        return HttpResponseRedirect(self.url("task_changelist"))


def _what_ended(answer: models.Event | None) -> str:
    """Who decided an approval, what and when, as far as the log says."""
    if answer is None:
        return _("The approval is not asked any more.")
    at = date_format(timezone.localtime(answer.at), "DATETIME_FORMAT")
    fields = answer.public_fields
    output, origin = fields.get("output"), fields.get("origin") or {}
    if answer.type == "TaskSucceeded" and isinstance(output, dict) and "decision" in output:
        return _("%(by)s decided “%(decision)s” at %(at)s.") % {
            "by": display.legible(str(output.get("by") or _("Somebody"))),
            "decision": display.legible(str(output["decision"])),
            "at": at,
        }
    if answer.type == "TaskTimedOut":
        return _("Its time ran out at %(at)s.") % {"at": at}
    return _("%(by)s ended it at %(at)s.") % {
        "by": display.legible(origin.get("by") or _("Somebody")),
        "at": at,
    }


def _rows(data: Any) -> list[tuple[str, str]]:
    """Data without depth as a table; an empty one where it is no such data."""
    if not isinstance(data, dict) or len(data) > 30:
        return []
    if any(isinstance(value, (dict, list)) for value in data.values()):
        return []
    shown = models.without_tokens(data)
    return [
        (
            display.legible(name),
            display.legible(value if isinstance(value, str) else json.dumps(value)),
        )
        for name, value in shown.items()
    ]
