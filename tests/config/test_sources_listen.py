"""`listen` of a source: the places where a program may send its log to."""

from __future__ import annotations

import pytest

from feedsvc.config import ListenPlace
from tests.config.conftest import Reading, Refusals

SENT = '[[source]]\nname = "a"\nkind = "log"\nformat = "dnstap"\n'


@pytest.mark.parametrize(
    ("text", "place", "shown"),
    [
        ("unix:/run/dnstap.sock", ListenPlace(path="/run/dnstap.sock"), "unix:/run/dnstap.sock"),
        ("tcp:6000", ListenPlace(host="127.0.0.1", port=6000), "tcp:127.0.0.1:6000"),
        ("tcp:localhost:6000", ListenPlace(host="127.0.0.1", port=6000), "tcp:127.0.0.1:6000"),
        ("tcp:0.0.0.0:6000", ListenPlace(host="0.0.0.0", port=6000), "tcp:0.0.0.0:6000"),
        ("tcp:[::1]:6000", ListenPlace(host="::1", port=6000), "tcp:[::1]:6000"),
    ],
    ids=["unix", "port alone", "localhost", "everywhere", "IPv6"],
)
def test_a_place_is_a_socket_or_an_address(reading: Reading, text: str, place: ListenPlace, shown: str) -> None:
    (source,) = reading(f'{SENT}listen = "{text}"\n').sources
    assert source.listen == place
    assert str(source.listen) == shown
    assert (source.path, source.spool_mib) == ("", 256)


def test_a_relative_path_starts_at_the_files_own_folder(reading: Reading, refusals: Refusals) -> None:
    # With a folder in front, it may be longer than a socket's path can be.
    name = "x" * 95
    assert reading(f'{SENT}listen = "unix:/{name}"\n').sources[0].listen == ListenPlace(path=f"/{name}")
    ((line, message),) = refusals(f'{SENT}listen = "unix:{name}"\n')
    assert (line, "longer than a socket's path" in message) == (5, True)
