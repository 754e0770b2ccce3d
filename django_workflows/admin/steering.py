"""The buttons of an execution's page: what each asks, needs and sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_workflows import asl
from django_workflows.admin.forms import CompleteForm, FailForm, ReasonForm
from django_workflows.permissions import Action

Words = str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """One way to steer an execution."""

    #: How its address is named.
    name: str
    action: Action
    label: Words
    #: What happens, before it does and when it has.
    explanation: Words
    done: Words
    form: type[forms.Form]
    #: From the form's answers and the number of the task or wait (0 for none).
    command: Callable[[Mapping[str, Any], int], asl.AnyCommand]
    #: The events whose number it is sent with; none where it takes no number.
    answers: tuple[str, ...] = ()


STEERINGS = (
    Steering(
        name="stop",
        action=Action.STOP,
        label=_("Stop this execution"),
        explanation=_(
            "It ends at once, as stopped. What its workers are doing now is not taken back,"
            " and their answers are refused."
        ),
        done=_("Stopped."),
        form=ReasonForm,
        command=lambda answers, number: asl.Stop(cause=answers["reason"] or None),
    ),
    Steering(
        name="redrive",
        action=Action.REDRIVE,
        label=_("Go on from where it failed"),
        explanation=_(
            "The states that did not succeed are run again, with the input they had."
            " What has succeeded is kept."
        ),
        done=_("Redriven."),
        form=ReasonForm,
        command=lambda answers, number: asl.Redrive(),
    ),
    Steering(
        name="finish_waiting",
        action=Action.FINISH_WAITING,
        label=_("Finish this wait now"),
        explanation=_("The execution goes on as if the moment had come."),
        done=_("Finished the wait of %(state)s."),
        form=ReasonForm,
        command=lambda answers, number: asl.FinishWaiting(wait=number),
        answers=("WaitStarted", "RetryScheduled"),
    ),
    Steering(
        name="complete_task",
        action=Action.COMPLETE_TASK,
        label=_("Complete this task"),
        explanation=_(
            "The execution goes on as if the task had returned this result. If a worker is"
            " at it, its answer is refused."
        ),
        done=_("Completed the task of %(state)s."),
        form=CompleteForm,
        command=lambda answers, number: asl.CompleteTask(task=number, output=answers["result"]),
        answers=("TaskStarted",),
    ),
    Steering(
        name="fail_task",
        action=Action.FAIL_TASK,
        label=_("Fail this task"),
        explanation=_(
            "The task ends with this error, which the definition may retry or catch. If a"
            " worker is at it, its answer is refused."
        ),
        done=_("Failed the task of %(state)s."),
        form=FailForm,
        command=lambda answers, number: asl.FailTask(
            task=number, error=answers["error"], cause=answers["cause"] or None
        ),
        answers=("TaskStarted",),
    ),
)
