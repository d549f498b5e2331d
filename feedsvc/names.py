r"""Domain names, addresses and netblocks as values.

A name is held as text in one canonical form: labels in lower case, no final dot, every byte that is not a letter, digit,
hyphen or underscore escaped as RFC 1035 §5.1 has it (`\.`, `\\`, `\DDD`), non-ASCII labels as IDNA A-labels. Two spellings
of one name are equal here, and a hostile one can be stored, logged and shown without harm.

`publishable` is the one gate that every name passes before it leaves. It decides on the decoded labels, rejects, never
repairs, and says why. This module knows no rule, no allow list and no network.
"""

from __future__ import annotations

import bisect
import functools
import ipaddress
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import idna
from publicsuffixlist import PublicSuffixList

from feedsvc.errors import NameRefused

MAX_LABEL = 63  # octets, RFC 1035 §2.3.4
MAX_WIRE = 255  # octets with length bytes and root, RFC 1035 §2.3.4
MAX_TEXT = 253  # the same, written without escapes and without the final dot

_PLAIN_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
_PLAIN_BYTE = re.compile(rb"[a-z0-9_-]")
_PUBLISHABLE_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")

# RFC 6761 and its registry "Special-Use Domain Names", with `internal` (ICANN 2024) and the local habits `lan`, `home`,
# `corp`. example.com, .net and .org are left out on purpose: documentation uses them.
SPECIAL_USE = frozenset(
    "test invalid localhost local onion internal arpa example alt lan home corp home.arpa resolver.arpa "
    "service.arpa ipv4only.arpa localdomain intranet private".split(),
)


def _decode_escape(text: str, at: int) -> tuple[bytes, int]:
    """The byte that the escape at `at` stands for, and where the text goes on."""
    digits = text[at + 1 : at + 4]
    if len(digits) == 3 and digits.isascii() and digits.isdigit():
        if int(digits) > 255:
            raise NameRefused(f"escape \\{digits} stands for no byte")
        return bytes([int(digits)]), at + 4
    following = text[at + 1 : at + 2]
    if not following or following.isdigit() or not following.isascii():
        raise NameRefused("backslash that begins no escape")
    return following.encode("ascii"), at + 2


def _split_escaped(text: str) -> list[tuple[bytes, bool]]:
    """Labels of presentation format as (bytes, was it written in non-ASCII letters)."""
    labels: list[tuple[bytes, bool]] = []
    label, foreign, at = bytearray(), False, 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            decoded, at = _decode_escape(text, at)
            label += decoded
            continue
        if char == ".":
            labels.append((bytes(label), foreign))
            label, foreign = bytearray(), False
        else:
            foreign = foreign or not char.isascii()
            label += _utf8(char)
        at += 1
    labels.append((bytes(label), foreign))
    return labels


def _utf8(char: str) -> bytes:
    try:
        return char.encode("utf-8")
    except UnicodeEncodeError as err:
        raise NameRefused("half of a surrogate pair") from err


def _a_label(label: bytes) -> bytes:
    """A label written in non-ASCII letters as its A-label (IDNA 2008, mapped by UTS 46).

    A label that becomes plain ASCII (KELVIN SIGN for k) or grows a dot (IDEOGRAPHIC FULL STOP) by the mapping would turn
    into somebody else's name: that is a repair, and refused.
    """
    try:
        mapped = idna.uts46_remap(label.decode("utf-8"), std3_rules=True)
        if mapped.isascii() or "." in mapped:
            raise NameRefused("non-ASCII look-alike of an ASCII name")
        return idna.alabel(mapped)
    except (idna.IDNAError, UnicodeError) as err:
        raise NameRefused(f"no valid IDNA label: {err}") from err


def parse_name(text: str) -> str:
    r"""Bring a name in presentation format (`K3XQ.example.net.`) to its canonical text (`k3xq.example.net`).

    Raises:
        NameRefused: it is no domain name: empty, an empty label, a label over 63 or a name over 255 octets, an escape that
            is none, a label that IDNA refuses. Odd but decodable names pass; `publishable` judges them.
    """
    if len(text) <= MAX_TEXT and _PLAIN_NAME.fullmatch(text):
        return text
    if len(text) > 4 * MAX_WIRE + 8:
        raise NameRefused("longer than any name can be written")
    pieces = _split_escaped(text)
    if len(pieces) > 1 and not pieces[-1][0]:
        pieces.pop()
    labels = [_a_label(label) if foreign else label for label, foreign in pieces]
    return encode_labels(labels)


