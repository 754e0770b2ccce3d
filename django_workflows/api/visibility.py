"""What of an approval a reader of the log may see."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django_workflows import approvals, models, permissions, resources
from django_workflows.asl.values import JSON
from django_workflows.permissions import Action


class Reader:
    """A user who reads one execution's events; what they may is asked once."""

    def __init__(self, user: Any, execution: models.Execution) -> None:
        self.user = user
        self.execution = execution

    @staticmethod
    def is_approval(fields: dict[str, JSON]) -> bool:
        """Whether a TaskStarted with *fields* asks people."""
        return resources.kind(fields["resource"]) is resources.Kind.APPROVAL

    def sees_task(self, fields: dict[str, JSON]) -> bool:
        """Whether they may see the input of the task whose TaskStarted has *fields*.

        Of an approval only those it names may, and who may decide any: the same
        after it has ended, when its row is gone.
        """
        if not self.is_approval(fields):
            return True
        return self._is_named(fields) or self._decides_any

    def _is_named(self, fields: dict[str, JSON]) -> bool:
        try:
            approval = approvals.read(fields["input"], state=fields["state"])
        except approvals.InvalidApproval:
            return False
        if self.user.get_username() in approval.users:
            return True
        return bool(approval.groups) and not self._groups.isdisjoint(approval.groups)

    @cached_property
    def _decides_any(self) -> bool:
        return permissions.allows(self.user, Action.DECIDE, execution=self.execution)

    @cached_property
    def _groups(self) -> set[str]:
        return set(self.user.groups.values_list("name", flat=True))
