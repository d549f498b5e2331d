"""What is written in any of a format's spellings is read as the lookup that it says, and shows of which format it is."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.sources.logs import (
    Formats,
    bind,
    coredns,
    defender,
    dnsmasq,
    eve,
    infoblox,
    msdns,
    passivedns,
    squid,
    umbrella,
    unbound,
    zeek,
)
from feedsvc.sources.port import LogFormat
from tests.sources.logs import spelt_answers, spelt_events, spelt_questions
from tests.sources.logs.json_making import rdata, read_all, records_of
from tests.sources.logs.linewise import noon
from tests.sources.logs.spelt_questions import Asked, Written, lookups

FORMATS: dict[str, LogFormat] = {
    "bind": bind.Bind(UTC, 0, noon),
    "coredns": coredns.CoreDns(UTC, undated=False, now=noon),
    "defender": defender.build(defender.Options()),
    "dnsmasq": dnsmasq.Dnsmasq(UTC, 0, noon),
    "eve": eve.build(eve.Options()),
    "infoblox": infoblox.Infoblox(UTC, 0, noon),
    "msdns": msdns.build(msdns.Options(date_order="auto")),
    "passivedns": passivedns.build(passivedns.Options()),
    "squid": squid.build(squid.Options()),
    "umbrella": umbrella.build(umbrella.Options()),
    "unbound": unbound.Unbound(UTC, 0, noon),
    "zeek": zeek.build(zeek.Options()),
}
WITHOUT_ANSWERS = {"bind", "unbound", "coredns", "umbrella"}
WRITERS = {**spelt_questions.WRITERS, **spelt_answers.WRITERS, **spelt_events.WRITERS}
AUTO = Formats()


@pytest.mark.parametrize("name", sorted(WRITERS))
@given(data=st.data(), one=lookups())
def test_it_is_read_as_the_lookup_that_it_says(name: str, data: st.DataObject, one: Asked) -> None:
    written = data.draw(spelt(name, one))
    (found,) = records_of(read_all(FORMATS[name], written.text))
    assert (found.client, found.rrname) == (one.client, one.rrname)
    if name not in WITHOUT_ANSWERS:
        assert rdata(found) == list(one.answers[: written.answers])
        assert found.chain == (one.chain if written.chain else ())
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
