"""Media types and what a client accepts (TAXII 2.1 §1.6.8; RFC 9110 §12.5.1).

Reads `Accept` as the list it is: weights, optional white space, quoted values, names in any case. Knows one answer only:
`application/taxii+json;version=2.1`, and TAXII forbids to refuse a list that holds it.
"""

from __future__ import annotations

import functools
import re

TAXII = "application/taxii+json;version=2.1"
STIX = "application/stix+json;version=2.1"

_LONGEST_REMEMBERED = 256  # longer lists are read each time: a client must not fill our memory with them
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


def accepts(header: str | None) -> bool:
    """Whether a client that sent this `Accept` (None: none) takes TAXII 2.1.

    The most specific range that matches decides, and a weight of 0 refuses. A weight that is none counts as 1: better an
    answer than a refusal on a formality.
    """
    if header is None or not header.strip():
        return True
    return _accepts_known(header) if len(header) <= _LONGEST_REMEMBERED else _accepts(header)


def _accepts(header: str) -> bool:
    matches = [match for part in _split(header, ",") if (match := _match(part)) is not None]
    return bool(matches) and max(matches)[1] > 0


_accepts_known = functools.lru_cache(maxsize=256)(_accepts)


def _match(media_range: str) -> tuple[int, float] | None:
    """How closely a range fits our type (3 names the version, 0 is `*/*`) and its weight; None when it does not fit."""
    kind, *pieces = _split(media_range, ";")
    parameters = dict(_parameter(piece) for piece in reversed(pieces))
    specificity = {"*/*": 0, "application/*": 1, "application/taxii+json": 2}.get(kind.lower())
    if specificity is None:
        return None
    if specificity == 2 and "version" in parameters:
        if parameters["version"] != "2.1":
            return None
        specificity = 3
    weight = parameters.get("q", "1")
    return specificity, float(weight) if _WEIGHT.fullmatch(weight) else 1.0


def _parameter(piece: str) -> tuple[str, str]:
    name, _, value = piece.partition("=")
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return name.strip().lower(), value


def _split(text: str, separator: str) -> list[str]:
    """Pieces between separators that stand outside of quotes; one pass, whatever the text."""
    pieces: list[str] = []
    start, quoted, escaped = 0, False, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\" and quoted:
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            pieces.append(text[start:at].strip())
            start = at + 1
    pieces.append(text[start:].strip())
    return pieces
