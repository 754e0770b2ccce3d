"""A process remembers executions it changed, and is never misled by that."""

import pytest
from django.db import transaction

from django_workflows import asl, engine, models
from tests.workflows import SYSTEM, call, checked, machine, output, started

pytestmark = pytest.mark.django_db(transaction=True)

THREE = machine(A=call("callback"), B=call("callback"), C=call("callback"))


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    return fresh_memory(monkeypatch)


def fresh_memory(monkeypatch):
    """As another process has it."""
    monkeypatch.setattr(engine, "_memory", engine._Memory(2))
    return engine._memory


def answer(execution, output="x"):
    task = models.Task.objects.get(execution=execution)
    engine.send(execution.pk, asl.CompleteTask(task=task.seq, output=output), actor=SYSTEM)


def test_what_it_knows_it_does_not_read_again(monkeypatch):
    execution = started(THREE)
    monkeypatch.setattr(engine, "load", None)

    answer(execution)
    answer(execution)

    assert models.Task.objects.get().state == "C"


def test_what_others_added_is_read(monkeypatch):
    execution = started(THREE)
    ours = engine._memory

    fresh_memory(monkeypatch)
    answer(execution)
    monkeypatch.setattr(engine, "_memory", ours)
    monkeypatch.setattr(engine, "load", None)
    answer(execution)

    monkeypatch.undo()
    answer(execution, "end")
    assert output(execution) == "end"


def test_what_was_rolled_back_is_not_remembered():
    execution = started(THREE)

    with transaction.atomic():
        answer(execution, "never")
        transaction.set_rollback(True)
    for text in ("a", "b", "c"):
        answer(execution, text)

    assert output(execution) == "c"


def test_a_database_that_was_set_back_is_believed(memory):
    execution = started(THREE)
    row = checked(execution)
    state = engine.load(execution.pk)
    answer(execution)
    later = engine.load(execution.pk)

    memory.keep(models.Execution(pk=row.pk, updated_at=later.started_at), later)
    assert memory.recall(row) is None
    memory.keep(models.Execution(pk=row.pk, updated_at=row.updated_at.replace(year=2000)), state)
    assert memory.recall(row) is None


def test_it_forgets_the_oldest_and_what_has_ended(memory):
    first, second, third = (checked(started(THREE)) for _ in range(3))

    assert memory.recall(first) is None
    assert memory.recall(second).seq == second.seq
    engine.send(third.pk, asl.Stop(), actor=SYSTEM)
    assert memory.recall(checked(third)) is None
