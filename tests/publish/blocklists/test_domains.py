"""Plain domain lists."""

from __future__ import annotations

from feedsvc.publish.blocklists import domains
from tests.publish.making import listed, meta

FORMAT = domains.build(domains.Options())


def test_it_is_names_and_nothing_else() -> None:
    body = b"".join(FORMAT.render(listed(["a.example.net", "b.example.net"]), meta()))
    assert body == b"a.example.net\nb.example.net\n"


def test_it_lists_children_beside_their_parent() -> None:
    assert FORMAT.names == "exact"


def test_nothing_listed_is_an_empty_file() -> None:
    assert b"".join(FORMAT.render([], meta())) == b""
    assert FORMAT.read_back(b"") == (frozenset(), 0)
