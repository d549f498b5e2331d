"""Squid's `logformat` directive made into a pattern that reads the lines it writes. Pure.

The language is that of https://www.squid-cache.org/Doc/config/logformat/: literal text, and fields of the form
`%` [quoting] [-] [width] [{argument}] code [{argument}]. A field ends where the literal text behind it begins, so that
text must not stand in it; what is quoted may hold anything. Two fields with nothing between them cannot be told apart and
are refused. Fields that nobody reads are passed over, and the pattern ends with the last one that is read: what others write
behind it, a browser's name for one, can be as it likes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

FIELDS = tuple("seconds thousandths local utc client host_name method url sni domain header way server".split())  # noqa: SIM905
"""Groups of every pattern; those that the log does not have are empty."""

BUILT_IN = {
    "squid": "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt",
    "common": '%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st %Ss:%Sh',
    "combined": '%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st "%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh',
}
"""Formats that Squid knows by their names."""

_READ = {
    "ts": "seconds",
    "tu": "thousandths",
    "tl": "local",
    "tg": "utc",
    ">a": "client",
    ">A": "host_name",
    "rm": "method",
    ">rm": "method",
    "ru": "url",
    ">ru": "url",
    "ssl::>sni": "sni",
    ">rd": "domain",
    ">h": "header",
    "Sh": "way",
    "<a": "server",
}
_DAY = rb"[^ ]{17,24}(?: [+-][0-9]{4})?"
_SHAPES = {"seconds": rb"[0-9]{9,11}", "thousandths": rb"[0-9]{1,3}", "local": _DAY, "utc": _DAY}
_PART = re.compile(
    r"%(?P<literal>%)|%(?P<quoting>[\"'\[#/\\]?)(?P<left>-?)(?P<width>[0-9]*)(?:\.[0-9]+)?(?P<before>\{[^}]*\})?"
    r"(?P<code>(?:[a-z]+::)?[<>]?[A-Za-z_]+)(?P<behind>\{[^}]*\})?|(?P<text>[^%]+)|(?P<odd>%)"
)


class _Part(NamedTuple):
    """A piece of a directive: literal text, or a field."""

    text: str
    field: str
    padded: bool


def compile_logformat(directive: str) -> re.Pattern[bytes]:
    """The pattern of the lines that a directive writes; it matches at their beginning.

    Args:
        directive: what stands behind `logformat NAME` in squid.conf, or the name of a format that Squid knows.

    Raises:
        ValueError: it cannot be read back, or lacks what makes a record; the message says why.
    """
    parts = list(_parts(BUILT_IN.get(directive, directive)))
    if not any(part.field == "server" for part in parts):
        parts = [part._replace(field=part.field.replace("way", "")) for part in parts]  # it says whose address that is
    fields = [part.field for part in parts]
    if not {"seconds", "local", "utc"} & set(fields):
        raise ValueError("has no time; %ts, %tl or %tg is needed")
    if not {"url", "sni", "domain", "header"} & set(fields):
        raise ValueError("has no name; %ru, %ssl::>sni, %>rd or %{Host}>h is needed")
    last = max(number for number, field in enumerate(fields) if field)
    pattern = b"".join(_patterns(parts, last))
    lacking = (field for field in FIELDS if field not in fields)
    return re.compile(pattern + b"".join(b"(?P<%b>)" % field.encode() for field in lacking))


def _parts(directive: str) -> Iterator[_Part]:
    known: set[str] = set()
    for found in _PART.finditer(directive):
        if found["odd"]:
            raise ValueError(f"has a % that begins no field, at character {found.start() + 1}")
        if not found["code"]:
            yield _Part("%" if found["literal"] else found["text"], "", padded=False)
            continue
        field = _field(found)
        yield _Part("", field if field not in known else "", padded=found["width"] != "")
        known.add(field)


def _field(found: re.Match[str]) -> str:
    """What a field is read as; "" when it is passed over."""
    code = found["code"].removeprefix("http::")
    argument = (found["before"] or found["behind"] or "").strip("{}").lower()
    field = _READ.get(code, "")
    if field == "header" and argument != "host":
        return ""
    return "" if field in {"local", "utc"} and argument else field


def _patterns(parts: list[_Part], last: int) -> Iterator[bytes]:
    quoted = False
    for number, part in enumerate(parts[: last + 1]):
        if part.text:
            quoted ^= part.text.count('"') % 2 == 1
            yield re.escape(part.text.encode())
            continue
        behind = parts[number + 1] if number + 1 < len(parts) else None
        if behind is not None and not behind.text:
            raise ValueError("has two fields with nothing between them")
        yield _pattern(part, behind.text[0] if behind else " ", quoted=quoted)
        if number == last:
            yield rb"(?=%b)" % re.escape(behind.text[0].encode()) if behind else rb"(?= |\Z)"  # else it may be cut short


def _pattern(part: _Part, stop: str, *, quoted: bool) -> bytes:
    if quoted and stop == '"':
        value = rb"(?:[^\"\\]|\\.)*"
    else:
        value = b"[^%b%b]*" % (re.escape(stop.encode()), b" " if part.padded else b"")
    value = _SHAPES.get(part.field, value)
    padding = b" *" if part.padded else b""
    group = b"(?P<%b>%b)" % (part.field.encode(), value) if part.field else value
    return padding + group + (padding if stop != " " else b"")
