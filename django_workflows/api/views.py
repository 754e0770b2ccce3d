"""The endpoints: each reads rows, or takes one command to the engine."""

from __future__ import annotations

import uuid
from typing import Any, NoReturn

from django.db import transaction
from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_workflows import activities, actors, asl, conf, engine, models, permissions
from django_workflows.actors import Actor
from django_workflows.api import paging, problems, representations, requests
from django_workflows.api.parsers import StrictJSONParser
from django_workflows.api.renderers import AlwaysJSON, ASCIIJSONRenderer
from django_workflows.api.visibility import Reader
from django_workflows.asl.values import JSON
from django_workflows.permissions import Action

CHANNEL = "api"

_EXECUTIONS = paging.Order(moment="started_at", newest_first=True)
_TASKS = paging.Order(moment="created_at")


class View(APIView):
    """What all endpoints have in common; who is asking, the site's DRF settings find out."""

    permission_classes = [IsAuthenticated]
    parser_classes = [StrictJSONParser]
    renderer_classes = [ASCIIJSONRenderer]
    content_negotiation_class = AlwaysJSON
    versioning_class = None

    def get_exception_handler(self) -> Any:
        return problems.handle

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(response, private=True, no_cache=True)
        return response

    def on_conflict(self) -> dict[str, JSON]:
        """Further members of the problem that answers a rejected command."""
        return {}

    def actor(self, reason: str | None = None) -> Actor:
        return actors.user(self.request.user, channel=CHANNEL, reason=reason)

    def url(self, name: str, *args: Any) -> str:
        match = self.request.resolver_match
        assert match is not None
        path = reverse(f"{match.namespace}:{name}", args=args)
        return self.request.build_absolute_uri(path)


# -- executions ----------------------------------------------------------------------------


class Executions(View):
    def get(self, request: Request) -> Response:
        """The executions that the user may see, the newest first."""
        permissions.authorize(self.actor(), Action.VIEW)
        query = requests.read_query(requests.ExecutionsQuery, request)
        rows = permissions.visible_executions(request.user)
        if "workflow" in query:
            rows = rows.filter(workflow__name=query["workflow"])
        if "parent" in query:
            rows = rows.filter(parent=query["parent"])
        # A distributed Map's thousands of items would drown everything else.
        rows = rows.filter(map_run=query.get("map_run"))
        for column in ("status", "waiting_for"):
            if column in query:
                rows = rows.filter(**{column: query[column]})
        rows = rows.select_related("workflow", "definition", "started_by").defer(
            "input", "output", "cause", "workflow__description", "definition__source"
        )
        page, cursor = _EXECUTIONS.page(rows, cursor=query.get("cursor"), limit=query["limit"])
        following = cursor and paging.link(request, cursor=cursor)
        results = representations.shown(representations.ExecutionSummary(page, many=True))
        return Response(paging.answer(results, following))

    def post(self, request: Request) -> Response:
        """Start an execution: 201 for a new one, 200 where the name and input were given before."""
        permissions.authorize(self.actor(), Action.START)
        body = requests.read_body(requests.StartBody, request)
        workflow = models.Workflow.objects.filter(name=body["workflow"]).first()
        if workflow is None:
            raise problems.InvalidRequest(
                [
                    {
                        "pointer": "/workflow",
                        "code": "unknown_workflow",
                        "detail": f"no workflow is named {body['workflow']!r:.100}",
                    }
                ]
            )
        at = timezone.now()
        with problems.blaming("input"):
            row = engine.start(
                workflow,
                body["input"],
                actor=self.actor(body.get("reason")),
                name=body["name"],
                at=at,
            )
        return Response(
            representations.shown(representations.StartedExecution(row)),
            status=201 if row.started_at == at else 200,
            headers={"Location": self.url("execution", row.pk)},
        )


