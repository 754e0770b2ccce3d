"""How each order of a file must end, worked out from the file alone.

Nothing here asks the importer, the workflow or its handlers: what this says and
what the shop did are found out in two ways, and compared.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shop import outside

APPROVAL_LIMIT_CENTS = 100_000
#: The check's managers reject what is over this, and what they don't like.
REJECTED_ABOVE_CENTS = 20_000_000
DISLIKED_ENDINGS = ("3", "7")
#: Where all parcels get lost.
NOWHERE = "AQ"

SHIPPED = "shipped"
CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    number: str
    total_cents: int
    quantities: Counter[str]
    #: The ends that would be right; more than one where it depends on who is faster.
    ends: frozenset[str]
    is_asked: bool
    #: Of an article of which there is not enough for all.
    wants_scarce: str | None


def is_rejected(number: str, total_cents: int) -> bool:
    """What a manager of the check decides."""
    return total_cents > REJECTED_ABOVE_CENTS or number.endswith(DISLIKED_ENDINGS)


def expectations(path: Path, received: dict[str, int]) -> dict[str, Expectation]:
    """By its number, each order of the file that must be started.

    Whoever made the file gave numbers like A-9001 to all orders that are unusable.
    ``received`` is how many there are of each article, by article number.
    """
    orders: dict[str, dict] = {}
    for line in path.read_bytes().split(b"\n"):
        try:
            order = json.loads(line.decode("utf-8-sig", "replace"))
            number = order["order"]
        except (ValueError, RecursionError, TypeError, KeyError):
            continue
        if isinstance(number, str) and number and not re.search("90[0-9][0-9]", number):
            orders.setdefault(number, order)
    wanted: Counter[str] = Counter()
    for order in orders.values():
        for sku, count in _quantities(order).items():
            if count <= received.get(sku, 0):
                wanted[sku] += count
    scarce = {sku for sku, count in wanted.items() if received[sku] < count}
    return {number: _expectation(order, received, scarce) for number, order in orders.items()}


def _quantities(order: dict) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in order["lines"]:
        counts[line["article"]] += line["quantity"]
    return counts


def _expectation(order: dict, received: dict[str, int], scarce: Iterable[str]) -> Expectation:
    number = order["order"]
    quantities = _quantities(order)
    total = sum(line["quantity"] * line["price_cents"] for line in order["lines"])
    never_answered = outside.times_unavailable(number) > 2
    is_fraud = order["customer"]["email"].endswith("@throwaway.example") and not never_answered
    is_asked = not is_fraud and (never_answered or total > APPROVAL_LIMIT_CENTS)
    possible = all(count <= received.get(sku, 0) for sku, count in quantities.items())
    wants_scarce = next((sku for sku in quantities if sku in scarce), None) if possible else None
    if is_fraud:
        ends = {"FraudSuspected"}
    elif is_asked and is_rejected(number, total):
        ends = {CANCELLED}
    else:
        ends = set()
        if order["card"].startswith("tok_declined"):
            ends.add("CardDeclined")
        if not quantities.keys() <= received.keys():
            ends.add("UnknownArticle")
        if any(count > received.get(sku, count) for sku, count in quantities.items()):
            ends.add("OutOfStock")
        if not ends:
            ends.add("ParcelLost" if order["customer"]["country"] == NOWHERE else SHIPPED)
            if wants_scarce:
                ends.add("OutOfStock")
    return Expectation(
        number=number,
        total_cents=total,
        quantities=quantities,
        ends=frozenset(ends),
        is_asked=is_asked,
        wants_scarce=wants_scarce,
    )
