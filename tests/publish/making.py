"""Small makers of what publication takes, and the names that must never leave."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from feedsvc.model import Finding, ListedName, Status, Tlp
from feedsvc.names import publishable
from feedsvc.publish.port import ListMeta
from tests import making
from tests.making import NOW

SERIAL = int(NOW.timestamp())


def finding(name: str = "k3xq.example.net", **fields: Any) -> Finding:
    """An approved finding of a source that nobody else may know of, with fields replaced."""
    return making.finding(name, **{"status": Status.APPROVED, "sources": ("secret-provider",)} | fields)


def listed(names: Iterable[str], **fields: Any) -> list[ListedName]:
    """Rows as history gives them."""
    return [
        dataclasses.replace(
            ListedName(name, "jar-callbacks", 70, NOW - timedelta(days=3), NOW + timedelta(days=45), Tlp.GREEN), **fields
        )
        for name in names
    ]


def meta(serial: int = SERIAL) -> ListMeta:
    """What a file may say of itself."""
    return ListMeta("list", "feedsvc", serial, datetime.fromtimestamp(serial, UTC))


_LABEL = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,3}[a-z0-9_])?", fullmatch=True)
_DOMAIN = st.sampled_from(["example.net", "example.org", "example.co.uk", "xn--bcher-kva.example.com"])

publishable_names = (
    st.builds(lambda labels, domain: ".".join([*labels, domain]), st.lists(_LABEL, max_size=4), _DOMAIN)
    .filter(publishable)
    .map(str)
)
"""Names that may leave, often one below another."""

_LONG = "a" * 63

HOSTILE = (
    # ends of lines, also those that str.splitlines alone knows
    *(f"a{char}b.example.net" for char in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\0"),
    *("k3xq.example.net\n", "k3xq.example.net\r\n", "k3xq.example.net\nbank.example.com", "\ufeffk3xq.example.net"),
    # a second word is a second host
    *("evil.example.net bank.example.com", "evil.example.net\tbank.example.com", " k3xq.example.net", "k3xq.example.net "),
    # zone files
    *("evil;.example.net", ";evil.example.net", "evil(.example.net", 'evil".example.net', "@", "@.example.net", "evil\\"),
    *("$INCLUDE /etc/passwd", "$include.example.net", "$GENERATE 1-100000000 $.example.net", "$ORIGIN com.", "$TTL 0"),
    *("evil\\.example.net", "a\\.b.example.net", "a\\010b.example.net", "\\000.example.net", "\\256.example.net", "\\1.net"),
    # response policy triggers
    *("0.0.0.0.0.rpz-client-ip", "24.0.2.0.192.rpz-ip", "x.rpz-nsdname", "rpz-ip.example.net", "evil.rpz-ip.example.net"),
    "rpz-passthru.example.net",
    # wildcards and shared parents
    *(
        "*",
        "*.com",
        "*.example.net",
        "a*.example.net",
        "mail.*.example.net",
        "com",
        "net.",
        "co.uk",
        "github.io",
        "duckdns.org",
    ),
    # addresses and numbers
    *("198.51.100.7", "1.2.3.4.5", "0x7f000001", "evil.0x7f", "evil.123", "2001:db8::7", "[2001:db8::7]", "127.1"),
    # other readers' syntax
    *("conf-file=/etc/passwd", "/#/", "a/#/b.example.net", "||example.net^", "@@||example.net^", "!.example.net", "#fields"),
    *("#.example.net", 'a";alert.example.net', "a|00|.example.net", "a,b.example.net", "a:b.example.net", "a=b.example.net"),
    *("http://example.net/", "user@example.net", "a/b.example.net", "%0a.example.net", "a&b.example.net", "~.example.net"),
    # patterns and formulas
    *("a'.example.net", "a\\'.example.net", "x' OR domain-name:value != 'y.example.net", "x'] AND [a:b = 'c.example.net"),
    *("=cmd|' /C calc'!A0.example.net", "=1.example.net", "+1.example.net", "-a.example.net", "a-.example.net"),
    # templates, pages, terminals
    *(
        "{{7*7}}.example.net",
        "${jndi:ldap://a}.example.net",
        "<script>.example.net",
        "\x1b[31m.example.net",
        "\u202ea.example.net",
    ),
    # lengths and empty labels
    *(
        "",
        ".",
        "..",
        ".example.net",
        "a..example.net",
        "example.net..",
        f"{_LONG}a.example.net",
        f"{_LONG}." * 3 + f"{_LONG}.net",
    ),
    # look-alikes and broken A-labels
    *("\u212a3xq.example.net", "a\u3002example.net", "a\uff0eexample.net", "\u2100.example.net", "\ud800.example.net"),
    *(
        "\uff41\uff42.example.net",
        "xn--zzzz-not-valid-99999.example.net",
        "xn--a.example.net",
        "ab--cd.example.net",
        "xn--.net",
    ),
    # names that only exist inside, and top-level domains that do not exist
    *(
        "localhost",
        "a.localhost",
        "a.test",
        "a.invalid",
        "a.onion",
        "a.local",
        "a.internal",
        "a.lan",
        "a.home.arpa",
        "a.example",
    ),
    *("7.100.51.198.in-addr.arpa", "a.corp", "a.home", "a.nosuchtld", "null", "yes", "a_b.com", "_.com"),
)
"""Names that attackers choose (reference: the attack surface of each consumer); not one may stand in any output."""
