"""How wide a text is, where it is broken, and what of it may stand in XML.

No font is asked: the width of a letter is that of its class in the widest of the
usual sans-serif fonts, so that what fits here fits in all of them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

_NARROW = frozenset("iljIt.,:;'`|!()[]{}fr/\\ \"-°")
_BROAD = frozenset("mwMW@%&—")
#: What XML 1.0 has no way to write, and what turns the direction of what follows.
_UNFIT = re.compile(
    "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]"
)
#: A good place for a new line is after these.
_BREAK_AFTER = frozenset("-_./:,·")
_SPACES = re.compile(r"\s+")


@lru_cache(maxsize=4096)
def _letter_width(letter: str) -> float:
    """In ems."""
    if letter in _NARROW:
        return 0.42
    if letter in _BROAD:
        return 1.0
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(letter) in ("W", "F"):
        return 1.1
    if letter.isupper():
        return 0.74
    if letter.isascii():
        return 0.63
    return 0.8 if ord(letter) > 0x2000 else 0.7


def width(text: str, size: float) -> float:
    """How wide *text* is at a font size of *size*."""
    return sum(_letter_width(letter) for letter in text) * size


def one_line(text: str) -> str:
    """*text* with every stretch of white space as one space."""
    return _SPACES.sub(" ", text).strip()


def shortened(text: str, size: float, limit: float) -> str:
    """*text* on one line, its end left off where it is wider than *limit*."""
    text = one_line(text)
    if width(text, size) <= limit:
        return text
    room = limit - size
    used = 0.0
    for place, letter in enumerate(text):
        used += _letter_width(letter) * size
        if used > room:
            return text[:place].rstrip() + "…"
    return text


def wrapped(text: str, size: float, limit: float, lines: int) -> tuple[str, ...]:
    """*text* on up to *lines* lines of up to *limit*; the last is shortened if it must be."""
    rest = one_line(text)
    done: list[str] = []
    while rest:
        if len(done) == lines - 1:
            done.append(shortened(rest, size, limit))
            break
        place = _break(rest, size, limit)
        done.append(rest[:place].rstrip())
        rest = rest[place:].lstrip()
    return tuple(done) or ("",)


def _break(text: str, size: float, limit: float) -> int:
    """Before which letter the next line begins."""
    used = 0.0
    space = sign = 0
    for place, letter in enumerate(text):
        used += _letter_width(letter) * size
        if used > limit and place and letter != " ":
            # Not for the sake of a short word; and a letter keeps its accents.
            for good in (space, sign):
                if good > place * 0.4:
                    return good
            while place > 1 and _letter_width(text[place]) == 0:
                place -= 1
            return place
        if letter == " ":
            space = place + 1
        elif letter in _BREAK_AFTER or letter.islower():
            following = text[place + 1 : place + 2]
            if following.isupper() or (letter in _BREAK_AFTER and following.isalpha()):
                sign = place + 1  # or in camelCase
    return len(text)


def fit(text: str) -> str:
    """*text* without what XML can't hold."""
    return _UNFIT.sub("\ufffd", text)


def escaped(text: str) -> str:
    """*text* as the content of an element."""
    return escape(fit(text)).replace("\r", "&#13;")


def quoted(text: str) -> str:
    """*text* as the value of an attribute, with its quotation marks."""
    return quoteattr(fit(text))
