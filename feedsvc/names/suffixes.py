"""What is known of the ends of names: public suffixes, the parents of public suffixes, zones of special use.

The Public Suffix List counts with both its sections, for a private suffix (github.io) is as much a shared parent as a public
one, and without its fallback rule `*`: a top-level domain that the list does not know is stale, invented or internal. The
list comes with `publicsuffixlist`; its date is that package's version.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

from publicsuffixlist import PSLFILE, PublicSuffixList

from feedsvc.names.spelling import parse_name, split_labels

# All of IANA's "Special-Use Domain Names" but example.com, example.net and example.org, which documentation uses; then zones
# that are not in the registry and hold no public hosts either.
SPECIAL_USE = frozenset(
    (
        *("example", "invalid", "localhost", "test"),  # RFC 6761
        *("local", "254.169.in-addr.arpa", *(f"{digit}.e.f.ip6.arpa" for digit in "89ab")),  # RFC 6762
        *("onion", "alt"),  # RFC 7686, RFC 9476
        *("10.in-addr.arpa", "168.192.in-addr.arpa", *(f"{net}.172.in-addr.arpa" for net in range(16, 32))),  # RFC 6761
        *("ipv4only.arpa", "170.0.0.192.in-addr.arpa", "171.0.0.192.in-addr.arpa"),  # RFC 8880
        *("home.arpa", "resolver.arpa", "service.arpa"),  # RFC 8375, RFC 9462, RFC 9665
        *("6tisch.arpa", "eap.arpa", "eap-noob.arpa"),  # RFC 9031, RFC 9140
        *("arpa", "in-addr.arpa", "ip6.arpa"),  # infrastructure alone, RFC 3172
        *("internal", "corp", "home", "intranet", "lan", "private", "localdomain"),  # ICANN 2024; RFC 6762 appendix G
    ),
)
_SPECIAL_TOPS = frozenset(zone.rpartition(".")[2] for zone in SPECIAL_USE)

Section = Literal["ICANN", "private"]


@functools.cache
def _list() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)


@functools.cache
def _icann_list() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=True)


def registered_domain(name: str) -> str | None:
    """The registrable parent of a canonical name by the Public Suffix List, both sections; None when there is none."""
    if "\\" not in name:
        found: str | None = _list().privatesuffix(name)
        return found
    # Given labels, the list takes no escaped dot for the end of one.
    labels: tuple[bytes, ...] | None = _list().privatesuffix(tuple(label.encode() for label in split_labels(name)))
    return b".".join(labels).decode() if labels else None


def is_public_suffix(name: str) -> bool:
    """Whether a canonical name is a public suffix, in either section of the list."""
    return bool(_list().is_public(name))


def suffix_section(name: str) -> Section:
    """Which section of the list makes a public suffix one."""
    return "ICANN" if _icann_list().is_public(name) else "private"


def special_use_zone(labels: list[str]) -> str | None:
    """The smallest zone of special use that holds a name, given by its labels."""
    if labels[-1] not in _SPECIAL_TOPS:
        return None
    ends = (".".join(labels[start:]) for start in range(len(labels)))
    return next((end for end in ends if end in SPECIAL_USE), None)


@functools.cache
def shared_parents() -> frozenset[str]:
    """Names that are no public suffix but have one below them (amazonaws.com): to block one is to block its suffixes."""
    lines = Path(PSLFILE).read_text(encoding="utf-8").splitlines()
    rules = [line.split()[0] for line in lines if line.strip() and not line.startswith("//")]
    parents = {parent for rule in rules for parent in _parents(parse_name(rule.lstrip("!").removeprefix("*.")))}
    return frozenset(parent for parent in parents if not is_public_suffix(parent))


def _parents(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels))]