class _OfExecution(View):
    """What lies below one execution, which is 404 for who may not see it."""

    def visible(self) -> models.Execution:
        key = _uuid(self.kwargs["execution_id"])
        rows = permissions.visible_executions(self.request.user)
        rows = rows.select_related("workflow", "definition", "started_by")
        row = rows.defer("definition__source").filter(pk=key).first() if key else None
        if row is None:
            raise Http404
        return row


class Execution(_OfExecution):
    def get(self, request: Request, execution_id: str) -> Response:
        """One execution, with its payloads and what it waits for now."""
        return Response(representations.execution(self.visible(), request.user))


class Events(_OfExecution):
    def get(self, request: Request, execution_id: str) -> Response:
        """The events after a seq, in order."""
        row = self.visible()
        query = requests.read_query(requests.EventsQuery, request)
        rows = row.events.filter(seq__gt=query["after"]).order_by("seq")
        page = list(rows[: query["limit"] + 1])
        more = len(page) > query["limit"]
        page = page[: query["limit"]]
        following = paging.link(request, after=page[-1].seq) if more else None
        results = representations.events(page, Reader(request.user, row))
        return Response(paging.answer(results, following))


class History(_OfExecution):
    def get(self, request: Request, execution_id: str) -> Response:
        """The log as AWS would show it, after an id, in order."""
        row = self.visible()
        query = requests.read_query(requests.HistoryQuery, request)
        after, limit = query["after"], query["limit"]
        shown = representations.history(engine.log(row.pk), Reader(request.user, row))
        # Ids have no gaps.
        more = after + limit < len(shown)
        following = paging.link(request, after=after + limit) if more else None
        return Response(paging.answer(shown[after : after + limit], following))


class Redrive(_OfExecution):
    def get(self, request: Request, execution_id: str) -> Response:
        """What the command ``redrive`` would run again."""
        return Response(representations.redrive(self.visible()))


class Commands(_OfExecution):
    #: How many of the events that a command brought are in the answer.
    max_events = 100

    def post(self, request: Request, execution_id: str) -> Response:
        """Send one command; the answer has the events that it brought."""
        row = self.visible()
        command, reason = requests.read_command(request)
        with problems.blaming("output"):
            sent = engine.send(row.pk, command, actor=self.actor(reason))
        events = sent.events[: self.max_events]
        following = None
        if len(events) < len(sent.events):
            following = f"{self.url('events', row.pk)}?after={events[-1].seq}"
        rows = [models.Event.of(row.pk, event) for event in events]
        return Response(
            {
                "status": str(sent.state.status),
                "events": representations.events(rows, Reader(request.user, row)),
                "next": following,
            }
        )

    def on_conflict(self) -> dict[str, JSON]:
        row = self.visible()
        return {
            "execution": {
                "id": str(row.pk),
                "status": row.status,
                **representations.waiting(row, self.request.user),
            }
        }


# -- approvals -----------------------------------------------------------------------------


class Tasks(View):
    def get(self, request: Request) -> Response:
        """The user's inbox: the open approvals that they may decide, the oldest first."""
        query = requests.read_query(requests.PageQuery, request)
        rows = _with_execution(permissions.inbox(request.user))
        page, cursor = _TASKS.page(rows, cursor=query.get("cursor"), limit=query["limit"])
        following = cursor and paging.link(request, cursor=cursor)
        results = representations.shown(representations.Task(page, many=True))
        return Response(paging.answer(results, following))


class Task(View):
    def get(self, request: Request, task_id: str) -> Response:
        """One open task, with what it asks."""
        execution_id, seq = _task_key(task_id)
        rows = _with_execution(permissions.visible_tasks(request.user))
        task = rows.filter(execution=execution_id, seq=seq).first()
        if task is None:
            raise Http404
        began = models.Event.objects.filter(execution=execution_id, seq=seq).get()
        asked = began.public_fields["input"]
        return Response({**representations.shown(representations.Task(task)), "input": asked})


