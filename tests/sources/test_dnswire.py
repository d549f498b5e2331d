"""DNS messages, read as dnspython reads them, and never by more than their length allows."""

from __future__ import annotations

import contextlib
import itertools
import random
import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedsvc.names import Address, encode_labels, parse_name
from feedsvc.sources import dnswire
from feedsvc.sources.chains import MAX_CHAIN
from feedsvc.sources.dnswire import Message, packed_address, type_name
from feedsvc.sources.readings import Unreadable

LABELS = st.binary(min_size=1, max_size=12) | st.sampled_from(
    [b"www", b"WwW", b"k3xq", b"a.b", b"\0", b"-", b"_dmarc", b"\xff"]
)
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(lambda labels: dns.name.Name([*labels, b""]))


def text(name: dns.name.Name) -> str:
    """A name of dnspython's in our spelling."""
    return encode_labels(name.labels[:-1])


def question(name: str = "k3xq.example.net", rrtype: str = "A") -> dns.message.Message:
    return dns.message.make_query(name, rrtype)


def answer(*records: str, name: str = "k3xq.example.net", rrtype: str = "A") -> bytes:
    """A response with records in presentation format, as dnspython packs it."""
    response = dns.message.make_response(question(name, rrtype), our_payload=1232)
    for record in records:
        owner, ttl, rdclass, rdtype, rdata = record.split(" ", 4)
        response.answer.append(dns.rrset.from_text(owner, int(ttl), rdclass, rdtype, rdata))
    return response.to_wire()


def packed(name: str) -> bytes:
    return dns.name.from_text(name).to_wire()  # type: ignore[return-value]


def raw(question: bytes, *records: bytes, count: int | None = None, flags: int = 0x8180, questions: int = 1) -> bytes:
    """A message put together by hand, from a question (name, type, class) on."""
    many = len(records) if count is None else count
    return struct.pack("!HHHHHH", 4711, flags, questions, many, 0, 0) + question + b"".join(records)


def record(owner: bytes, rrtype: int, data: bytes, *, kind: int = 1, size: int | None = None) -> bytes:
    return owner + struct.pack("!HHIH", rrtype, kind, 60, len(data) if size is None else size) + data


K3XQ = packed("k3xq.example.net.") + b"\0\1\0\1"
TO_QUESTION = b"\xc0\x0c"
SEVEN = Address(4, 0xC6336407)


def read(message: bytes) -> Message:
    found = dnswire.read(message)
    assert found is not None
    return found


