"""Order files: JSON lines, one order each, as they come.

Nothing is lost in silence: each line of a file is an order that is started, an
order that is known already, or skipped with the reason.
"""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django_workflows import engine
from django_workflows.actors import Actor
from django_workflows.models import Workflow, is_name

from shop.models import Line, Order

#: Orders over more than this go to a manager.
APPROVAL_LIMIT_CENTS = 100_000
#: No order may be over as much as this, nor one of its numbers.
MOST = 10**16
MOST_LINES = 100


class Unusable(ValueError):
    """A line of the file is no order that we can take; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    article: str
    quantity: int
    price_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOrder:
    """An order as the file has it, checked."""

    number: str
    placed_at: datetime
    customer: str
    email: str
    country: str
    card: str
    items: tuple[Item, ...]

    @property
    def total_cents(self) -> int:
        return sum(item.quantity * item.price_cents for item in self.items)

    @property
    def workflow_input(self) -> dict:
        """What an execution of the workflow ``order`` begins with."""
        return {
            "order": self.number,
            "placed_at": self.placed_at.isoformat(),
            "customer": {"name": self.customer, "email": self.email, "country": self.country},
            "card": self.card,
            "lines": [
                {
                    "article": item.article,
                    "quantity": item.quantity,
                    "price_cents": item.price_cents,
                }
                for item in self.items
            ],
            "total_cents": self.total_cents,
            "total": f"{self.total_cents // 100:,}.{self.total_cents % 100:02} EUR",
            "approval_limit_cents": APPROVAL_LIMIT_CENTS,
        }

    @property
    def content_hash(self) -> str:
        text = json.dumps(self.workflow_input, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Skipped:
    line: int
    reason: str


@dataclass(slots=True)
class Report:
    """What became of each line of a file."""

    started: list[str] = field(default_factory=list)
    #: In the file once more, or imported before, and just the same.
    known: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    lines: int = 0

    def text(self) -> str:
        parts = [
            f"{self.lines} lines: {len(self.started)} orders started,"
            f" {len(self.known)} known already, {len(self.skipped)} skipped"
        ]
        lines: dict[str, list[str]] = {}
        for skipped in self.skipped:
            lines.setdefault(skipped.reason, []).append(str(skipped.line))
        for reason, numbers in lines.items():
            parts.append(f"  line {', '.join(numbers)}: {reason}")
        return "\n".join(parts)


def import_orders(path: Path, *, actor: Actor) -> Report:
    """Start an execution for each order of the file *path* that is new.

    Safe to repeat, and to break off at any time: an order and its execution are
    made in one transaction, and the order's number is the execution's name.
    """
    workflow = Workflow.objects.get(name="order")
    report = Report()
    for line, found in read(path):
        report.lines += 1
        if isinstance(found, Skipped):
            report.skipped.append(found)
            continue
        with transaction.atomic():
            known = Order.objects.filter(number=found.number).first()
            if known is None:
                _save(found)
                engine.start(workflow, found.workflow_input, name=found.number, actor=actor)
                report.started.append(found.number)
            elif known.content_hash == found.content_hash:
                report.known.append(found.number)
            else:
                reason = f"there is another order with the number {found.number}"
                report.skipped.append(Skipped(line, reason))
    return report


def read(path: Path) -> Iterator[tuple[int, ReadOrder | Skipped]]:
    """Each line of the file, with its number: an order, or why it is none."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield number, parse(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except Unusable as problem:
                yield number, Skipped(number, str(problem))


def parse(line: bytes) -> ReadOrder:
    """The order in *line*. Raises Unusable."""
    data = _json(line)
    if not isinstance(data, dict):
        raise Unusable(f"expected an object, found {type(data).__name__}")
    number = _text(data, "order", 40)
    if not is_name(number):
        raise Unusable(f"order: {number!r} has characters that no order number has")
    customer = _member(data, "customer", dict)
    items = _member(data, "lines", list)
    if not 1 <= len(items) <= MOST_LINES:
        raise Unusable(f"lines: expected 1 to {MOST_LINES}, found {len(items)}")
    order = ReadOrder(
        number=number,
        placed_at=_moment(data, "placed_at"),
        customer=_text(customer, "name", 200),
        email=_text(customer, "email", 254),
        country=_text(customer, "country", 2),
        card=_text(data, "card", 60),
        items=tuple(_item(item) for item in items),
    )
    if order.total_cents >= MOST:
        raise Unusable("lines: the sum is beyond what can be paid")
    return order


def _save(read: ReadOrder) -> None:
    order = Order.objects.create(
        number=read.number,
        placed_at=read.placed_at,
        customer=read.customer,
        email=read.email,
        country=read.country,
        total_cents=read.total_cents,
        content_hash=read.content_hash,
    )
    Line.objects.bulk_create(
        Line(
            order=order,
            position=position,
            sku=item.article,
            quantity=item.quantity,
            price_cents=item.price_cents,
        )
        for position, item in enumerate(read.items, start=1)
    )


def _json(line: bytes) -> object:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise Unusable(f"not UTF-8: {error.reason}") from None
    if not text.strip():
        raise Unusable("an empty line")
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_object)
    except Unusable:
        raise
    except RecursionError:
        raise Unusable("not JSON that anyone would send: nested too deeply") from None
    except ValueError as error:
        raise Unusable(f"not JSON: {re.split(r'[:(]', str(error))[0].strip()}") from None


def _no_number(name: str) -> None:
    raise Unusable(f"not JSON: {name}")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise Unusable(f"{twice}: is there twice")
    return members


def _member(data: dict, name: str, kind: type):
    if name not in data:
        raise Unusable(f"{name}: is missing")
    if not isinstance(data[name], kind):
        raise Unusable(f"{name}: expected {kind.__name__}, found {type(data[name]).__name__}")
    return data[name]


def _text(data: dict, name: str, length: int) -> str:
    text = _member(data, name, str)
    if not text.strip() or len(text) > length:
        raise Unusable(f"{name}: expected 1 to {length} characters, found {len(text)}")
    # Control characters and halves of surrogate pairs, which databases refuse.
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise Unusable(f"{name}: has a character that can't be stored")
    return text


def _moment(data: dict, name: str) -> datetime:
    text = _text(data, name, 40)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unusable(f"{name}: expected a moment such as 2026-03-02T10:00:00Z") from None
    if moment.tzinfo is None:
        raise Unusable(f"{name}: has no time zone")
    return moment


def _item(data: object) -> Item:
    if not isinstance(data, dict):
        raise Unusable(f"lines: expected objects, found {type(data).__name__}")
    return Item(
        article=_text(data, "article", 40),
        quantity=_count(data, "quantity", 1),
        price_cents=_count(data, "price_cents", 0),
    )


def _count(data: dict, name: str, least: int) -> int:
    number = _member(data, name, int)
    if isinstance(number, bool) or not least <= number < MOST:
        raise Unusable(f"{name}: expected a whole number from {least}, found {number}")
    return number
