r"""Which observations a watch asked for: compiled once from the rules, pure, quick enough for logs.

An address is found among all netblocks by one binary search, and remembered: what a row costs does not grow with the number
of rules. Names are looked at only where an address lies in a netblock.

A pattern sees a name as its labels, and in them each byte that no host name has (`\032`, `\.`) as one U+FFFD: such a byte is
one letter to `length`, no letter of any alphabet, and never a border between labels, so that `x\.example.net` is not under
`example.net`. `siblings` is not judged here but on the set of names that were found (`feedsvc.judge`).
"""

from __future__ import annotations

import functools
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from feedsvc.errors import NameRefused
from feedsvc.model import LabelPattern, Match, NamePattern, Observation, Watch
from feedsvc.names import Address, Netblock, NetblockMap, is_under, parse_address, registered_domain, split_labels

NameTest = Callable[[str], object]
"""True, as a condition, for a name that fits."""

_ADDRESS_TYPES = frozenset(("A", "AAAA"))
_REMEMBERED = 65536  # addresses; attackers choose them, so the memory of them is bounded
_ESCAPE = re.compile(r"\\(?:\d{3}|.)", re.DOTALL)
_ODD = "\N{REPLACEMENT CHARACTER}"


class _Hit(NamedTuple):
    """A watch that an address lies in: through which netblock, and what it asks of names."""

    watch: str
    netblock: str
    fits: NameTest


class _Claim(NamedTuple):
    """That a watch names a netblock: which watch, as which of its netblocks."""

    watch: int
    rank: int
    hit: _Hit

    def order(self) -> tuple[int, int]:
        return self.watch, self.rank


class Matcher:
    """A set of watches, ready to be asked.

    Attributes:
        watches: by id.
        netblocks: of all watches, each once, in the order of the watches.
    """

    def __init__(self, watches: Sequence[Watch]) -> None:
        self.watches: Mapping[str, Watch] = MappingProxyType({watch.id: watch for watch in watches})
        self.netblocks: tuple[Netblock, ...] = tuple(dict.fromkeys(block for watch in watches for block in watch.netblocks))
        self._tests = {watch.id: name_test(watch.names) for watch in watches}
        self._map = NetblockMap(self.netblocks)
        self._claims = self._claimed()
        self._hits = functools.lru_cache(maxsize=_REMEMBERED)(self._look_up)

    def _claimed(self) -> tuple[tuple[_Claim, ...], ...]:
        """For each netblock, who claims it."""
        index = {block: number for number, block in enumerate(self.netblocks)}
        claims: list[list[_Claim]] = [[] for _ in self.netblocks]
        for place, watch in enumerate(self.watches.values()):
            for rank, block in enumerate(watch.netblocks):
                claims[index[block]].append(_Claim(place, rank, _Hit(watch.id, str(block), self._tests[watch.id])))
        return tuple(tuple(found) for found in claims)

    def _look_up(self, rdata: str) -> tuple[_Hit, ...]:
        address = _address(rdata)
        found = self._map.find(address) if address else ()
        first: dict[int, _Hit] = {}
        for claim in sorted((claim for index in found for claim in self._claims[index]), key=_Claim.order):
            first.setdefault(claim.watch, claim.hit)
        return tuple(first.values())

    def match(self, observations: Iterable[Observation]) -> list[Match]:
        """The observations of addresses (A, AAAA) in a netblock whose name fits, in their order.

        Returns:
            One match for each observation and watch, in the order of the watches; its netblock is the first of that watch
            that holds the address.
        """
        return list(self._matches(observations))

    def _matches(self, observations: Iterable[Observation]) -> Iterator[Match]:
        hits = self._hits
        for observation in observations:
            if observation.rrtype not in _ADDRESS_TYPES:
                continue
            for hit in hits(observation.rdata):
                if hit.fits(observation.rrname):
                    yield Match(hit.watch, hit.netblock, observation)

    def fits(self, watch: str, name: str) -> bool:
        """Whether a canonical name is one that a watch looks for, wherever it points.

        Raises:
            KeyError: there is no such watch.
        """
        return bool(self._tests[watch](name))


