"""What the tests of the API have in common: a client, addresses, how a refusal looks."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework.test import APIClient

#: All permissions but that to decide approvals that ask others.
EVERYTHING = (
    "view_execution",
    "start_execution",
    "stop_execution",
    "finish_waiting",
    "complete_task",
    "fail_task",
    "redrive_execution",
    "work_activities",
)


def client(user: Any = None) -> APIClient:
    """A client that *user* is signed in with, or nobody."""
    api = APIClient()
    api.force_authenticate(user)
    return api


def post(api: APIClient, address: str, text: str | bytes) -> Any:
    """*text* posted as it is, as JSON."""
    return api.post(address, text, content_type="application/json")


def url(name: str, *args: Any) -> str:
    return reverse(f"django_workflows_api:{name}", args=args)


def task_url(name: str, execution: Any, task: int) -> str:
    return url(name, f"{execution.pk}.{task}")


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The problem that *response* must be, with what every problem has."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:django-workflows:problem:{code}"
    assert body["title"] and isinstance(body["detail"], str)
    return body
