"""A day in the shop, played through from outside, and then looked at closely.

Managers use the admin's pages over HTTP, the warehouse answers through the API;
neither does anything that a browser or another company's computer could not do.
"""

import itertools
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

from django.db.models import Sum
from django_workflows import actors, asl, engine
from django_workflows.models import Event, Execution, Status, Workflow

from shop import people
from shop.demo import expected
from shop.demo.browser import Browser, UnexpectedAnswer
from shop.demo.expected import Expectation
from shop.demo.site import Site
from shop.demo.story import story
from shop.models import Article, Order, Payment, Reservation, ShippingRequest
from shop.orders import import_orders

INBOX = "/admin/django_workflows/task/"
#: Well within the two minutes that the whole may take.
PATIENCE_SECONDS = 100
QUIET_WAITS = 5
#: A wait of one second is to end within half a second of its moment.
TOLERATED = timedelta(seconds=0.5)
#: What no single wait may be late by, however busy the machine is.
CLEARLY_OFF = timedelta(seconds=2)

Say = Callable[[str], None]


class CheckFailed(Exception):
    """Something is not as it should be; the message says what, a line each."""


@dataclass
class Problems:
    """What is off: all of it is found before anything is said."""

    found: list[str] = field(default_factory=list)

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.found.append(otherwise)

    def equal(self, what: str, found: object, right: object) -> None:
        self.expect(found == right, f"{what}: expected {right}, found {found}")

    def report(self) -> None:
        if self.found:
            shown = self.found[:20]
            if len(self.found) > len(shown):
                shown.append(f"... and {len(self.found) - len(shown)} more")
            raise CheckFailed("\n".join(shown))


def check(site: Site, file: Path, say: Say) -> None:
    """Raises CheckFailed, UnexpectedAnswer or SiteError with what is off."""
    received = dict(Article.objects.values_list("sku", "received"))
    right = expected.expectations(file, received)
    began = time.monotonic()
    _import(file, right, say)
    _play(site, right, say)
    say(f"All executions have ended, after {time.monotonic() - began:.1f} s.")
    _wait_in_quiet(site)
    say("\n" + outcomes() + "\n")
    problems = Problems()
    _check_ends(right, problems)
    _check_logs(right, problems)
    _check_money(right, problems)
    _check_stock(right, problems)
    say(_check_lateness(problems))
    say("\n" + story(_showpiece(right)) + "\n")
    problems.report()
    say("Orders, payments, stock and histories add up.")


# -- playing -------------------------------------------------------------------------------


def _import(file: Path, right: dict[str, Expectation], say: Say) -> None:
    actor = actors.system("demo")
    report = import_orders(file, actor=actor)
    say(report.text())
    again = import_orders(file, actor=actor)
    say(f"Once more: {again.text().splitlines()[0]}")
    problems = Problems()
    missing = sorted(right.keys() - set(report.started))
    surplus = sorted(set(report.started) - right.keys())
    problems.expect(not missing, f"orders that were not started: {missing}")
    problems.expect(not surplus, f"orders that should not have been started: {surplus}")
    problems.equal("orders started by importing again", again.started, [])
    for each in (report, again):
        told = len(each.started) + len(each.known) + len(each.skipped)
        problems.equal("lines of the file that were accounted for", told, each.lines)
    problems.report()


def _play(site: Site, right: dict[str, Expectation], say: Say) -> None:
    """Be managers and warehouse until no execution runs any more."""
    managers = [Manager(site, name) for name, group, _ in people.PEOPLE if group == "managers"]
    until = time.monotonic() + PATIENCE_SECONDS
    # One after the other: who opens the inbox later finds what has come meanwhile.
    for manager in itertools.cycle(managers):
        site.check_alive()
        progress = manager.decide() + _answer_letters(site)
        if not Execution.objects.filter(status=Status.RUNNING).exists():
            break
        if time.monotonic() > until:
            raise CheckFailed(_stuck())
        if not progress:
            time.sleep(0.2)
    decided = sum(manager.decided for manager in managers)
    answered = ShippingRequest.objects.exclude(answer="").count()
    say(f"{decided} approvals were decided in the admin, {answered} letters answered by API.")
    problems = Problems()
    asked = sum(each.is_asked for each in right.values())
    problems.equal("approvals that were decided", decided, asked)
    problems.report()


