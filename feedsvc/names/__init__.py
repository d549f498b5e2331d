r"""Domain names, addresses and netblocks as values.

A name is held as text in one canonical form: labels in lower case, no final dot, every byte that is not a letter, digit,
hyphen or underscore escaped as RFC 1035 §5.1 has it (`\.`, `\\`, `\DDD`), non-ASCII labels as IDNA A-labels. Two spellings
of one name are equal here, and a hostile one can be stored, logged and shown without harm.

    spelling    text and wire labels to canonical names, and the relation "sits below"
    suffixes    what the Public Suffix List and the registry of special-use names say
    gate        `publishable`, which every name passes before it leaves
    netblocks   addresses, netblocks, and which of many netblocks hold an address

Nothing here knows a rule, an allow list or a network.
"""

from feedsvc.names.gate import Verdict, publishable
from feedsvc.names.netblocks import Address, Netblock, NetblockMap, is_address, parse_address, parse_netblock
from feedsvc.names.spelling import MAX_LABEL, MAX_TEXT, MAX_WIRE, encode_labels, is_under, parse_name, split_labels
from feedsvc.names.suffixes import SPECIAL_USE, is_public_suffix, registered_domain

__all__ = [
    "MAX_LABEL",
    "MAX_TEXT",
    "MAX_WIRE",
    "SPECIAL_USE",
    "Address",
    "Netblock",
    "NetblockMap",
    "Verdict",
    "encode_labels",
    "is_address",
    "is_public_suffix",
    "is_under",
    "parse_address",
    "parse_name",
    "parse_netblock",
    "publishable",
    "registered_domain",
    "split_labels",
]
