"""A real cluster that is killed while executions wait for others: all come to their ends."""

import pytest

from django_workflows import engine, models
from tests.database import test_cluster
from tests.workflows import SYSTEM, call, checked, machine, published

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

PARENTS = 30

begin = test_cluster.begin


def test_each_parent_gets_the_end_of_the_one_child_it_started(begin, tmp_path):
    published(machine(Work=call("sleep"), More=call("echo")), name="child")
    given = {"StateMachineArn": "child", "Input": {"seconds": 0.05}}
    go = call("arn:aws:states:::states:startExecution.sync:2", Parameters=given)
    workflow = published(machine(Go=go, Done=call("echo")), name="parent")
    for _ in range(PARENTS):
        engine.start(workflow, actor=SYSTEM)
    ended = workflow.executions.exclude(status="RUNNING")

    with test_cluster.patience(90, tmp_path / "log") as until:
        cluster = begin("qcluster")
        until(lambda: ended.count() >= 3)
        cluster.kill()
        assert ended.count() < PARENTS
        begin("qcluster")
        until(lambda: ended.count() == PARENTS)
        owing = models.Execution.objects.filter(parent_due_at__isnull=False)
        until(lambda: not owing.exists())

    for execution in models.Execution.objects.all():
        assert checked(execution).status == "SUCCEEDED"
    for execution in workflow.executions.all():
        child = execution.children.get()
        assert execution.output["ExecutionArn"] == str(child.pk)
