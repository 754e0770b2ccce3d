"""The world outside of the shop, played: a fraud service, a bank.

Both do the same for the same order each time, so that a run of the demonstration
can be checked. Neither is reliable; that is what the workflow is there for.
"""

import zlib


class ServiceUnavailable(Exception):
    """The fraud service is overloaded."""


class BankBusy(Exception):
    """The bank asks to be called again later."""


class CardDeclined(Exception):
    """The bank refuses the charge, and will again."""


def times_unavailable(order: str) -> int:
    """How often the fraud service fails for *order* before it answers."""
    match zlib.crc32(order.encode()) % 40:
        case 0:
            return 1000
        case 1 | 2:
            return 2
        case 3 | 4 | 5 | 6:
            return 1
        case _:
            return 0


def fraud_score(order: str, email: str, total_cents: int, *, attempt: int) -> tuple[int, list[str]]:
    """A number from 0 to 100, and what speaks for fraud. Raises ServiceUnavailable."""
    if attempt < times_unavailable(order):
        raise ServiceUnavailable(f"HTTP 503 for {order}, try again later")
    reasons = []
    score = 5
    if email.endswith("@throwaway.example"):
        score += 90
        reasons.append("the address is thrown away after use")
    if total_cents > 1_000_000:
        score += 20
        reasons.append("it is much money")
    return min(score, 100), reasons


def charge(card: str, *, attempt: int) -> None:
    """Raises BankBusy or CardDeclined."""
    if card.startswith("tok_busy") and attempt == 0:
        raise BankBusy("too many calls, try again in a second")
    if card.startswith("tok_declined"):
        raise CardDeclined(f"{card} is over its limit")
