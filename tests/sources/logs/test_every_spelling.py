"""What is written in any of a format's spellings is read as the lookup that it says, and shows of which format it is."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources.logs import Formats, bind, coredns, dnsmasq, infoblox, passivedns, squid, umbrella, unbound, zeek
from feedsvc.sources.port import LogFormat
from tests.sources.logs import spelt_answers, spelt_questions
from tests.sources.logs.linewise import noon, records
from tests.sources.logs.spelt_questions import Asked, Written, lookups

FORMATS: dict[str, LogFormat] = {
    "bind": bind.Bind(UTC, 0, noon),
    "coredns": coredns.CoreDns(UTC, undated=False, now=noon),
    "dnsmasq": dnsmasq.Dnsmasq(UTC, 0, noon),
    "infoblox": infoblox.Infoblox(UTC, 0, noon),
    "passivedns": passivedns.build(passivedns.Options()),
    "squid": squid.build(squid.Options()),
    "umbrella": umbrella.build(umbrella.Options()),
    "unbound": unbound.Unbound(UTC, 0, noon),
    "zeek": zeek.build(zeek.Options()),
}
WRITERS = {**spelt_questions.WRITERS, **spelt_answers.WRITERS}
AUTO = Formats()


def wanted(name: str, one: Asked) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses and the chain that a format must find, as far as it writes them."""
    if name in spelt_questions.WITHOUT_ANSWERS:
        return (), ()
    if name == "squid":
        return one.answers[:1], ()
    return (one.answers[:1] if name == "passivedns" else one.answers), one.chain


@pytest.mark.parametrize("name", sorted(WRITERS))
@given(data=st.data(), one=lookups())
def test_it_is_read_as_the_lookup_that_it_says(name: str, data: st.DataObject, one: Asked) -> None:
    written = data.draw(spelt(name, one))
    (found,) = records(FORMATS[name], written.text)
    answers, chain = wanted(name, one)
    assert (found.client, found.rrname) == (one.client, one.rrname)
    assert (tuple(map(str, found.answers)), found.chain) == (answers, chain)
    assert found.time == pytest.approx(written.time, abs=2e-6)
    assert found.rrtype in {one.rrtype, ""}
    assert (found.kind == "dns") == (name != "squid")
    assert not found.unread


@pytest.mark.parametrize("name", sorted(WRITERS))
@given(data=st.data(), one=lookups())
def test_it_shows_of_which_format_it_is(name: str, data: st.DataObject, one: Asked) -> None:
    assert AUTO.by_head(data.draw(spelt(name, one)).text).name == name


@st.composite
def spelt(draw: st.DrawFn, name: str, one: Asked) -> Written:
    """A lookup, written in some way."""
    return WRITERS[name](draw, one)
