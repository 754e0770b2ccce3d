"""Workflows: publish a definition, read its versions, start an execution."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_workflows import asl, engine, models, permissions
from django_workflows.admin import display
from django_workflows.admin.forms import StartForm, WorkflowForm
from django_workflows.admin.pages import WorkflowsModelAdmin
from django_workflows.permissions import Action

#: How many versions a workflow's page lists; all of them have a page of their own.
RECENT_VERSIONS = 10
#: How many warnings are shown about a definition that was published.
MAX_WARNINGS = 10


class WorkflowAdmin(WorkflowsModelAdmin):
    form = WorkflowForm
    list_display = ("name", "current_version", "running", "described")
    search_fields = ("name", "description")
    filter_horizontal = ("start_groups", "operate_groups")
    actions = None
    show_full_result_count = False
    change_form_template = "admin/django_workflows/workflow.html"

    # -- the list

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Workflow]:
        running = (
            models.Execution.objects.filter(workflow=OuterRef("pk"), status=models.Status.RUNNING)
            .order_by()
            .values("workflow")
            .annotate(count=Count("pk"))
            .values("count")
        )
        return (
            super()
            .get_queryset(request)
            .select_related("current")
            .annotate(running_count=Coalesce(Subquery(running, IntegerField()), 0))
        )

    @admin.display(description=gettext_lazy("current version"))
    def current_version(self, workflow: models.Workflow) -> str:
        return "–" if workflow.current is None else f"v{workflow.current.version}"

    @admin.display(description=gettext_lazy("running executions"), ordering="running_count")
    def running(self, workflow: models.Workflow) -> str:
        count: int = workflow.running_count  # type: ignore[attr-defined]
        if not count:
            return "0"
        return format_html(
            '<a href="{}?workflow__id__exact={}&amp;status__exact=RUNNING">{}</a>',
            self.url("execution_changelist"),
            workflow.pk,
            count,
        )

    @admin.display(description=gettext_lazy("description"))
    def described(self, workflow: models.Workflow) -> str:
        text = workflow.description
        return text if len(text) <= 100 else f"{text[:99]}…"

    # -- who may

    def has_view_permission(self, request: HttpRequest, obj: models.Workflow | None = None) -> bool:
        return super().has_view_permission(request, obj) or permissions.allows(
            request.user, Action.START, workflow=obj
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) or super().has_module_permission(request)

    def has_delete_permission(
        self, request: HttpRequest, obj: models.Workflow | None = None
    ) -> bool:
        # What has run is kept; executions protect their workflow.
        if obj is not None and obj.executions.exists():
            return False
        return super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        # Versions go with their workflow, and never alone.
        versions = models.Definition._meta.verbose_name
        return deleted, counts, set(lacking) - {versions, str(versions)}, protected

    # -- the form

    def get_fieldsets(self, request: HttpRequest, obj: models.Workflow | None = None) -> Any:
        may_change = (
            self.has_add_permission(request)
            if obj is None
            else self.has_change_permission(request, obj)
        )
        text = ["definition", "note", "based_on"] if may_change else []
        return [
            (None, {"fields": ["name", "description", *text]}),
            (_("Groups"), {"fields": ["start_groups", "operate_groups"]}),
        ]

    def save_model(
        self, request: HttpRequest, obj: models.Workflow, form: WorkflowForm, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        before = obj.current
        version = obj.publish(
            form.cleaned_data["definition"], by=request.user, note=form.cleaned_data["note"]
        )
        if before is None or before.pk != version.pk:
            form.published = version  # type: ignore[attr-defined]
            self.message_user(
                request,
                _("Version %(version)s of %(workflow)s was published.")
                % {"version": version.version, "workflow": obj},
            )
            self._warn(request, version.source)

    def _warn(self, request: HttpRequest, source: str) -> None:
        """Say what is allowed in a definition that was published, and looks like a slip."""
        warnings = [problem for problem in asl.check(source) if problem.severity == "WARNING"]
        for problem in warnings[:MAX_WARNINGS]:
            self.message_user(request, str(problem), messages.WARNING)
        if (left := len(warnings) - MAX_WARNINGS) > 0:
            more = _("There are %(count)s more warnings.") % {"count": left}
            self.message_user(request, more, messages.WARNING)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        message = super().construct_change_message(request, form, formsets, add)
        published = getattr(form, "published", None)
        if published is None:
            return message
        return [*message, {"added": {"name": _("version"), "object": str(published)}}]

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: models.Workflow | None = None,
    ) -> Any:
        if obj is not None and obj.pk is not None:
            refusal = permissions.refusal(request.user, Action.START, workflow=obj)
            context |= {
                "versions": obj.definitions.select_related("created_by").defer("source")[
                    :RECENT_VERSIONS
                ],
                "start_refusal": refusal,
                "may_read_versions": _may_read_versions(request),
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    # -- starting

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path(
                "<int:workflow_id>/start/",
                wrap(self.start_view),
                name="django_workflows_workflow_start",
            ),
        ]
        return own + super().get_urls()

    def start_view(self, request: HttpRequest, workflow_id: int) -> HttpResponse:
        """A form for the input; what is posted starts an execution."""
        workflow = (
            models.Workflow.objects.select_related("current")
            .defer("current__source")
            .filter(pk=workflow_id)
            .first()
        )
        if workflow is None:
            raise Http404
        permissions.authorize(self.actor(request), Action.START, workflow=workflow)
        form = StartForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            response = self._start(request, workflow, form)
            if response is not None:
                return response
        return self.page(
            request,
            "start.html",
            title=_("Start %(workflow)s") % {"workflow": workflow},
            workflow=workflow,
            form=form,
        )

    def _start(
        self, request: HttpRequest, workflow: models.Workflow, form: StartForm
    ) -> HttpResponse | None:
        """The answer to a start that succeeded; None where *form* now says why it did not."""
        name = form.cleaned_data["name"] or None
        reason = form.cleaned_data["reason"]
        known = name is not None and workflow.executions.filter(name=name).exists()
        try:
            with transaction.atomic():
                execution = engine.start(
                    workflow,
                    form.cleaned_data["input"],
                    name=name,
                    actor=self.actor(request, reason),
                )
                if not known:
                    self.log_addition(request, execution, f"{_('Started.')} {reason}".strip())
        except (engine.ExecutionAlreadyExists, asl.InvalidValue, engine.NotPublished) as error:
            field = "name" if isinstance(error, engine.ExecutionAlreadyExists) else "input"
            form.add_error(None if isinstance(error, engine.NotPublished) else field, str(error))
            return None
        if known:
            messages.info(request, _("It was started before, with the same name and input."))
        else:
            messages.success(request, _("Started %(execution)s.") % {"execution": execution})
        if permissions.allows(request.user, Action.VIEW, execution=execution):
            return HttpResponseRedirect(self.url("execution_change", execution.pk))
        return HttpResponseRedirect(request.path)


class DefinitionAdmin(WorkflowsModelAdmin):
    """Versions: to be read, and nothing else."""

    list_display = ("__str__", "is_current", "created_at", "created_by", "note")
    list_filter = (("workflow", admin.RelatedFieldListFilter),)
    list_select_related = ("workflow", "created_by")
    search_fields = ("workflow__name", "note")
    actions = None
    show_full_result_count = False
    change_form_template = "admin/django_workflows/version.html"
    fields = ("workflow", "version", "created_at", "created_by", "note")

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Definition]:
        versions = super().get_queryset(request).select_related("workflow")
        match = request.resolver_match
        if match is not None and match.url_name == "django_workflows_definition_changelist":
            versions = versions.defer("source")
        return versions

    @admin.display(description=gettext_lazy("current"), boolean=True)
    def is_current(self, version: models.Definition) -> bool:
        return version.workflow.current_id == version.pk

    def has_view_permission(
        self, request: HttpRequest, obj: models.Definition | None = None
    ) -> bool:
        return _may_read_versions(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: models.Definition | None = None,
    ) -> Any:
        if obj is not None:
            context |= {"source": display.legible(obj.source)}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: models.Definition | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: models.Definition | None = None
    ) -> bool:
        return False


def _may_read_versions(request: HttpRequest) -> bool:
    """Whoever may read a workflow or change it may read its versions."""
    return any(
        request.user.has_perm(f"django_workflows.{codename}")
        for codename in ("view_definition", "view_workflow", "change_workflow")
    )