class TestQuestions:
    def test_a_query_tells_what_is_asked(self) -> None:
        assert read(question("K3xq.Example.NET", "AAAA").to_wire()) == Message(False, 0, "k3xq.example.net", "AAAA")

    def test_a_response_without_answers_tells_its_code(self) -> None:
        response = dns.message.make_response(question())
        response.set_rcode(dns.rcode.NXDOMAIN)
        assert read(response.to_wire()) == Message(True, 3, "k3xq.example.net", "A")

    @pytest.mark.parametrize(
        "message",
        [
            raw(b"", questions=0),
            raw(b"\0\0\2\0\1"),
            raw(packed("version.bind.") + b"\0\x10\0\3"),
            raw(K3XQ, flags=0x2000),
            raw(K3XQ, flags=0x2800),
        ],
        ids=["no question", "the root", "class CHAOS", "NOTIFY", "UPDATE"],
    )
    def test_what_asks_for_no_name_is_nothing(self, message: bytes) -> None:
        assert dnswire.read(message) is None

    @pytest.mark.parametrize(
        ("message", "reason"),
        [
            (b"", "message shorter than its header"),
            (raw(K3XQ)[:11], "message shorter than its header"),
            (raw(K3XQ) + bytes(65536), "message longer than any may be"),
            (raw(K3XQ)[:-1], "message ends within its question"),
            (raw(K3XQ)[:20], "name without an end"),
            (raw(b"\x3fabc"), "name without an end"),
            (raw(b"\x40" + bytes(70)), "label of no known kind"),
            (raw(b"\x80\x0c\0\1\0\1"), "label of no known kind"),
            (raw(b"\xc0\x0c\0\1\0\1"), "pointer that does not lead back"),
            (raw(b"\xff\xff\0\1\0\1"), "pointer that does not lead back"),
            (raw(b"\1a\xc0"), "pointer that does not lead back"),
            (raw(b"\1a\xc0\x0c\0\1\0\1"), "pointer that does not lead back"),
            (raw(b"\x01a" * 128 + b"\0\0\1\0\1"), "name longer than a name may be"),
        ],
    )
    def test_a_question_that_cannot_be_read_makes_nothing_of_the_message(self, message: bytes, reason: str) -> None:
        with pytest.raises(Unreadable, match=f"^{reason}$"):
            dnswire.read(message)

    def test_the_longest_name_is_one(self) -> None:
        assert read(raw(b"\x01a" * 127 + b"\0\0\1\0\1")).rrname == ".".join("a" * 127)

    @given(NAMES)
    def test_any_name_is_read_in_its_canonical_spelling(self, name: dns.name.Name) -> None:
        found = read(dns.message.make_query(name, "A").to_wire())
        assert found.rrname == text(name)
        assert parse_name(found.rrname) == found.rrname

    @pytest.mark.parametrize("number", [*range(300), 32768, 65280, 65535])
    def test_types_are_called_by_their_mnemonics(self, number: int) -> None:
        assert type_name(number) in {dns.rdatatype.to_text(dns.rdatatype.RdataType.make(number)), f"TYPE{number}"}

    @pytest.mark.parametrize("name", ["A", "AAAA", "CNAME", "TXT", "PTR", "MX", "NS", "SOA", "SRV", "HTTPS", "ANY", "DS"])
    def test_types_that_are_often_asked_for_have_one(self, name: str) -> None:
        assert type_name(int(dns.rdatatype.from_text(name))) == name


