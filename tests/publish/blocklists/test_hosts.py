"""Hosts files."""

from __future__ import annotations

import pytest

from feedsvc.publish.blocklists import hosts
from tests.publish.making import listed, meta

FORMAT = hosts.build(hosts.Options())


def test_each_line_is_one_address_and_one_name() -> None:
    body = b"".join(FORMAT.render(listed(["a.example.net", "b.example.net"]), meta()))
    lines = body.decode().splitlines()
    assert lines[2:] == ["0.0.0.0 a.example.net", "0.0.0.0 b.example.net"]


def test_the_comments_are_fixed_text_without_a_host_in_it() -> None:
    assert all(line.startswith(b"#") for line in hosts.HEADER.splitlines())
    for serial in (1, 2):
        assert b"".join(FORMAT.render([], meta(serial))) == hosts.HEADER
    assert not [word for word in hosts.HEADER.split() if b"." in word.strip(b".")]


def test_the_header_of_another_release_is_read_too() -> None:
    assert FORMAT.read_back(b"# as it was\n0.0.0.0 a.example.net\n") == (frozenset({"a.example.net"}), 0)
    assert FORMAT.read_back(b"0.0.0.0 a.example.net\n") == (frozenset({"a.example.net"}), 0)


@pytest.mark.parametrize(
    "body", [b"127.0.0.1 a.example.net\n", b"0.0.0.0 a.example.net # why\n", b"0.0.0.0 a.example.net\n# x\n"]
)
def test_what_another_tool_wrote_is_not_ours(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"line|name"):
        FORMAT.read_back(body)
