"""What dnsmasq writes of lookups, as its `log_query` has it: those of one process in order, those of several mixed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """One lookup.

    Attributes:
        chain: names that CNAMEs lead to, the asked one first.
        answers: what the last of them is: addresses, or texts when `rrtype` is TXT.
        source: where the answer comes from.
        late: it is not answered at once: other lookups of the process come between.
    """

    name: str
    rrtype: str
    client: str
    chain: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    source: str = "reply"
    late: bool = False

    @property
    def told(self) -> tuple[str, ...]:
        """The addresses that a reader must find."""
        upstream = self.source in {"reply", "cached", "cached-stale"}
        return self.answers if upstream and self.rrtype in {"A", "AAAA"} else ()


def _question(one: Asked) -> list[str]:
    asked = [f"query[{one.rrtype}] {one.name} from {one.client}"]
    return [*asked, f"forwarded {one.name} to 192.0.2.53"] if one.source == "reply" else asked


def _answer(one: Asked) -> list[str]:
    names = (one.name, *one.chain)
    redirections = [f"{one.source} {name} is <CNAME>" for name in names[:-1]]
    negative = {"A": "NODATA-IPv4", "AAAA": "NODATA-IPv6"}.get(one.rrtype, "NODATA")
    return redirections + [f"{one.source} {names[-1]} is {answer}" for answer in one.answers or (negative,)]


def process(lookups: Sequence[Asked], pid: int, *, extra: bool) -> Iterator[str]:
    """The lines of one process: answers that come late stand behind the question that comes next."""
    waiting: list[tuple[Asked, str]] = []
    for serial, one in enumerate(lookups, pid * 100):
        tie = f"{serial} {one.client}/{1024 + serial % 60000} " if extra else ""
        yield from (f"dnsmasq[{pid}]: {tie}{text}" for text in _question(one))
        if one.late:
            waiting.append((one, tie))
            continue
        yield from (f"dnsmasq[{pid}]: {tie}{text}" for text in _answer(one))
        for late, its_tie in waiting:
            yield from (f"dnsmasq[{pid}]: {its_tie}{text}" for text in _answer(late))
        waiting.clear()
    for late, its_tie in waiting:
        yield from (f"dnsmasq[{pid}]: {its_tie}{text}" for text in _answer(late))


def log(processes: Sequence[Sequence[Asked]], seed: int, *, extra: bool) -> bytes:
    """The lines of several processes that write in between each other."""
    rng = random.Random(seed)
    streams = [list(process(lookups, 801 + number, extra=extra)) for number, lookups in enumerate(processes)]
    written = []
    while any(streams):
        written.append(rng.choice([stream for stream in streams if stream]).pop(0))
    # Fifty lines a second: what a process answers, it writes at once.
    stamps = (f"Nov 24 06:{number // 3000 % 60:02d}:{number // 50 % 60:02d}" for number in range(len(written)))
    return "".join(f"{stamp} {line}\n" for stamp, line in zip(stamps, written, strict=True)).encode()
