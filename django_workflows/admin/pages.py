"""What the pages of this app have in common."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from django_workflows import actors, models
from django_workflows.actors import Actor


class WorkflowsModelAdmin(admin.ModelAdmin):
    """A ModelAdmin with pages of its own, in the admin's look."""

    class Media:
        css = {"all": ["django_workflows/admin.css"]}
        js = ["django_workflows/admin.js"]

    def page(
        self,
        request: HttpRequest,
        template: str,
        *,
        title: str,
        status: int | None = None,
        **context: Any,
    ) -> HttpResponse:
        """A page made of ``admin/django_workflows/`` *template*."""
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            f"admin/django_workflows/{template}",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "subtitle": None,
                **context,
            },
            status=status,
        )

    def url(self, name: str, *args: Any) -> str:
        """The address of one of this app's pages on this admin site."""
        return reverse(
            f"admin:django_workflows_{name}", args=args, current_app=self.admin_site.name
        )

    @staticmethod
    def actor(request: HttpRequest, reason: str = "") -> Actor:
        return actors.user(request.user, channel="admin", reason=reason)

    def log_deed(
        self, request: HttpRequest, execution: models.Execution, deed: str, reason: str = ""
    ) -> None:
        """Leave an entry in the admin's log, beside what the events say."""
        self.log_change(request, execution, f"{deed} {reason}".strip())