def encode_labels(labels: list[bytes]) -> str:
    """Canonical text of a name given as wire labels, without the root.

    Raises:
        NameRefused: no label, an empty or over-long label, an over-long name.
    """
    if labels in ([], [b""]):
        raise NameRefused("the root is no name to watch")
    for label in labels:
        if not label:
            raise NameRefused("empty label")
        if len(label) > MAX_LABEL:
            raise NameRefused(f"label of {len(label)} octets, 63 is the limit")
    if sum(len(label) + 1 for label in labels) + 1 > MAX_WIRE:
        raise NameRefused("name over 255 octets")
    return ".".join(_escape_label(label.lower()) for label in labels)


def _escape_label(label: bytes) -> str:
    # bytes.lower() touches A-Z alone, as DNS compares (RFC 4343 §3).
    return "".join(
        chr(byte) if _PLAIN_BYTE.match(bytes([byte])) else "\\" + chr(byte) if byte in b".\\" else f"\\{byte:03d}"
        for byte in label
    )


def split_labels(name: str) -> list[str]:
    """Labels of a canonical name, each still escaped."""
    if "\\" not in name:
        return name.split(".")
    return re.findall(r"(?:\\\d{3}|\\.|[^.\\])+", name)


def is_under(name: str, parent: str) -> bool:
    """Whether a canonical name is `parent` itself or sits below it, label by label."""
    return name == parent or name.endswith("." + parent)


@functools.cache
def _suffixes() -> PublicSuffixList:
    # Both sections: a private suffix (github.io) is as much a shared parent as a public one.
    return PublicSuffixList(accept_unknown=False)


@functools.lru_cache(maxsize=65536)
def registered_domain(name: str) -> str | None:
    """The registrable parent by the Public Suffix List, both sections; None when there is none."""
    found: str | None = _suffixes().privatesuffix(name)
    return found


