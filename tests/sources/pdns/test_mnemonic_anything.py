"""The `mnemonic` provider before answers of any shape: it reads them, or says that they are none."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import SourceError
from feedsvc.model import Outcome
from feedsvc.names import parse_netblock
from feedsvc.sources.port import Front, Fronting, Question
from tests.sources.pdns.asking import built
from tests.sources.pdns.reading import JSONS, answer, drained

ADDRESS = parse_netblock("198.51.100.7")
FIELDS = ["query", "answer", "rrtype", "firstSeenTimestamp", "lastSeenTimestamp", "times", "tlp", "flags"]
VALUES = JSONS | st.sampled_from(["a", "aaaa", "cname", "198.51.100.7", "x.example", ["partialResult"], "white"])
ROWS = st.lists(JSONS | st.dictionaries(st.sampled_from(FIELDS), VALUES), max_size=5)
FRAMES = st.fixed_dictionaries(
    {"responseCode": st.sampled_from([200, 402, 500]) | JSONS, "count": st.integers(0, 9) | JSONS, "data": ROWS | JSONS},
    optional={"offset": JSONS, "messages": JSONS},
)


@given(FRAMES, st.sampled_from(["", "2-5-9-1-0", "1-0--3-1", "not a page"]))
def test_whatever_comes_is_read_or_is_an_error_of_the_source(frame: Mapping[str, object], page: str) -> None:
    provider = built("mnemonic", "", {})
    assert isinstance(provider, Fronting)
    body = json.dumps(frame).encode()
    question, asked = Question(ADDRESS, page=page), Front("k3xq.example.net", ("198.51.100.7",), page)
    for reading in (provider.read(answer(body), question), provider.read_front(answer(body), asked)):
        try:
            batches, reply = drained(reading)
        except SourceError:
            continue
        rows = frame["data"]
        told = sum(len(batch.observations) for batch in batches)
        assert told <= (len(rows) if isinstance(rows, list) else 0)
        assert reply.end.outcome is not Outcome.COMPLETE or frame["responseCode"] == 200


def test_json_as_deep_as_a_well_is_no_answer() -> None:
    provider = built("mnemonic", "", {})
    for body in (b"[" * 100_000, b'{"responseCode":200,"count":1,"data":' + b"[" * 100_000):
        with pytest.raises(SourceError):
            drained(provider.read(answer(body), Question(ADDRESS)))


def test_rows_as_deep_as_a_well_are_left_out() -> None:
    provider = built("mnemonic", "", {})
    deep = b'{"flags":' + b"[" * 500 + b"]" * 500 + b"}"
    row = b'{"rrtype":"a","query":"x.example","answer":"198.51.100.7"}'
    body = b'{"responseCode":200,"count":2,"data":[' + deep + b"," + row + b"]}"
    batches, _ = drained(provider.read(answer(body), Question(ADDRESS)))
    assert [one.rrname for batch in batches for one in batch.observations] == ["x.example"]


def test_rows_without_number_are_no_answer_and_are_not_told_apart() -> None:
    provider = built("mnemonic", "", {})
    body = b'{"responseCode":200,"count":1,"data":[' + b"0," * 600_000 + b"0]}"
    with pytest.raises(SourceError, match="rows, each far too short to be one"):
        drained(provider.read(answer(body, 4 << 20), Question(ADDRESS)))
