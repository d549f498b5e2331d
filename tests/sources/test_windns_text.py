"""Names and times as Windows' DNS server writes them: labels by their lengths, the languages of servers, what is none."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.errors import NameRefused
from feedsvc.names import encode_labels
from feedsvc.sources.readings import Unreadable
from feedsvc.sources.records import is_name
from feedsvc.sources.windns_text import Clock, DateOrder, Moments, name_of


class TestNames:
    @given(st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=4))
    def test_any_labels_come_through_their_lengths_unharmed(self, labels: list[bytes]) -> None:
        spelt = b"".join(b"(%d)%b" % (len(label), label) for label in labels) + b"(0)"
        if sum(len(label) + 1 for label in labels) < 255:
            name = encode_labels(labels)
            assert name_of(spelt) == (name if is_name(name) else "")

    @pytest.mark.parametrize(
        ("spelt", "name"),
        [
            (b"[C00C](6)signal(3)ext(2)hp(3)com(0)", "signal.ext.hp.com"),
            (b"(9)amazonaws[C026](3)com(0)", "amazonaws.com"),
            (b"(8)a[C026]b(3)com(0)", r"a\091c026\093b.com"),
            (b"(6)(3)www(3)com(0)", r"\0403\041www.com"),
            (b"(3)a.b(3)com(0)", r"a\.b.com"),
            (b"(4)K3XQ(3)com(0)", "k3xq.com"),
        ],
    )
    def test_marks_of_compression_stand_between_labels_alone(self, spelt: bytes, name: str) -> None:
        assert name_of(spelt) == name

    @pytest.mark.parametrize(
        "spelt", [b"", b"(", b"(3)", b"(3)www", b"(3)www(0)x", b"(4)www(0)", b"(999)w(0)", b"www", b"[C00C]"]
    )
    def test_what_is_none_is_refused(self, spelt: bytes) -> None:
        with pytest.raises(NameRefused):
            name_of(spelt)

    @given(st.binary(max_size=80))
    def test_anything_is_a_name_or_refused(self, spelt: bytes) -> None:
        with suppress(NameRefused):
            name_of(spelt)


class TestTimes:
    @pytest.mark.parametrize(
        ("stamp", "seconds"),
        [
            ("2/23/2023 5:13:14 PM", 1677172394),
            ("2/23/2023 12:13:14 AM", 1677111194),
            ("2/23/2023 12:13:14 PM", 1677154394),
            ("2023/02/23 05:13:14 PM", 1677172394),
            ("2023-02-23 17:13:14", 1677172394),
            ("20230223 17:13:14", 1677172394),
            ("23.02.2023 17:13:14", 1677172394),
            ("3.2.2023 17:13:14", 1675444394),
            ("3.2.2023 17.13.14", 1675444394),
            ("03-02-2023 17:13:14", 1675444394),
            ("03/02/2023 17:13:14", 1675444394),
            ("3/2/2023 5:13:14 PM", 1677777194),
            ("03/02/23 17:13:14", 1675444394),
            ("2023. 02. 23. 17:13:14", 1677172394),
            ("23/02/2023 5:13:14 p. m.", 1677172394),
            ("23/02/2023 5:13:14 p.\xa0m.", 1677172394),
        ],
    )
    def test_each_language_is_read(self, stamp: str, seconds: int) -> None:
        assert Moments(UTC, "auto", "auto").read(stamp.encode("latin-1")) == seconds

    @pytest.mark.parametrize(
        ("stamp", "page"),
        [
            ("2023/2/23 下午 05:13:14", "big5"),
            ("2023/2/23 下午 05:13:14", "gbk"),
            ("2023/02/23 午後 05:13:14", "cp932"),
            ("2023-02-23 오후 5:13:14", "cp949"),
            ("2023-02-23 오후 5:13:14", "utf-8"),
            ("23/2/2023 5:13:14 μμ", "cp1253"),
        ],
    )
    def test_halves_of_the_day_are_known_in_code_pages(self, stamp: str, page: str) -> None:
        assert Moments(UTC, "auto", "auto").read(stamp.encode(page)) == 1677172394

    @pytest.mark.parametrize(
        ("order", "stamp", "seconds"),
        [
            ("dmy", "3/2/2023 5:13:14 PM", 1675444394),
            ("mdy", "3/2/2023 17:13:14", 1677777194),
            ("ymd", "23/02/03 17:13:14", 1675444394),
            ("mdy", "2023-02-03 17:13:14", 1675444394),
        ],
    )
    def test_the_order_can_be_told(self, order: DateOrder, stamp: str, seconds: int) -> None:
        assert Moments(UTC, order, "auto").read(stamp.encode()) == seconds

    def test_a_number_above_twelve_shows_the_order_from_there_on(self) -> None:
        moments = Moments(UTC, "auto", "auto")
        assert moments.read(b"3/2/2023 5:13:14 PM") == 1677777194
        assert moments.read(b"23/2/2023 5:13:14 PM") == 1677172394
        assert moments.read(b"3/2/2023 5:13:15 PM") == 1675444395
        assert Moments(UTC, "auto", "auto", moments.learnt).read(b"3/2/2023 5:13:14 PM") == 1675444394

    @pytest.mark.parametrize(
        ("order", "clock", "stamp"),
        [
            ("mdy", "auto", "23/2/2023 5:13:14 PM"),
            ("dmy", "auto", "2/23/2023 5:13:14 PM"),
            ("auto", "24", "2/23/2023 5:13:14 PM"),
            ("auto", "12", "23.2.2023 17:13:14"),
            ("auto", "auto", "23/23/2023 5:13:14 PM"),
            ("auto", "auto", "0/0/2023 5:13:14 PM"),
            ("auto", "auto", "2/23/2023 13:13:14 PM"),
            ("auto", "auto", "2/23/2023 0:13:14 AM"),
            ("auto", "auto", "2/23/2023 25:13:14"),
            ("auto", "auto", "2/23/2023 5:13:14 XM"),
            ("auto", "auto", "1/1/0001 5:13:14 AM"),
            ("auto", "auto", "yesterday"),
            ("auto", "auto", ""),
        ],
    )
    def test_what_does_not_fit_is_refused(self, order: DateOrder, clock: Clock, stamp: str) -> None:
        with pytest.raises(Unreadable):
            Moments(UTC, order, clock).read(stamp.encode())

    def test_times_are_those_of_the_servers_zone(self) -> None:
        # Of the two half past two of that night, the first.
        assert Moments(ZoneInfo("Europe/Berlin"), "auto", "auto").read(b"25.10.2026 02:30:00") == 1792888200

    @given(st.binary(max_size=48))
    def test_anything_is_a_time_or_refused(self, stamp: bytes) -> None:
        try:
            seconds = Moments(UTC, "auto", "auto").read(stamp)
        except Unreadable:
            return
        assert seconds >= 0