def is_public_suffix(name: str) -> bool:
    """Whether a canonical name is a public suffix, in either section of the list."""
    return bool(_suffixes().publicsuffix(name) == name)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a name may leave, and if not, why. True in a condition when it may."""

    name: str
    reason: str | None = None

    def __bool__(self) -> bool:
        return self.reason is None


@functools.lru_cache(maxsize=65536)
def publishable(name: str) -> Verdict:
    """Judge whether a name may stand on a list, in a pattern, in a feed (reference: the strictest of all consumers).

    Args:
        name: in any spelling; it is decoded first, and a text that does not decode is refused with that reason.

    Returns:
        A verdict whose `name` is canonical and, when refused, whose `reason` completes "not publishable: …".
    """
    try:
        canonical = parse_name(name)
    except NameRefused as err:
        return Verdict(name, str(err))
    return Verdict(canonical, _why_not(canonical))


def _why_not(name: str) -> str | None:
    labels = split_labels(name)
    if "\\" in name:
        return "byte that no host name has"
    if len(labels) < 2:
        return "single label"
    if len(name) > MAX_TEXT:
        return "longer than 253 characters"
    bad = next((label for label in labels if not _PUBLISHABLE_LABEL.fullmatch(label)), None)
    if bad is not None:
        return f"label {bad!r} begins or ends with a hyphen"
    return _why_not_by_label(labels) or _why_not_by_suffix(name, labels)


def _why_not_by_label(labels: list[str]) -> str | None:
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        return "ends like an address"
    if any(label.startswith("rpz-") for label in labels):
        return "reads as a response policy trigger"
    for label in labels:
        if label[2:4] == "--" and not _is_valid_a_label(label):
            return f"label {label!r} is no valid A-label"
    return None


def _why_not_by_suffix(name: str, labels: list[str]) -> str | None:
    special = next((zone for zone in SPECIAL_USE if is_under(name, zone)), None)
    if special is not None:
        return f"special-use zone {special!r}"
    if is_public_suffix(name):
        return "public suffix"
    parent = registered_domain(name)
    if parent is None:
        return f"unknown top-level domain {labels[-1]!r}"
    if "_" in parent:
        return "underscore in the registered domain"
    return None


def _is_valid_a_label(label: str) -> bool:
    if not label.startswith("xn--"):
        return False  # R-LDH labels other than A-labels are reserved, RFC 5890 §2.3.1
    try:
        return idna.alabel(idna.ulabel(label)) == label.encode("ascii")
    except (idna.IDNAError, UnicodeError):
        return False


class Address(NamedTuple):
    """An IP address as its version (4 or 6) and its value as a number; IPv4-mapped IPv6 is unwrapped."""

    version: int
    value: int

    def __str__(self) -> str:
        if self.version == 4:
            return socket.inet_ntoa(self.value.to_bytes(4, "big"))
        return str(ipaddress.IPv6Address(self.value))


_MAPPED = 0xFFFF << 32


def parse_address(text: str) -> Address:
    """Read an address in any spelling of RFC 4291 §2.2 or dotted quad.

    Raises:
        NameRefused: the text is no address.
    """
    try:
        if ":" not in text:
            return Address(4, int(ipaddress.IPv4Address(text)))
        value = int(ipaddress.IPv6Address(text))
    except ValueError as err:
        raise NameRefused("no IP address") from err
    if value >> 32 == 0xFFFF:
        return Address(4, value - _MAPPED)
    return Address(6, value)


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        parse_address(text)
    except NameRefused:
        return False
    return True


@dataclass(frozen=True, slots=True, order=True)
class Netblock:
    """Addresses from `first` to `last`, both included, of one IP version."""

    version: int
    first: int
    last: int

    def __contains__(self, address: Address) -> bool:
        return address.version == self.version and self.first <= address.value <= self.last

    def __str__(self) -> str:
        cidrs = self.cidrs()
        if len(cidrs) == 1:
            return cidrs[0]
        return f"{Address(self.version, self.first)}-{Address(self.version, self.last)}"

    @property
    def size(self) -> int:
        """How many addresses it has."""
        return self.last - self.first + 1

    def addresses(self) -> Iterator[Address]:
        """Every address, lowest first."""
        return (Address(self.version, value) for value in range(self.first, self.last + 1))

    def cidrs(self) -> tuple[str, ...]:
        """The fewest CIDR prefixes that cover exactly this netblock."""
        kind = ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address
        nets = ipaddress.summarize_address_range(kind(self.first), kind(self.last))
        return tuple(str(net) for net in nets)


def parse_netblock(text: str) -> Netblock:
    """Read `198.51.100.0/24`, `198.51.100.7` or `198.51.100.10-198.51.100.20`, IPv4 or IPv6.

    Raises:
        NameRefused: no netblock; host bits set; first above last; two IP versions.
    """
    if "-" in text:
        first, last = (parse_address(part.strip()) for part in text.split("-", 1))
        if first.version != last.version:
            raise NameRefused("range from one IP version to the other")
        if first.value > last.value:
            raise NameRefused("range whose first address lies above its last")
        return Netblock(first.version, first.value, last.value)
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as err:
        raise NameRefused(f"no netblock: {err}") from err
    return Netblock(network.version, int(network.network_address), int(network.broadcast_address))


class NetblockMap:
    """Which of many netblocks, overlapping or not, an address lies in: one binary search per question.

    The address line of each IP version is cut at every border of every netblock; each piece knows the netblocks over it.
    """

    def __init__(self, netblocks: Sequence[Netblock]) -> None:
        self.netblocks = tuple(netblocks)
        self._starts: dict[int, list[int]] = {}
        self._inside: dict[int, list[tuple[int, ...]]] = {}
        for version in (4, 6):
            self._cut(version)

    def _cut(self, version: int) -> None:
        opens: dict[int, list[int]] = {}
        closes: dict[int, list[int]] = {}
        for index, block in enumerate(self.netblocks):
            if block.version == version:
                opens.setdefault(block.first, []).append(index)
                closes.setdefault(block.last + 1, []).append(index)
        current: set[int] = set()
        starts, inside = [-1], [()]  # type: tuple[list[int], list[tuple[int, ...]]]
        for border in sorted(opens.keys() | closes.keys()):
            current.difference_update(closes.get(border, ()))
            current.update(opens.get(border, ()))
            starts.append(border)
            inside.append(tuple(sorted(current)))
        self._starts[version], self._inside[version] = starts, inside

    def find(self, address: Address) -> tuple[int, ...]:
        """Indices into `netblocks` of all that hold the address, ascending."""
        return self._inside[address.version][bisect.bisect_right(self._starts[address.version], address.value) - 1]

    def __contains__(self, address: Address) -> bool:
        return bool(self.find(address))
