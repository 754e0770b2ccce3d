from django.apps import AppConfig, apps
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class WorkflowsConfig(AppConfig):
    name = "django_workflows"
    label = "django_workflows"
    verbose_name = _("Workflows")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Find the handlers of all apps, and connect the queue."""
        from django_workflows import checks, nesting  # noqa: F401 - checks register themselves

        # Without it, a check says what is missing.
        if apps.is_installed("django_q"):
            from django_workflows import dispatch

            dispatch.connect()
        nesting.connect()
        autodiscover_modules("workflow_tasks")
