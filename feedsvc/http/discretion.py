"""Foreign text as it may be shown and kept: with no secret in it.

A provider's error page may repeat the key it was asked with, and so may a row of its answer, so nothing that comes from
outside is shown but through `shown`, and nothing is kept of which `holds_secret` says so.
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from feedsvc import names
from feedsvc.errors import NameRefused

STARS = "********"
SHOWN = 200  # characters of foreign text in an error or a sample, as model.Refused has it
_READ = 4096  # of which so many are looked at
_SHORT = 8  # letters of a secret below which other words may have it in them


@dataclass(frozen=True, slots=True)
class Discretion:
    """What an answer must not betray: that which it was asked with.

    Attributes:
        secrets: keys, passwords, tokens.
        usernames: they are not shown either, but prove nothing alone, and may well be a part of a domain name.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    usernames: tuple[str, ...] = field(default=(), repr=False)

    def __add__(self, other: Discretion) -> Discretion:
        """Both together."""
        return Discretion(self.secrets + other.secrets, self.usernames + other.usernames)

    def shown(self, text: bytes | str) -> str:
        """Text on one line: secrets starred, what does not print escaped, cut to 200 characters."""
        if isinstance(text, bytes):
            text = text[:_READ].decode("utf-8", "backslashreplace")
        text = self._starred(text[:_READ].strip())
        safe = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text[:SHOWN]
        )
        return safe if len(text) <= SHOWN and len(safe) <= SHOWN else safe[: SHOWN - 1] + "…"

    def holds_secret(self, text: str) -> bool:
        """Whether a secret stands in a text, in any of its spellings, that of a domain name among them.

        One of few letters must be a word of its own there: a password `web` is no reason to lose `webmail.example.net`.
        """
        seek = self.seeker()
        return seek is not None and seek(text) is not None

    def seeker(self) -> Callable[[str], object] | None:
        """What looks for a secret as `holds_secret` does, and is not None when it found one; None where there is none."""
        pattern = _kept_pattern(self.secrets)
        return None if pattern is None else pattern.search

    def _starred(self, text: str) -> str:
        pattern = _shown_pattern(self.secrets + self.usernames)
        return text if pattern is None else pattern.sub(STARS, text)


OPEN = Discretion()
"""Nothing to hide."""


def shown(text: bytes | str) -> str:
    """Foreign text as it may be shown where no secret was used to get it."""
    return OPEN.shown(text)


@functools.lru_cache(maxsize=256)
def _shown_pattern(hidden: tuple[str, ...]) -> re.Pattern[str] | None:
    return _one_of([re.escape(spelling) for secret in hidden for spelling in _spellings(secret)])


@functools.lru_cache(maxsize=256)
def _kept_pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    return _one_of([_as_word(spelling) for secret in secrets for spelling in _spellings(secret)])


def _one_of(spellings: list[str]) -> re.Pattern[str] | None:
    # The longest first: where one is a part of another, no rest of that one is left to be seen.
    either = "|".join(sorted(set(spellings), key=len, reverse=True))
    return re.compile(either, re.IGNORECASE) if either else None


def _as_word(spelling: str) -> str:
    found = re.escape(spelling)
    return found if len(spelling) >= _SHORT else rf"(?<![0-9A-Za-z]){found}(?![0-9A-Za-z])"


def _spellings(secret: str) -> set[str]:
    in_text = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret)}
    return (in_text | _as_names(secret)) - {""}


def _as_names(secret: str) -> set[str]:
    """How a name reads that a secret was taken for, and a label."""
    readings: tuple[Callable[[], str], ...] = (
        lambda: names.parse_name(secret),
        lambda: names.encode_labels([secret.encode()]),
    )
    found = set()
    for read in readings:
        try:
            found.add(read())
        except (NameRefused, UnicodeEncodeError):
            continue
    return found