class TestAnswers:
    def test_addresses_of_the_asked_name_in_their_order_each_once(self) -> None:
        message = answer("k3xq.example.net. 60 IN A 198.51.100.7", "K3XQ.example.net. 60 IN A 192.0.2.1")
        assert read(message).answers == (SEVEN, Address(4, 0xC0000201))
        twice = raw(K3XQ, record(TO_QUESTION, 1, b"\xc6\x33\x64\x07"), record(TO_QUESTION, 1, b"\xc6\x33\x64\x07"))
        assert read(twice).answers == (SEVEN,)

    def test_an_ipv6_address_and_a_mapped_one(self) -> None:
        message = answer("k3xq.example.net. 60 IN AAAA 2001:db8:77::1", rrtype="AAAA")
        assert [str(address) for address in read(message).answers] == ["2001:db8:77::1"]
        mapped = answer("k3xq.example.net. 60 IN AAAA ::ffff:198.51.100.7", rrtype="AAAA")
        assert read(mapped).answers == (SEVEN,)

    def test_the_chain_is_followed_by_owners_whatever_the_order(self) -> None:
        records = [
            "k3xq.example.net. 60 IN CNAME a.example.org.",
            "a.example.org. 60 IN CNAME b.example.org.",
            "b.example.org. 60 IN A 198.51.100.7",
        ]
        for seed in range(6):
            random.Random(seed).shuffle(records)
            found = read(answer(*records))
            assert (found.chain, found.answers, found.fault) == (("a.example.org", "b.example.org"), (SEVEN,), "")

    def test_a_chain_that_leads_to_no_address_is_one(self) -> None:
        found = read(answer("k3xq.example.net. 60 IN CNAME a.example.org."))
        assert (found.chain, found.answers) == (("a.example.org",), ())

    def test_signatures_text_and_other_classes_give_nothing(self) -> None:
        message = raw(
            K3XQ,
            record(TO_QUESTION, 16, b"\x0c198.51.100.7"),
            record(TO_QUESTION, 12, packed("7.100.51.198.in-addr.arpa.")),
            record(TO_QUESTION, 46, bytes(40)),
            record(TO_QUESTION, 1, b"\xc6\x33\x64\x07", kind=3),
        )
        assert read(message) == Message(True, 0, "k3xq.example.net", "A")

    def test_addresses_in_an_answer_for_any_type_are_addresses(self) -> None:
        message = answer("k3xq.example.net. 60 IN A 198.51.100.7", "k3xq.example.net. 60 IN TXT a", rrtype="ANY")
        assert read(message).answers == (SEVEN,)

    def test_authority_and_additional_sections_are_passed_over(self) -> None:
        response = dns.message.make_response(question())
        response.authority = [dns.rrset.from_text("k3xq.example.net.", 60, "IN", "A", "198.51.100.7")]
        response.additional = [dns.rrset.from_text("k3xq.example.net.", 60, "IN", "A", "198.51.100.7")]
        assert read(response.to_wire()).answers == ()

    def test_an_address_that_the_question_does_not_lead_to_is_left_out_and_told(self) -> None:
        found = read(answer("other.example.net. 60 IN A 198.51.100.7", "k3xq.example.net. 60 IN A 192.0.2.1"))
        assert [str(address) for address in found.answers] == ["192.0.2.1"]
        assert found.fault == "address of a name that the question does not lead to"

    def test_a_name_with_addresses_is_where_the_way_ends(self) -> None:
        found = read(
            answer(
                "k3xq.example.net. 60 IN CNAME a.example.org.",
                "k3xq.example.net. 60 IN A 198.51.100.7",
                "a.example.org. 60 IN A 192.0.2.1",
            )
        )
        assert (found.chain, found.answers) == ((), (SEVEN,))
        assert found.fault == "address of a name that the question does not lead to"

    @pytest.mark.parametrize("target", ["k3xq.example.net.", "a.example.org."])
    def test_a_circle_of_cnames_is_told(self, target: str) -> None:
        found = read(answer("k3xq.example.net. 60 IN CNAME a.example.org.", f"a.example.org. 60 IN CNAME {target}"))
        assert found.chain == ("a.example.org",)
        assert found.fault == "CNAMEs without an end"

    def test_a_chain_is_followed_so_far_and_no_further(self) -> None:
        path = [packed("k3xq.example.net."), *(packed(f"n{number}.example.org.") for number in range(100))]
        found = read(raw(K3XQ, *(record(owner, 5, target) for owner, target in itertools.pairwise(path))))
        assert len(found.chain) == MAX_CHAIN
        assert found.fault == "CNAMEs without an end"

    def test_of_two_cnames_of_a_name_the_first_is_followed(self) -> None:
        records = (record(TO_QUESTION, 5, packed(f"{name}.example.org.")) for name in "ab")
        found = read(raw(K3XQ, *records))
        assert (found.chain, found.fault) == (("a.example.org",), "more than one CNAME of a name")

    def test_a_cname_to_the_root_leads_nowhere(self) -> None:
        assert read(raw(K3XQ, record(TO_QUESTION, 5, b"\0"))) == Message(True, 0, "k3xq.example.net", "A")

    def test_more_questions_than_one_stand_before_the_answers(self) -> None:
        message = raw(K3XQ + K3XQ, record(TO_QUESTION, 1, b"\xc6\x33\x64\x07"), questions=2)
        assert read(message).answers == (SEVEN,)

    @pytest.mark.parametrize(
        ("records", "fault"),
        [
            ([record(TO_QUESTION, 1, b"\xc6\x33\x64")], "address of the wrong length"),
            ([record(TO_QUESTION, 1, bytes(16))], "address of the wrong length"),
            ([record(TO_QUESTION, 28, bytes(4))], "address of the wrong length"),
            ([record(TO_QUESTION, 1, b"", size=4)], "message ends within its answers"),
            ([TO_QUESTION], "message ends within its answers"),
            ([b"\xc0"], "message ends within its answers"),
            ([b"\x80\x0c"], "label of no known kind"),
            ([b"\x03ab"], "name without an end"),
            ([record(b"\xff\xff", 1, bytes(4))], "pointer that does not lead back"),
            ([record(TO_QUESTION, 5, b"\1a")], "name without an end"),
            ([record(TO_QUESTION, 5, b"\1a\0x")], "CNAME with more than a name in it"),
            ([record(TO_QUESTION, 5, b"\xc0")], "pointer that does not lead back"),
            ([record(TO_QUESTION, 5, b"\1a\xff\xff")], "pointer that does not lead back"),
        ],
    )
    def test_what_was_read_before_a_fault_holds(self, records: list[bytes], fault: str) -> None:
        good = record(TO_QUESTION, 1, b"\xc6\x33\x64\x07")
        found = read(raw(K3XQ, good, *records))
        assert (found.rrname, found.answers, found.fault) == ("k3xq.example.net", (SEVEN,), fault)

    def test_a_message_that_was_cut_gives_the_answers_it_has(self) -> None:
        whole = answer(*(f"k3xq.example.net. 60 IN A 198.51.100.{last}" for last in range(1, 9)))
        counts = [len(read(whole[:size]).answers) for size in range(len(whole) - 8 * 16, len(whole) + 1)]
        assert counts == sorted(counts)
        assert counts[0] == 0
        assert counts[-1] == 8
        assert all(read(whole[:size]).fault for size in range(len(whole) - 8 * 16, len(whole)))