class Manager:
    """Logs in, opens the inbox, reads what is asked, decides."""

    def __init__(self, site: Site, name: str) -> None:
        self.name = name
        self.decided = 0
        self._browser = Browser(site.url)
        self._browser.log_in(name, people.PASSWORD)

    def decide(self) -> int:
        """Decide everything that is in the inbox now; how much that was."""
        inbox = self._browser.get(INBOX)
        asked = {link for link in inbox.links if re.search(rf"{INBOX}\d+/", link)}
        for link in sorted(asked):
            self._decide(link)
        self.decided += len(asked)
        return len(asked)

    def _decide(self, link: str) -> None:
        page = self._browser.get(link)
        title = re.search(r"Order (\S+) over ([\d,.]+) EUR", page.text)
        if title is None:
            raise UnexpectedAnswer(f"{link} does not say which order it is about")
        cents = int(re.sub("[,.]", "", title[2]))
        decision = "reject" if expected.is_rejected(title[1], cents) else "approve"
        form = next((form for form in page.forms if ("decision", decision) in form.buttons), None)
        if form is None:
            raise UnexpectedAnswer(f"{link} has no button to {decision}")
        comment = f"{self.name} looked at it: {decision} ✓"
        answer = self._browser.submit(form, {"comment": comment, "decision": decision})
        if "You decided" not in answer.text:
            raise UnexpectedAnswer(f"{link}: the decision was not taken: {answer.text[:500]}")


def _answer_letters(site: Site) -> int:
    """What the warehouse's computer does with the letters it gets."""
    browser = Browser(site.url)
    letters = list(ShippingRequest.objects.filter(answer="").select_related("order"))
    for letter in letters:
        if letter.order.country == expected.NOWHERE:
            letter.answer, path = "lost", "/api/task-tokens/fail/"
            said = {"error": "ParcelLost", "cause": "Last seen on an ice floe"}
        else:
            letter.answer, path = "shipped", "/api/task-tokens/succeed/"
            said = {"output": {"parcel": f"P-{letter.pk:06}"}}
        status = browser.post_json(path, {"token": letter.token, **said})
        if status != 204:
            raise UnexpectedAnswer(f"the answer to the letter about {letter}: {status}")
        letter.save(update_fields=["answer"])
    if letters:
        # Saying it twice must be refused.
        status = browser.post_json(path, {"token": letters[-1].token, **said})
        if not 400 <= status < 500:
            raise UnexpectedAnswer(f"a token that was used already: {status}")
    return len(letters)


def _stuck() -> str:
    running = Execution.objects.filter(status=Status.RUNNING)
    some = [f"{row}: in {row.current_states} for {row.waiting_for}" for row in running[:10]]
    return "\n".join([f"{running.count()} executions still run after {PATIENCE_SECONDS} s:", *some])


def _wait_in_quiet(site: Site) -> None:
    """A few waits when nothing else is going on, at odd moments."""
    workflow = Workflow.objects.get(name="stocktake")
    for number in range(QUIET_WAITS):
        engine.start(workflow, {}, actor=actors.system("demo"))
        time.sleep(0.17 + 0.11 * number)
    until = time.monotonic() + 10
    while Execution.objects.filter(status=Status.RUNNING).exists():
        site.check_alive()
        if time.monotonic() > until:
            raise CheckFailed("a stocktake still runs after 10 s")
        time.sleep(0.2)


# -- looking -------------------------------------------------------------------------------


def _end(row: Execution) -> str:
    """How it ended, in a word."""
    if row.status == Status.SUCCEEDED and row.workflow.name == "order":
        return row.output["outcome"]
    return row.error or row.status.lower()


def outcomes() -> str:
    """A table: how many executions ended in which way, with how many events and retries."""
    rows = Execution.objects.select_related("workflow")
    ends: dict[tuple[str, str, str], list[Execution]] = {}
    for row in rows:
        ends.setdefault((row.workflow.name, row.status, _end(row)), []).append(row)
    lines = [f"{'workflow':10} {'status':10} {'end':16} {'count':>6} {'events':>7} {'retries':>8}"]
    for (workflow, status, end), found in sorted(
        ends.items(), key=lambda item: (item[0][0], -len(item[1]))
    ):
        events = sum(row.seq for row in found)
        retries = sum(row.retry_count for row in found)
        lines.append(f"{workflow:10} {status:10} {end:16} {len(found):6} {events:7} {retries:8}")
    total = rows.aggregate(events=Sum("seq"), retries=Sum("retry_count"))
    lines.append(f"{'in all':38} {len(rows):6} {total['events']:7} {total['retries']:8}")
    return "\n".join(lines)


def _orders() -> dict[str, Execution]:
    rows = Execution.objects.filter(workflow__name="order").select_related("workflow")
    return {row.name: row for row in rows}


def _check_ends(right: dict[str, Expectation], problems: Problems) -> None:
    rows = _orders()
    problems.equal("executions of orders", len(rows), len(right))
    statuses = dict(Order.objects.values_list("number", "status"))
    for number, wanted in right.items():
        end = _end(rows[number]) if number in rows else "none"
        ends = " or ".join(sorted(wanted.ends))
        problems.expect(end in wanted.ends, f"order {number}: expected {ends}, found {end}")
        status = end if end in (expected.SHIPPED, expected.CANCELLED) else "failed"
        problems.equal(f"status of order {number}", statuses.get(number), status)