def _address(rdata: str) -> Address | None:
    # Six times as quick as ipaddress for the addresses that logs are full of, and as strict.
    try:
        return Address(4, int.from_bytes(socket.inet_pton(socket.AF_INET, rdata), "big"))
    except (OSError, ValueError):
        pass
    try:
        return parse_address(rdata)
    except NameRefused:
        return None


# -- names -------------------------------------------------------------------------------------------------------------


def name_test(pattern: NamePattern | None) -> NameTest:
    """Compile what a name must look like; every canonical name fits when nothing is asked.

    Raises:
        ValueError: the regex is none of RE2; the message says why.
    """
    tests = tuple(_tests(pattern)) if pattern else ()
    if pattern and pattern.label and len(tests) == 1 and pattern.label.position == "leftmost":
        return tests[0]  # which reads escapes itself: the case of most rules, asked of every row inside a netblock

    def fits(name: str) -> bool:
        seen = name if "\\" not in name else _seen(name)
        # A loop, since this runs for every row inside a netblock and all() of a generator takes twice as long.
        for test in tests:  # noqa: SIM110
            if not test(seen):
                return False
        return True

    return fits


def _seen(name: str) -> str:
    return ".".join(_ESCAPE.sub(_ODD, label) for label in split_labels(name))


def _tests(pattern: NamePattern) -> Iterator[NameTest]:
    """Cheap ones first."""
    if pattern.under:
        yield lambda name: any(is_under(name, suffix) for suffix in pattern.under)
    if pattern.not_under:
        yield lambda name: not any(is_under(name, suffix) for suffix in pattern.not_under)
    if pattern.label:
        yield _label_test(pattern.label)
    if pattern.regex is not None:
        yield _regex_test(pattern.regex)


def _label_test(pattern: LabelPattern) -> NameTest:
    low, high, alphabet = pattern.min_length, pattern.max_length, pattern.alphabet

    def fits(label: str) -> bool:
        return low <= len(label) <= high and (alphabet is None or alphabet.issuperset(label))

    if pattern.position == "leftmost":
        return _leftmost(pattern).match
    if pattern.position == "registrable":
        return lambda name: (domain := registered_domain(name)) is not None and fits(domain.partition(".")[0])
    return lambda name: any(fits(label) for label in _own_labels(name))


def _leftmost(pattern: LabelPattern) -> re.Pattern[str]:
    """What the first label looks like, in a name as it is and as a pattern sees it alike."""
    letter = r"(?:[^.\\]|\\[0-9]{3}|\\[^0-9])"
    if pattern.alphabet is not None:
        letters = "".join(map(re.escape, sorted(pattern.alphabet - {".", "\\", _ODD})))
        letter = f"[{letters}]" if letters else r"[^\s\S]"
    return re.compile(rf"{letter}{{{pattern.min_length},{pattern.max_length}}}+(?=\.|\Z)")


def _own_labels(name: str) -> list[str]:
    """The labels left of the public suffix: those somebody chose for this name."""
    labels = name.split(".")
    domain = registered_domain(name)
    suffix = domain.count(".") if domain else 1
    return labels[:-suffix]


def _regex_test(regex: str) -> NameTest:
    import re2  # noqa: PLC0415 - costs start-up, and most rules have no regex

    options = re2.Options()
    options.log_errors = False  # it would write to stderr by itself
    options.case_sensitive = False  # as DNS compares
    try:
        search = re2.compile(regex, options=options).search
    except re2.error as err:
        raise ValueError(_text_of(err)) from err
    return lambda name: search(name) is not None


def _text_of(err: Exception) -> str:
    reason = err.args[0] if err.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
