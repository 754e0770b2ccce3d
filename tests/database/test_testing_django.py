"""The fixture ``workflows``: executions in the database, without a cluster."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from django_workflows import actors, asl, engine, handlers, signals
from django_workflows.permissions import NotAllowed
from django_workflows.testing import Coverage, attempts, fails, pending, raises, succeeds
from tests.testapp import workflow_tasks
from tests.workflows import approval, call, checked, machine, person

BUSY = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 60, "MaxAttempts": 3}]
FORTNIGHT = timedelta(days=14)

ORDER = machine(
    Charge=call("echo", Retry=BUSY),
    Wait={"Type": "Wait", "Seconds": int(FORTNIGHT.total_seconds())},
    Ask=approval(Users=["ada"]),
    Ship=call("callback"),
)


@pytest.fixture(autouse=True)
def fresh():
    workflow_tasks.forget()


def test_an_order_from_the_card_to_the_parcel(workflows):
    person("ada")
    workflows.publish("order", ORDER)
    workflows.mock({"Charge": [fails("Busy"), succeeds({"charge": 7})]})

    order = workflows.start("order", {"amount": 70})
    assert order.waiting_for == {"Charge": "retry"}
    order.advance(60)
    assert order.waiting_for == {"Wait": "timer"}
    assert (order.attempts("Charge"), order.inputs("Charge")) == (2, [{"amount": 70}] * 2)

    order.advance(FORTNIGHT)
    assert order.waiting_for == {"Ask": "approval"}
    order.decide("Ask", "approve", comment="a regular")
    assert order.outputs("Ask")[0]["by"] == "ada"

    order.answer("Ship", {"parcel": "P-1"})
    assert (order.status, order.output) == ("SUCCEEDED", {"parcel": "P-1"})
    assert order.path == ["Charge", "Wait", "Ask", "Ship"]
    checked(order.id)


def test_the_clock_stands_still_and_is_that_of_all(workflows):
    began = timezone.now()
    assert began == timezone.now() == workflows.at

    order = workflows.start(workflows.publish("order", ORDER), 1)
    assert order.execution.started_at == began
    workflows.advance(3600)

    assert timezone.now() == began + timedelta(hours=1)


def test_the_sites_own_handlers_do_the_work(workflows):
    workflows.publish("echo", machine(A=call("echo"), B=call("look")))

    done = workflows.start("echo", {"n": 1})

    assert workflow_tasks.calls == [("echo", {"n": 1})]
    assert done.output["attempt"] == f"{done.id}:{done.events(asl.TaskStarted)[1].seq}"


def test_mocks_stand_in_for_handlers(workflows):
    workflows.publish("echo", machine(A=call("echo", Retry=BUSY)))
    workflows.mock({"echo": attempts(fails("Busy"), raises(ConnectionError("gone")))})

    failed = workflows.start("echo").finish()

    assert (failed.status, failed.error, failed.cause) == ("FAILED", "ConnectionError", "gone")
    assert not workflow_tasks.calls


def test_an_assertion_in_a_mock_fails_the_test(workflows):
    def look(input):
        assert input == "expected"

    workflows.publish("echo", machine(A=call("echo", Catch=[])))
    workflows.mock({"A": look})

    with pytest.raises(AssertionError, match="expected"):
        workflows.start("echo", "other")


def test_a_task_may_be_left_open_and_time_out(workflows):
    workflows.publish("echo", machine(A=call("echo", TimeoutSeconds=60)))
    workflows.mock({"A": pending()})
    execution = workflows.start("echo")

    assert execution.advance(59).waiting_for == {"A": "task"}
    assert execution.advance(1).error == "States.Timeout"


def test_what_only_people_can_move_is_not_finished(workflows):
    person("ada")
    workflows.publish("ask", machine(Ask=approval(Users=["ada"])))

    with pytest.raises(AssertionError, match=r"can't finish[\s\S]*waits for 'Ask' \(approval\)"):
        workflows.start("ask").finish()


def test_decisions_need_the_right_to_decide(workflows):
    person("ada")
    grace = person("grace")
    workflows.publish("ask", machine(Ask=approval(Users=["ada"])))
    ask = workflows.start("ask")

    with pytest.raises(NotAllowed):
        ask.decide("Ask", "approve", by=grace)
    with pytest.raises(AssertionError, match="there is no user 'eve'"):
        ask.decide("Ask", "approve", by="eve")
    assert ask.decide("Ask", "approve", by="ada").status == "SUCCEEDED"
    with pytest.raises(AssertionError, match="no task of 'Ask' is open"):
        ask.decide("Ask", "approve")


def test_steering(workflows):
    workflows.publish("later", machine(A=call("later")))
    later = workflows.start("later")

    assert later.stop("Enough").status == "ABORTED"
    assert later.redrive().fail("A", "Lost", "at sea").error == "Lost"
    assert later.cause == "at sea"
    assert repr(later) == "<Run of 'later': A; FAILED (Lost: at sea)>"


def test_what_the_site_itself_starts_is_found(workflows):
    workflow = workflows.publish("echo", machine(A=call("echo")))
    execution = engine.start(workflow, 7, actor=actors.system("test"))

    assert workflows.drain() == 1
    assert workflows.run_of(execution).output == 7


def ended_once(workflows):
    workflows.publish("echo", machine(A=call("echo")))
    ended = []

    def on_ended(execution, **_):
        ended.append(execution.pk)

    signals.execution_ended.connect(on_ended)
    try:
        execution = workflows.start("echo")
    finally:
        signals.execution_ended.disconnect(on_ended)
    return ended == [execution.id]


def test_signals_are_sent_as_after_a_commit(workflows):
    assert ended_once(workflows)


@pytest.mark.django_db(transaction=True)
def test_and_after_a_real_one(workflows):
    assert ended_once(workflows)


def test_the_queue_hears_nothing(workflows):
    from django_q.models import OrmQ

    workflows.publish("echo", machine(A=call("echo")))
    workflows.start("echo").finish()

    assert not OrmQ.objects.exists()


def fan(**fields):
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    processor = {**machine(Pay=call("echo", Retry=BUSY)), **config}
    return {"Type": "Map", "ItemProcessor": processor, **fields}


def test_distributed_maps_run_to_their_end(workflows):
    workflows.publish("all", machine(All=fan(MaxConcurrency=2)))
    workflows.mock({"Pay": attempts(fails("Busy"), lambda amount: amount * 10)})

    paid = workflows.start("all", [1, 2, 3])
    assert paid.waiting_for == {"Pay": "retry"}

    assert paid.finish().output == [10, 20, 30]
    assert paid.attempts("Pay") == 6


def test_a_task_may_start_another_workflow(workflows):
    workflows.publish("child", machine(Wait={"Type": "Wait", "Seconds": 60}))
    parameters = {"StateMachineArn": "child", "Input.$": "$"}
    arn = "arn:aws:states:::states:startExecution.sync:2"
    workflows.publish("parent", machine(Start=call(arn, Parameters=parameters)))

    assert workflows.start("parent", {"n": 1}).finish().output["Output"] == {"n": 1}


def test_a_workflow_comes_from_its_file(workflows, tmp_path, monkeypatch):
    path = tmp_path / "filed.asl.json"
    path.write_text(json.dumps(machine(A=call("echo"))))
    monkeypatch.setattr("django_workflows.files.of_apps", lambda: [path])

    assert workflows.start("filed", 7).output == 7
    with pytest.raises(LookupError, match="no workflow 'flied'"):
        workflows.start("flied")


def test_who_may_not_start_does_not(workflows):
    workflows.publish("echo", machine(A=call("echo")))

    with pytest.raises(NotAllowed):
        workflows.start("echo", user=person("eve"))
    ada = person("ada", "start_execution")
    assert workflows.start("echo", user=ada).execution.started_by == ada


def test_coverage_is_that_of_all_executions(workflows):
    with Coverage() as coverage:
        workflows.publish("echo", machine(A=call("echo", Retry=BUSY), B=call("echo")))
        workflows.start("echo")
        workflows._collect()

    assert coverage.never_entered("echo") == []
    assert coverage.never_taken("echo") == ["A → A (Retry[0]: Busy)"]


def test_without_the_fixture_all_is_as_before(db):
    assert timezone.now() < timezone.now()
    assert handlers.resolve("echo", 7).run(None) == 7
