"""Netblocks, addresses in and near them, and every spelling of addresses and names: for what is found by its text."""

from __future__ import annotations

import ipaddress
import random

from feedsvc.names import Address, Netblock, parse_netblock

V4 = ("198.51.100.0/24", "198.51.96.0/21", "203.0.113.7", "203.0.113.128/25", "10.1.0.0/16", "10.1.2.0/23", "11.32.0.0/11")
V6 = (
    *("2001:db8:77::/48", "2001:db8::/32", "2001:db8:0:7::/64", "2001:db8::1", "2001:db8:1:2:3:4:5:6", "2001:db0::/28"),
    *("2001:db8:7:8:9:a:c633:0/112", "64:ff9b::/96", "2001:db8:ff00:40::/58", "2001:db8:0:0:1::/80", "fd00:abcd::/33"),
)
RANGES = ("198.51.100.10-198.51.101.3", "2001:db8:5::ff-2001:db8:5::1:2")
TEXTS = (*V4, *V6, *RANGES)
_GROUPS = (0, 0, 0, 1, 0xA, 0xDB8, 0x77, 0x6407, 0xC633, 0xFFFF)


def netblocks(rng: random.Random) -> list[Netblock]:
    """Some netblocks: a single one, of one IP version, or many."""
    texts = rng.choice([V4, V6, (*V4, *V6, *RANGES)])
    return [parse_netblock(text) for text in rng.sample(texts, rng.choice([1, 1, 2, len(texts)]))]


def made_netblock(rng: random.Random) -> Netblock:
    """Any netblock of which there is something to look for."""
    if rng.random() < 0.5:
        return _prefix(4, rng.randrange(1 << 24, 224 << 24), rng.randint(8, 32), 32)
    value = 0x2001
    for _ in range(7):
        value = value << 16 | rng.choice(_GROUPS)
    return _prefix(6, value, rng.randint(20, 128), 128)


def _prefix(version: int, value: int, length: int, bits: int) -> Netblock:
    first = value >> (bits - length) << (bits - length)
    return Netblock(version, first, first | (1 << (bits - length)) - 1)


def inside(rng: random.Random, block: Netblock) -> Address:
    """An address in a netblock, often one of its borders."""
    return Address(block.version, rng.choice([block.first, block.last, rng.randint(block.first, block.last)]))


def outside(rng: random.Random, block: Netblock) -> Address:
    """An address that is just outside of a netblock."""
    return Address(block.version, rng.choice([block.first - 1, block.last + 1]))


def spelling(rng: random.Random, address: Address) -> str:
    """An address in one of its spellings (RFC 4291 §2.2), mapped ones among them."""
    if address.version == 4:
        if rng.random() < 0.5:
            return str(address)
        address = Address(6, 0xFFFF << 32 | address.value)
    groups = [f"{address.value >> 16 * (7 - place) & 0xFFFF:x}" for place in range(8)]
    groups = [rng.choice([group, group.zfill(4), group.zfill(rng.randint(1, 4))]) for group in groups]
    groups = [rng.choice([group, group, group.upper(), group.title()]) for group in groups]
    if rng.random() < 0.4:
        groups[6:] = [str(ipaddress.IPv4Address(address.value & 0xFFFFFFFF))]
    return _shortened(rng, groups)


def _shortened(rng: random.Random, groups: list[str]) -> str:
    """A run of groups of zeros left out, or none."""
    zeros = [place for place, group in enumerate(groups) if not group.strip("0")]
    if not zeros or rng.random() < 0.4:
        return ":".join(groups)
    begin = rng.choice(zeros)
    end = begin + 1
    while end in zeros and rng.random() < 0.7:
        end += 1
    return ":".join(groups[:begin]) + "::" + ":".join(groups[end:])


def escaped(rng: random.Random, text: str, escape: str, often: float = 0.3) -> str:
    r"""A text in which now and then a letter or two are spelt as escapes of this form (`\u{:04x}`)."""
    if not text or rng.random() >= often:
        return text
    chosen = {rng.randrange(len(text)) for _ in range(rng.choice([1, 1, 2]))}
    return "".join(_escape(rng, char, escape) if place in chosen else char for place, char in enumerate(text))


def _escape(rng: random.Random, char: str, escape: str) -> str:
    spelt = escape.format(ord(char))
    digits = spelt.lstrip("\\")[1:]
    return spelt.removesuffix(digits) + rng.choice([digits, digits.upper()])


def cased(rng: random.Random, text: str) -> str:
    """A text as a resolver that plays with the case of letters asks for it."""
    return "".join(rng.choice([char, char.upper()]) for char in text)