def _check_logs(right: dict[str, Expectation], problems: Problems) -> None:
    """No event is missing or doubled; nobody was asked twice."""
    for row in Execution.objects.select_related("workflow"):
        log = engine.log(row.pk)
        problems.equal(
            f"events of {row}", [event.seq for event in log], list(range(1, row.seq + 1))
        )
        problems.expect(
            asl.fold(log).status == row.status, f"{row}: its events don't lead to {row.status}"
        )
        asked = sum(isinstance(e, asl.TaskStarted) and e.resource == "approval" for e in log)
        if row.workflow.name == "order":
            problems.equal(f"approvals asked for {row}", asked, int(right[row.name].is_asked))


def _shipped() -> set[str]:
    return {number for number, row in _orders().items() if _end(row) == expected.SHIPPED}


def _check_money(right: dict[str, Expectation], problems: Problems) -> None:
    shipped = _shipped()
    charged: Counter[str] = Counter()
    charges: Counter[str] = Counter()
    for payment in Payment.objects.select_related("order"):
        number = payment.order.number
        charges[number] += 1
        if payment.status == Payment.Status.CHARGED:
            charged[number] += payment.amount_cents
    for number, wanted in right.items():
        due = wanted.total_cents if number in shipped else 0
        problems.equal(f"cents paid for order {number}", charged[number], due)
        problems.expect(charges[number] <= 1, f"order {number} was charged {charges[number]} times")


def _check_stock(right: dict[str, Expectation], problems: Problems) -> None:
    sold: Counter[str] = Counter()
    for number in _shipped():
        sold.update(right[number].quantities)
    for article in Article.objects.all():
        sku = article.sku
        problems.equal(f"{sku} sold", article.sold, sold[sku])
        problems.equal(f"{sku} reserved", article.reserved, 0)
        problems.equal(f"{sku} available", article.available, article.received - sold[sku])
    left = Reservation.objects.filter(status=Reservation.Status.RESERVED).count()
    problems.equal("reservations that nobody released", left, 0)
    for sku in {wanted.wants_scarce for wanted in right.values()} - {None}:
        left = Article.objects.get(sku=sku).available
        problems.expect(left == 0, f"{left} of {sku} are left, though others went without")


def _check_lateness(problems: Problems) -> str:
    """How much later than their moments the waits ended, and the next handler ran."""
    lines = [f"{'waits of 1 s ended late by':34} {'n':>4} {'median':>8} {'95 %':>8} {'most':>8}"]

    def row(
        what: str,
        late: list[timedelta],
        *,
        typical: timedelta | None = TOLERATED,
        worst: timedelta | None = None,
    ) -> None:
        late = sorted(late)
        if not late:
            problems.found.append(f"{what}: nothing to measure")
            return
        middle, most = median(late), late[-1]
        figures = [middle, late[int(len(late) * 0.95)], most]
        shown = " ".join(f"{each.total_seconds():7.3f}s" for each in figures)
        lines.append(f"  {what:32} {len(late):4} {shown}")
        problems.expect(late[0] >= timedelta(0), f"{what}: ended too early by {-late[0]}")
        if typical is not None:
            problems.expect(middle <= typical, f"{what}: late by {middle} in the median")
        if worst is not None:
            problems.expect(most <= worst, f"{what}: late by up to {most}")

    quiet, busy = _waits("stocktake"), _waits("order")
    row("in quiet", [ended - until for until, ended, _ in quiet], worst=CLEARLY_OFF)
    row("with all orders at once", [ended - until for until, ended, _ in busy], worst=CLEARLY_OFF)
    row("until the next task was done", [after - until for until, _, after in quiet])
    row("the same, with all at once", [after - until for until, _, after in busy], typical=None)
    return "\n".join(lines)


def _waits(workflow: str) -> list[tuple[datetime, datetime, datetime]]:
    """For each finished Wait state: its moment, its end, and when a handler had run after it."""
    rows = Event.objects.filter(
        execution__workflow__name=workflow,
        type__in=["WaitStarted", "WaitFinished", "TaskSucceeded", "TaskFailed"],
    ).order_by("execution", "seq")
    found = []
    until: dict[tuple, datetime] = {}
    ended: dict = {}
    for row in rows:
        event = row.read()
        match event:
            case asl.WaitStarted():
                until[row.execution_id, event.seq] = event.until
            case asl.WaitFinished() if (row.execution_id, event.wait) in until:
                ended[row.execution_id] = until[row.execution_id, event.wait], event.at
            case asl.TaskSucceeded() if row.execution_id in ended:
                found.append((*ended.pop(row.execution_id), event.at))
    return found


def _showpiece(right: dict[str, Expectation]) -> Execution:
    """An execution with a bit of everything: asked about, tried again, shipped."""

    def riches(row: Execution) -> tuple[bool, int, int]:
        return right[row.name].is_asked, row.retry_count, row.seq

    rows = list(_orders().values())
    return max([row for row in rows if _end(row) == expected.SHIPPED] or rows, key=riches)