# -- dnspython as the judge ----------------------------------------------------------------------------------------------


ADDRESSES = st.tuples(st.just("A"), st.ip_addresses(v=4).map(str)) | st.tuples(
    st.just("AAAA"), st.ip_addresses(v=6).map(str)
)


@st.composite
def responses(draw: st.DrawFn) -> dns.message.Message:
    """Responses about a handful of names, in any order, that may or may not hang together."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5))
    response = dns.message.make_response(
        dns.message.make_query(names[0], draw(st.sampled_from(["A", "AAAA", "ANY", "TXT"])))
    )
    for _ in range(draw(st.integers(0, 8))):
        owner = draw(st.sampled_from(names))
        if draw(st.booleans()):
            rrset = dns.rrset.from_text(owner, 60, "IN", "CNAME", draw(st.sampled_from(names)).to_text())
        else:
            rrset = dns.rrset.from_text(owner, 60, "IN", *draw(ADDRESSES))
        response.answer.append(rrset)
    return response


def judged(message: dns.message.Message) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """Addresses and chain of a message of dnspython's, by the law of `dnswire`: first CNAME, until there are addresses."""
    targets: dict[dns.name.Name, dns.name.Name] = {}
    addresses: dict[dns.name.Name, list[Address]] = {}
    for rrset in message.answer:
        for rdata in rrset if rrset.rdclass == dns.rdataclass.IN else ():
            if rrset.rdtype == dns.rdatatype.CNAME and rdata.target != dns.name.root:
                targets.setdefault(rrset.name, rdata.target)
            elif rrset.rdtype in {dns.rdatatype.A, dns.rdatatype.AAAA}:
                address = packed_address(rdata.to_wire())
                assert address is not None
                addresses.setdefault(rrset.name, []).append(address)
    name, chain = message.question[0].name, list[dns.name.Name]()
    while name not in addresses and name in targets and targets[name] not in {*chain, message.question[0].name}:
        name = targets[name]
        chain.append(name)
    return tuple(dict.fromkeys(addresses.get(name, ()))), tuple(map(text, chain))


