"""From the asked name over CNAMEs to addresses, for logs that say whose each answer is. Pure.

The order of answers does not matter: the way is followed by their owners, and what it does not lead to is told, not used: an
answer may hold addresses of names that nobody asked for, to make somebody believe them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from feedsvc.names import Address

MAX_CHAIN = 64
"""CNAMEs that are followed from one question. Resolvers give up after 8 to 20."""


class Way(NamedTuple):
    """Where a name led.

    Attributes:
        answers: the addresses at its end, each once, in the order of the log.
        chain: the CNAME targets on it, in order.
        fault: what is wrong with it, one of few texts; "" for nothing.
    """

    answers: tuple[Address, ...]
    chain: tuple[str, ...]
    fault: str = ""


def follow(asked: str, targets: Mapping[str, str], addresses: Mapping[str, Sequence[Address]]) -> Way:
    """Follow the CNAMEs from a name to the first that has addresses.

    Args:
        targets: where the CNAME of a name leads.
        addresses: what the A and AAAA records of a name say.
    """
    name, chain, fault = asked, list[str](), ""
    # A name with addresses is where the way ends: one with a CNAME as well is none of any honest zone (RFC 2181 §10.1).
    while name not in addresses and name in targets:
        name = targets[name]
        if len(chain) == MAX_CHAIN or name == asked or name in chain:
            fault = "CNAMEs without an end"
            break
        chain.append(name)
    if len(addresses) > (name in addresses):
        fault = fault or "address of a name that the question does not lead to"
    return Way(tuple(dict.fromkeys(addresses.get(name, ()))), tuple(chain), fault)


def leads_to(asked: str, targets: Mapping[str, str], owner: str) -> tuple[str, ...] | None:
    """The CNAME targets from a name to another, that one included; None when there is no such way."""
    name, chain = asked, list[str]()
    while name != owner:
        name = targets.get(name, "")
        if not name or len(chain) == MAX_CHAIN or name in chain:
            return None
        chain.append(name)
    return tuple(chain)
