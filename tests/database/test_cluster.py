"""A real cluster of processes: what it was doing when it is killed is done in the end."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager

import pytest
from django.conf import settings

from django_workflows import asl, engine, models, permissions
from tests.workflows import SYSTEM, approval, as_user, call, checked, machine, person, published

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

EXECUTIONS = 100


class Process:
    """``manage.py`` *command* on the database of the test, in a process group of its own."""

    def __init__(self, command, log, **environment):
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "django", command],
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "tests.cluster_settings",
                    "PYTHONUNBUFFERED": "1",
                    **environment,
                },
                cwd=settings.BASE_DIR,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self):
        """As the machine's loss of power would: all at once, and with no last word."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self):
        """As a supervisor ends it; the exit code."""
        self._process.terminate()
        return self._process.wait(timeout=30)

    def clean_up(self):
        if self._process.poll() is None:
            self.kill()


@pytest.fixture
def begin(tmp_path):
    processes = []

    def do(command, **environment):
        processes.append(Process(command, tmp_path / "log", **environment))
        return processes[-1]

    yield do
    for process in processes:
        process.clean_up()


@contextmanager
def patience(seconds, log):
    """Yields a function to wait with; what the processes said is shown if time runs out."""
    until = time.monotonic() + seconds

    def until_true(condition):
        while not condition():
            if time.monotonic() > until:
                pytest.fail(f"nothing more happened\n{log.read_text()[-5000:]}")
            time.sleep(0.05)

    yield until_true


def ended():
    return models.Execution.objects.exclude(status="RUNNING").count()


def test_a_cluster_killed_amid_100_executions_ends_them_all_once_it_is_back(begin, tmp_path):
    calls = tmp_path / "calls"
    boss = person("boss")
    fan = {"Type": "Map", "ItemProcessor": machine(Pack=call("record"))}
    workflow = published(
        machine(
            Check=call("record", ResultPath=None),
            Sign=approval(**{"Users": ["boss"], "Title.$": "$$.Execution.Name"}),
            Rest={"Type": "Wait", "Seconds": 1, "OutputPath": "$.comment"},
            Split={"Type": "Pass", "Result": ["a", "b"]},
            Fan=fan,
            Charge=call("record"),
        )
    )
    cluster = begin("qcluster", RECORD_CALLS_IN=str(calls))
    for number in range(EXECUTIONS):
        engine.start(workflow, {"n": number}, actor=SYSTEM, name=f"order-{number}")

    def decide():
        for task in permissions.inbox(boss)[:20]:
            engine.decide_approval(task, "approve", actor=as_user(boss))

    with patience(60, cluster.log) as until:
        until(lambda: decide() or ended() >= EXECUTIONS // 5)
        cluster.kill()
        running = EXECUTIONS - ended()
        decide()
        cluster = begin("qcluster", RECORD_CALLS_IN=str(calls))
        until(lambda: decide() or ended() == EXECUTIONS)

    assert running > 0
    for execution in models.Execution.objects.all():
        row = checked(execution)
        assert (row.status, len(row.output)) == ("SUCCEEDED", 2)
        events = engine.log(row.pk)
        begun = Counter(event.state for event in events if isinstance(event, asl.TaskStarted))
        assert begun == {"Check": 1, "Sign": 1, "Pack": 2, "Charge": 1}
        answered = [event.task for event in events if isinstance(event, asl.TaskSucceeded)]
        assert len(answered) == len(set(answered)) == 5
    times = Counter(calls.read_text().splitlines())
    assert len(times) == EXECUTIONS * 4
    # The one task that each worker was at may have been done again, and nothing else.
    assert sum(times.values()) - len(times) <= settings.Q_CLUSTER["workers"]
    assert cluster.terminate() == 0
    assert "Traceback" not in cluster.log.read_text()


def test_a_cluster_killed_amid_a_distributed_map_ends_it_once_it_is_back(begin, tmp_path):
    calls = tmp_path / "calls"
    fan = {
        "Type": "Map",
        "MaxConcurrency": 8,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            **machine(Pack=call("record")),
        },
    }
    items = [{"n": n} for n in range(200)]
    cluster = begin("qcluster", RECORD_CALLS_IN=str(calls))
    execution = engine.start(published(machine(Fan=fan)), items, actor=SYSTEM)

    def through():
        return models.MapRun.objects.get().succeeded

    with patience(90, cluster.log) as until:
        for part in (40, 100):
            until(lambda part=part: through() >= part)
            cluster.kill()
            assert models.MapRun.objects.get().running <= 8
            cluster = begin("qcluster", RECORD_CALLS_IN=str(calls))
        until(lambda: not models.Execution.objects.get(pk=execution.pk).is_running)

    assert checked(execution).output == items
    run = models.MapRun.objects.get()
    assert (run.status, run.succeeded, run.total) == ("SUCCEEDED", 200, 200)
    for child in run.children.all():
        assert checked(child).seq == 6
    times = Counter(calls.read_text().splitlines())
    assert len(times) == 200
    # What the workers were at may have been done again, and nothing else.
    assert sum(times.values()) - len(times) <= 2 * settings.Q_CLUSTER["workers"]
    assert cluster.terminate() == 0
    assert "Traceback" not in cluster.log.read_text()


def test_a_wait_of_one_second_ends_within_half_a_second_more(begin):
    cluster = begin("qcluster")
    warm_up = published(machine(Do=call("echo")), name="warm-up")
    workflow = published(machine(Rest={"Type": "Wait", "Seconds": 1}), name="waits")
    with patience(60, cluster.log) as until:
        engine.start(warm_up, actor=SYSTEM)
        until(lambda: ended() == 1)
        for _ in range(5):
            engine.start(workflow, actor=SYSTEM)
            time.sleep(0.13)
        until(lambda: ended() == 6)

    for execution in workflow.executions.all():
        moments = {type(event): event.at for event in engine.log(checked(execution).pk)}
        waited = moments[asl.WaitFinished] - moments[asl.WaitStarted]
        assert 1.0 <= waited.total_seconds() <= 1.5
    assert cluster.terminate() == 0


def test_a_handler_that_never_returns_or_takes_its_worker_along_fails_its_task(begin):
    cluster = begin("qcluster")
    executions = {
        what: engine.start(published(machine(Do=call(what)), name=what), actor=SYSTEM)
        for what in ("hang", "crash")
    }

    with patience(60, cluster.log) as until:
        until(lambda: ended() == 2)

    hung, crashed = (checked(execution) for execution in executions.values())
    assert (hung.error, crashed.error) == ("States.Timeout", "Task.DeliveryFailed")
    assert "exceeded maximum timeout value (4 seconds)" in hung.cause
    assert crashed.cause.startswith("2 workers took the task of 'crash'")


def test_the_clock_can_be_a_process_of_its_own(begin):
    the_clock = begin("workflows_clock")
    workflow = published(machine(Rest={"Type": "Wait", "Seconds": 1}))

    with patience(60, the_clock.log) as until:
        engine.start(workflow, actor=SYSTEM)
        until(lambda: ended() == 1)

    assert the_clock.terminate() == 0
    assert the_clock.log.read_text().endswith("The clock has stopped.\n")