class TestAgainstDnspython:
    @given(responses())
    def test_what_dnspython_packs_is_read_as_it_was_meant(self, response: dns.message.Message) -> None:
        found = read(response.to_wire())
        answers, chain = judged(response)
        assert found.rrname == text(response.question[0].name)
        assert found.rrtype == dns.rdatatype.to_text(response.question[0].rdtype)
        assert (found.answers, found.chain) == (answers, chain)
        assert found.response

    @given(responses(), st.data())
    def test_what_dnspython_reads_of_a_damaged_message_is_read_alike(
        self, response: dns.message.Message, data: st.DataObject
    ) -> None:
        wire = bytearray(response.to_wire())
        for _ in range(data.draw(st.integers(1, 4))):
            wire[data.draw(st.integers(2, len(wire) - 1))] = data.draw(st.integers(0, 255) | st.sampled_from([0xC0, 12, 0]))
        self.compare(bytes(wire))

    @given(st.binary(max_size=120).map(lambda tail: raw(b"", count=2) + tail))
    @example(raw(K3XQ, record(b"\xc0\x0c", 1, bytes(4))))
    @example(raw(b"\1a\0\0\1\0\1", record(b"\1b\xc0\x0c", 1, bytes(4))))
    def test_what_dnspython_reads_of_anything_is_read_alike(self, message: bytes) -> None:
        self.compare(message)

    @staticmethod
    def compare(message: bytes) -> None:
        try:
            # One set for each record: otherwise dnspython sorts equal owners together, and drops what it holds twice.
            judge = dns.message.from_wire(message, one_rr_per_rrset=True, ignore_trailing=True)
        except (dns.exception.DNSException, ValueError, NotImplementedError):
            return
        asked = judge.question[0] if judge.question and not judge.opcode() else None
        if asked is None or asked.rdclass != dns.rdataclass.IN or asked.name == dns.name.root:
            assert dnswire.read(message) is None
            return
        found = read(message)
        assert found.rrname == text(judge.question[0].name)
        assert found.response == bool(judge.flags & dns.flags.QR)
        answers, chain = judged(judge)
        assert (found.answers, found.chain) == (answers, chain)


class TestAnyBytes:
    @given(st.binary(max_size=600))
    def test_no_bytes_make_it_raise_anything_else(self, message: bytes) -> None:
        with contextlib.suppress(Unreadable):
            dnswire.read(message)

    @given(st.binary(max_size=200), st.integers(0, 65535))
    def test_no_answers_make_a_good_question_unreadable(self, tail: bytes, count: int) -> None:
        assert read(raw(K3XQ, tail, count=count)).rrname == "k3xq.example.net"

    @pytest.mark.parametrize(
        "message",
        [
            # Names that jump as often as they may, once for each of the most records that fit.
            raw(
                K3XQ,
                b"".join(b"\1a" + struct.pack("!H", 0xC000 | max(12, 34 + 4 * n - 4)) for n in range(2000)),
                count=65535,
            ),
            raw(K3XQ, *[record(b"\1" + bytes([n % 256]) + TO_QUESTION, 1, bytes(4)) for n in range(3600)]),
            raw(K3XQ, *[record(b"\x01\xff" * 127 + b"\0", 5, b"\x01\xfe" * 127 + b"\0") for _ in range(120)]),
        ],
        ids=["jumps", "owners", "long names"],
    )
    def test_the_worst_messages_are_read_to_their_end(self, message: bytes) -> None:
        assert len(message) <= dnswire.MAX_MESSAGE
        assert read(message).rrname == "k3xq.example.net"


class TestPackedAddresses:
    @given(st.ip_addresses())
    def test_octets_are_the_address_they_spell(self, address: object) -> None:
        found = packed_address(address.packed)  # type: ignore[attr-defined]
        mapped = getattr(address, "ipv4_mapped", None)
        assert str(found) == str(mapped or address)

    @pytest.mark.parametrize("size", [0, 1, 3, 5, 15, 17])
    def test_other_numbers_of_octets_are_none(self, size: int) -> None:
        assert packed_address(bytes(size)) is None