class Decision(View):
    def post(self, request: Request, task_id: str) -> Response:
        """Decide an approval."""
        execution_id, seq = _task_key(task_id)
        task = permissions.inbox(request.user).filter(execution=execution_id, seq=seq).first()
        if task is None:
            self._refuse(execution_id, seq)
        body = requests.read_body(requests.DecisionBody, request)
        with problems.blaming("decision"):
            sent = engine.decide_approval(
                task, body["decision"], body["comment"], actor=self.actor()
            )
        answer = next(event for event in sent.events if isinstance(event, asl.TaskSucceeded))
        return Response({"id": task_id, **models.without_tokens(answer.output)})

    def _refuse(self, execution_id: uuid.UUID, seq: int) -> NoReturn:
        """404; but who could have decided an approval that has ended is told that it has."""
        events = models.Event.objects.filter(
            execution=execution_id, seq=seq, type=asl.TaskStarted.__name__
        )
        event = events.select_related("execution__workflow").first()
        if event is not None:
            fields = event.public_fields
            reader = Reader(self.request.user, event.execution)
            if reader.is_approval(fields) and reader.sees_task(fields):
                raise asl.NotPending(
                    f"task {seq} is not pending: it was decided, or is no longer asked"
                )
        raise Http404


def _with_execution(tasks: Any) -> Any:
    return tasks.select_related("execution__workflow").defer(
        "execution__input",
        "execution__output",
        "execution__cause",
        "execution__workflow__description",
    )


def _task_key(text: str) -> tuple[uuid.UUID, int]:
    """The execution and the seq that a task's id names. Raises Http404 where it is none."""
    place, _, number = text.partition(".")
    key = _uuid(place)
    if key is None or not (number.isascii() and number.isdigit()) or len(number) > 9:
        raise Http404
    return key, int(number)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        key = uuid.UUID(text)
    except ValueError:
        return None
    # UUID() would also read braces, and no dashes: one execution has one address.
    return key if str(key) == text else None


# -- activities ----------------------------------------------------------------------------


# In a transaction it would wait for what it can't see.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class Activity(View):
    def post(self, request: Request, name: str) -> Response:
        """Fetch the oldest task of the activity *name*; 204 where there is none."""
        permissions.authorize(self.actor(), Action.WORK_ACTIVITIES)
        body = requests.read_body(requests.ActivityBody, request)
        taken = activities.wait_for(
            name,
            body.get("worker_name"),
            actor=self.actor(),
            seconds=min(body["wait_seconds"], conf.current().activity_wait_seconds),
        )
        if taken is None:
            return Response(status=204)
        return Response({"task_token": taken.token, "input": taken.input})


# -- tokens --------------------------------------------------------------------------------


class _Token(View):
    """Answers a task for whoever has its token; nobody needs to be known."""

    authentication_classes = []
    permission_classes = [AllowAny]

    body: type[requests.TokenBody]

    def post(self, request: Request) -> Response:
        if not conf.current().answer_by_token:
            raise Http404
        body = requests.read_body(self.body, request)
        try:
            with problems.blaming("output"):
                self.answer(**body)
        except engine.InvalidToken as error:
            # One answer for all that is no token: who guesses learns nothing.
            raise problems.TokenRefused(error, "This is no token of a task.") from None
        except asl.NotPending as error:
            raise problems.TokenRefused(error, "The task awaits no answer any more.") from None
        return Response(status=204)

    def answer(self, *, token: str, **said: Any) -> None:
        raise NotImplementedError


class TokenSuccess(_Token):
    body = requests.TokenSuccessBody

    def answer(self, *, token: str, **said: Any) -> None:
        engine.complete_by_token(token, said["output"])


class TokenFailure(_Token):
    body = requests.TokenFailureBody

    def answer(self, *, token: str, **said: Any) -> None:
        engine.fail_by_token(token, said.get("error"), said.get("cause"))


class TokenHeartbeat(_Token):
    body = requests.TokenBody

    def answer(self, *, token: str, **said: Any) -> None:
        engine.heartbeat_by_token(token)
