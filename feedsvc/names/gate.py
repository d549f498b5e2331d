"""The one gate that every name passes before it stands on a list, in a pattern, in a feed.

It asks what the strictest of all readers asks (resolvers with RPZ, firewalls, proxies): lower-case letters, digits, hyphens
and underscores, two labels or more, below a top-level domain that exists, nobody's shared parent. It decides on decoded
labels, rejects, never repairs, and says why. Which names are ours or allowed is not known here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import idna

from feedsvc.errors import NameRefused
from feedsvc.names import suffixes
from feedsvc.names.netblocks import is_address
from feedsvc.names.spelling import decode_label, idna_fault, parse_name, split_labels

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # what makes a URL parser read the whole name as an IPv4 address


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a name may leave, and if not, why. True in a condition when it may."""

    name: str
    reason: str | None = None

    def __bool__(self) -> bool:
        return self.reason is None


def publishable(name: str) -> Verdict:
    """Judge whether a name may leave.

    Args:
        name: in any spelling; it is decoded first, and a text that does not decode is refused with that reason.

    Returns:
        A verdict whose `name` is canonical (as given, where it does not decode) and, when refused, whose `reason` completes
        "not publishable: …". No reason carries a byte that was not printable ASCII.
    """
    try:
        canonical = parse_name(name)
    except NameRefused as err:
        return Verdict(name, str(err))
    if not _HOST.fullmatch(canonical) and is_address(name):
        return Verdict(canonical, "IP address")
    return Verdict(canonical, _why_not(canonical))


def _why_not(name: str) -> str | None:
    labels = split_labels(name)
    if not _HOST.fullmatch(name):
        odd = next(filter(None, map(_why_not_host_label, labels)), None)
        return odd or _why_not_place(name, labels) or "single label"
    return _why_not_spelling(name, labels) or _why_not_place(name, labels)


def _why_not_host_label(label: str) -> str | None:
    """Why a label is no label of a host name; None when it is one."""
    octets = decode_label(label)
    if octets == b"*":
        return "wildcard label"
    odd = next((byte for byte in octets if not re.match(r"[a-z0-9_-]", chr(byte))), None)
    if odd is not None:
        return _name_byte(odd)
    if label.startswith("-") or label.endswith("-"):
        return f"label {label!r} begins or ends with a hyphen"
    return None


def _name_byte(byte: int) -> str:
    if byte == ord("."):
        return "dot inside a label"
    if byte == ord("\\"):
        return "backslash"
    if byte == ord(" "):
        return "blank"
    if byte < 0x20 or byte == 0x7F:
        return f"control byte 0x{byte:02x}"
    if byte > 0x7F:
        return f"byte 0x{byte:02x} beyond ASCII"
    return f"character {chr(byte)!r}"


def _why_not_spelling(name: str, labels: list[str]) -> str | None:
    if _NUMBER.fullmatch(labels[-1]):
        return "IP address" if is_address(name) else "ends in a number, as an IP address does"
    if "rpz-" in name and any(label.startswith("rpz-") for label in labels):
        return "label that reads as a response policy trigger (rpz-)"
    if "--" not in name:
        return None
    return next(filter(None, map(_why_not_a_label, labels)), None)


def _why_not_a_label(label: str) -> str | None:
    if label[2:4] != "--":
        return None
    if not label.startswith("xn--"):
        return f"label {label!r} has hyphens in third and fourth place (RFC 5891, 4.2.3.1)"
    try:
        idna.ulabel(label)
    except UnicodeError as err:  # IDNAError is one
        return f"label {label!r} is no A-label ({idna_fault(err)})"
    return None


def _why_not_place(name: str, labels: list[str]) -> str | None:
    """Why nobody's name can, or nobody's alone does, stand at this place of the tree."""
    special = suffixes.special_use_zone(labels)
    if special is not None:
        return f"special-use zone {special!r}"
    parent = suffixes.registered_domain(name)
    if parent is None:
        if suffixes.is_public_suffix(name):
            return f"public suffix ({suffixes.suffix_section(name)} section)"
        return f"unknown top-level domain {labels[-1]!r}" if len(labels) > 1 else None
    if "_" in parent:
        return "underscore in the registered domain"
    if name in suffixes.shared_parents():
        return "public suffixes lie below it"
    return None
