"""Foreign text as it may be shown and kept: with no secret in it.

A provider's error page may repeat the key it was asked with, and so may a row of its answer, so nothing that comes from
outside is shown but through `shown`, and nothing is kept of which `holds_secret` says so.
"""

from __future__ import annotations

import codecs
import functools
import html
import html.entities
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from feedsvc import names
from feedsvc.errors import NameRefused

STARS = "********"
SHOWN = 200  # characters of foreign text in an error or a sample, as model.Refused has it
_READ = 65_536  # of which so many are looked at
_TELLING = 4  # letters of a secret's beginning that are no chance
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
        """Text on one line: secrets starred, what does not print escaped, cut to 200 characters.

        The text may have been cut already, in the middle of a secret: its beginning at the end of the text is starred too.
        """
        if isinstance(text, bytes):
            text = _decoder("backslashreplace").decode(text[:_READ])
        text = self._starred(text[:_READ].strip())
        safe = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text[:SHOWN]
        )
        return safe if len(text) <= SHOWN and len(safe) <= SHOWN else safe[: SHOWN - 1] + "…"

    def holds_secret(self, text: str) -> bool:
        """Whether a secret stands in a text, in any of its spellings, that of a domain name among them.

        One of few letters must be a word of its own there: a password `web` is no reason to lose `webmail.example.net`.
        """
        pattern = _kept_pattern(self.secrets)
        return pattern is not None and pattern.search(text) is not None

    def seeker(self) -> Callable[[str], object] | None:
        """As `holds_secret` for canonical names alone, and as fast as can be: not None when there is one.

        None where there is no secret.
        """
        pattern = _names_pattern(self.secrets)
        return None if pattern is None else pattern.search

    def _starred(self, text: str) -> str:
        hidden = self.secrets + self.usernames
        pattern = _shown_pattern(hidden)
        if pattern is None:
            return text
        starred = pattern.sub(STARS, text)
        begun = max((_begun(starred.lower(), spelling) for one in hidden for spelling in _beginnings(one)), default=0)
        return starred[: len(starred) - begun] + STARS if begun else starred


_decoder = codecs.getincrementaldecoder("utf-8")  # leaves a character out that was cut in its middle

OPEN = Discretion()
"""Nothing to hide."""


def shown(text: bytes | str) -> str:
    """Foreign text as it may be shown where no secret was used to get it."""
    return OPEN.shown(text)


@functools.lru_cache(maxsize=256)
def _shown_pattern(hidden: tuple[str, ...]) -> re.Pattern[str] | None:
    return _one_of([spelling for secret in hidden for spelling in (_spelt(secret), *_names(secret))])


@functools.lru_cache(maxsize=256)
def _kept_pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    return _one_of([_as_word(one, secret) for secret in secrets for one in (_spelt(secret), *_names(secret))])


@functools.lru_cache(maxsize=256)
def _names_pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    return _one_of([_as_word(name, secret) for secret in secrets for name in _names(secret)])


def _one_of(spellings: list[str]) -> re.Pattern[str] | None:
    # The longest first: where one is a part of another, no rest of that one is left to be seen.
    either = "|".join(sorted(set(spellings) - {""}, key=len, reverse=True))
    return re.compile(either, re.IGNORECASE) if either else None


def _as_word(spelling: str, secret: str) -> str:
    if len(secret) >= _SHORT or not spelling:
        return spelling
    return f"(?<![0-9A-Za-z])(?:{spelling})(?![0-9A-Za-z])"


def _spelt(secret: str) -> str:
    """What finds a secret whatever a URL, a JSON or an HTML makes of its single characters."""
    return "".join(map(_any_form, secret))


def _any_form(char: str) -> str:
    if char.isascii() and char.isalnum():
        return char
    octets = char.encode("utf-8", "surrogatepass")
    forms = {
        char,
        f"\\{char}",  # JSON (RFC 8259 §7) may escape a slash, and some servers do
        json.dumps(char)[1:-1],
        f"\\u{ord(char):04x}",
        "".join(f"%{octet:02x}" for octet in octets),
        quote_plus(octets),
        html.escape(char),
        f"&#{ord(char)};",
        f"&#x{ord(char):x};",
    }
    if ord(char) in html.entities.codepoint2name:
        forms.add(f"&{html.entities.codepoint2name[ord(char)]};")
    return f"(?:{'|'.join(map(re.escape, sorted(forms, key=len, reverse=True)))})"


@functools.lru_cache(maxsize=256)
def _beginnings(secret: str) -> tuple[str, ...]:
    in_json = json.dumps(secret)[1:-1]
    spelt = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), in_json, html.escape(secret)}
    return tuple({one.lower() for one in (*spelt, in_json.replace("/", "\\/"))})


def _begun(text: str, spelling: str) -> int:
    """How many letters at the end of a text are the beginning of a secret; 0 when they may be so by chance."""
    longest = min(len(text), len(spelling))
    return next((size for size in range(longest, _TELLING - 1, -1) if text.endswith(spelling[:size])), 0)


def _names(secret: str) -> set[str]:
    """What finds the name that a secret was taken for, and the label."""
    readings: tuple[Callable[[], str], ...] = (
        lambda: names.parse_name(secret),
        lambda: names.encode_labels([secret.encode()]),
    )
    found = set()
    for read in readings:
        try:
            found.add(re.escape(read()))
        except (NameRefused, UnicodeEncodeError):
            continue
    return found
