"""Include them under any prefix: ``path("api/", include("django_workflows.api.urls"))``."""

from django.urls import path

from django_workflows.api import views

app_name = "django_workflows_api"

urlpatterns = [
    path("executions/", views.Executions.as_view(), name="executions"),
    path("executions/<str:execution_id>/", views.Execution.as_view(), name="execution"),
    path("executions/<str:execution_id>/events/", views.Events.as_view(), name="events"),
    path("executions/<str:execution_id>/history/", views.History.as_view(), name="history"),
    path("executions/<str:execution_id>/redrive/", views.Redrive.as_view(), name="redrive"),
    path("executions/<str:execution_id>/commands/", views.Commands.as_view(), name="commands"),
    path("tasks/", views.Tasks.as_view(), name="tasks"),
    path("tasks/<str:task_id>/", views.Task.as_view(), name="task"),
    path("tasks/<str:task_id>/decide/", views.Decision.as_view(), name="decide"),
    path("activities/<str:name>/task/", views.Activity.as_view(), name="activity-task"),
    path("task-tokens/succeed/", views.TokenSuccess.as_view(), name="token-succeed"),
    path("task-tokens/fail/", views.TokenFailure.as_view(), name="token-fail"),
    path("task-tokens/heartbeat/", views.TokenHeartbeat.as_view(), name="token-heartbeat"),
]
