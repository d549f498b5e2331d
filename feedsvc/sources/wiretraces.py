r"""Traces of addresses and names in logs that hold DNS messages as octets, or as octets in hexadecimal digits.

An address record of the Internet class has four octets of TTL behind its class, and then the length of its address and the
address itself (RFC 1035 §3.2.1, RFC 3596 §2.2): so many octets in a row are as good as proof. A label stands in one piece,
in any case (RFC 1035 §4.1.4 compresses whole labels). What programs ship may be any of that, and text, in other texts.

Pure; see `feedsvc.sources.traces`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence

from feedsvc.names import Netblock
from feedsvc.sources.traces import JSON, MOST, PRESENTATION, ZEEK, Trace, text_traces

_MAPPED = (bytes(10) + b"\xff\xff").hex()
# Who reads hexadecimal digits may pass over blanks between two octets, and in JSON those are escapes.
_BLANKS = rb"(?:\s|\\+(?:[tnrf]|u00(?:0[9a-d]|20)))*"

_UTF_16 = Trace(rb"\x00", "pattern")  # every other octet of it
# What may stand within a text of XML and spell a letter, or nothing; some writers of JSON escape its signs.
_XML = (
    Trace(rb"(?:&|u0026)(?:#|\\+u0023)", "pattern"),
    Trace(rb"(?:<|u003c)(?:!|\\+u0021|(?:\?|\\+u003f)(?:[^x]|x[^m]))", "pattern"),
)

Spell = Callable[[str], bytes]
"""Makes the pattern of octets that begin with these hexadecimal digits; a single digit at the end is half of one."""


def message_traces(netblocks: Sequence[Netblock], names: Sequence[str]) -> tuple[Trace, ...] | None:
    """Of messages as they are on the wire; None when every one would have to be read."""
    return _traces(netblocks, names, _octets, rb"\x00\x01[\x00-\xff]{4}\x00")


def octet_traces(netblocks: Sequence[Netblock]) -> tuple[Trace, ...] | None:
    """Of addresses as octets, whatever stands around them; None when every record would have to be read."""
    return _traces(netblocks, (), _octets, None)


def hexadecimal_traces(netblocks: Sequence[Netblock], names: Sequence[str]) -> tuple[Trace, ...] | None:
    """Of messages in hexadecimal digits; None when every one would have to be read."""
    return _traces(netblocks, names, _digits, _digits("00"))


def _traces(
    netblocks: Sequence[Netblock], names: Sequence[str], spell: Spell, before: bytes | None
) -> tuple[Trace, ...] | None:
    """Those of addresses and names.

    Args:
        before: the pattern of what stands before the last octet of an address's length; None: not even that does.
    """
    in_names = text_traces((), names, idna=False)
    cidrs = [cidr for block in netblocks for cidr in block.cidrs()]
    if in_names is None or len(cidrs) > MOST:
        return None
    found: list[bytes] = []
    for cidr in cidrs:
        digits = _shared(cidr)
        if len(digits) < 2:
            return None
        found += _addresses(digits, ":" in cidr, spell, before)
    patterns = [Trace(pattern, "pattern") for pattern in dict.fromkeys(found)]
    if spell is _octets:
        return (*patterns, *in_names)
    return (*patterns, *(Trace(_any_case(trace.text), "pattern") for trace in in_names))


def _shared(cidr: str) -> str:
    """The hexadecimal digits that all addresses of a netblock share."""
    net = ipaddress.ip_network(cidr)
    return net.network_address.packed.hex()[: net.prefixlen // 4]


def _addresses(digits: str, is_six: bool, spell: Spell, before: bytes | None) -> Iterator[bytes]:
    if before is None:
        yield spell(digits)
    elif is_six:
        yield _joined(before, spell("10" + digits), spell)
    else:
        yield _joined(before, spell("04" + digits), spell)
        yield _joined(before, spell("10" + _MAPPED + digits), spell)


def _joined(before: bytes, behind: bytes, spell: Spell) -> bytes:
    return before + behind if spell is _octets else before + _BLANKS + behind


def _octets(digits: str) -> bytes:
    whole = b"".join(rb"\x%b" % digits[at : at + 2].encode() for at in range(0, len(digits) - 1, 2))
    return whole + (rb"[\x%b0-\x%bf]" % ((digits[-1:].encode(),) * 2) if len(digits) % 2 else b"")


def _digits(digits: str) -> bytes:
    return _BLANKS.join(digits[at : at + 2].encode() for at in range(0, len(digits), 2))


def _any_case(text: bytes) -> bytes:
    """The hexadecimal digits of letters in any case."""
    cases = (sorted({letter.lower(), letter.upper()}) for letter in text.decode())
    return _BLANKS.join(b"(?:" + b"|".join(b"%02x" % ord(one) for one in both) + b")" for both in cases)


def shipped_traces(netblocks: Sequence[Netblock], names: Sequence[str]) -> tuple[Trace, ...] | None:
    """Of logs that programs ship in JSON, XML or CSV, whatever they are of; None when all would have to be read."""
    in_text = text_traces(netblocks, names, (JSON, ZEEK, PRESENTATION))
    in_digits = hexadecimal_traces(netblocks, names)
    if in_text is None or in_digits is None:
        return None
    return (*in_text, *in_digits, _UTF_16, *_XML) if in_text else ()
