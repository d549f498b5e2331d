"""What is read of an answer, and what becomes of one that is broken, endless, slow or packed."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator

import pytest

from feedsvc.http import AnswerTooBig, Client, HttpError, Request
from tests.http.conftest import Scripted
from tests.standins import faults
from tests.standins.server import Framing, Reply

ROW = b'{"rrname":"k3xq.example.net"}\n'


def read(client: Client, server: Scripted, reply: Reply, **limits: float) -> tuple[list[bytes], HttpError | None]:
    """The lines that came, and the error that ended them."""
    server.pages["/x"] = reply
    lines: list[bytes] = []
    try:
        size = int(limits.get("size", 1 << 20))
        with client.ask(Request(f"{server.url}/x", deadline=limits.get("deadline"), max_bytes=size)) as got:
            for line in got.lines():
                lines.append(line)  # noqa: PERF402 - what came before an error counts
    except HttpError as err:
        return lines, err
    return lines, None


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_lines_come_whole_however_the_body_is_framed(client: Client, server: Scripted, framing: Framing) -> None:
    lines, err = read(client, server, Reply(body=[b'{"a":', b"1}\r\n", b'\n{"b":2}'], framing=framing))
    assert (lines, err) == ([b'{"a":1}\r\n', b"\n", b'{"b":2}'], None)


def test_a_carriage_return_inside_a_line_does_not_end_it(client: Client, server: Scripted) -> None:
    assert read(client, server, Reply(body=[b'{"a":\r1}\n']))[0] == [b'{"a":\r1}\n']


@pytest.mark.parametrize("pieces", [[b"\xef\xbb\xbf" + ROW], [b"\xef", b"\xbb", b"\xbf", ROW], [b"\xef\xbb\xbf{", ROW[1:]]])
def test_a_byte_order_mark_is_no_part_of_the_first_row(client: Client, server: Scripted, pieces: list[bytes]) -> None:
    server.pages["/x"] = Reply(body=[*pieces, ROW], framing="chunked")
    assert read(client, server, server.pages["/x"]) == ([ROW, ROW], None)
    with client.ask(Request(f"{server.url}/x")) as answer:
        assert answer.read() == ROW + ROW


@pytest.mark.parametrize("body", [b"\xef", b"\xef\xbb", b"\xef\xbc\xbf\n"])
def test_half_a_byte_order_mark_is_what_it_is(client: Client, server: Scripted, body: bytes) -> None:
    assert b"".join(read(client, server, Reply(body=[body]))[0]) == body


def test_an_empty_body_has_no_lines(client: Client, server: Scripted) -> None:
    assert read(client, server, Reply()) == ([], None)
    assert read(client, server, Reply(204)) == ([], None)


@pytest.mark.parametrize("reply", [faults.cut(ROW + b'{"torn'), faults.short(ROW + b'{"torn')], ids=["chunks", "length"])
def test_a_cut_stream_yields_its_whole_lines_and_then_says_that_it_was_cut(
    client: Client, server: Scripted, reply: Reply
) -> None:
    lines, err = read(client, server, reply)
    assert lines == [ROW]
    assert "cut off" in str(err)


def test_an_endless_body_is_given_up_at_its_limit(client: Client, server: Scripted) -> None:
    lines, err = read(client, server, faults.endless(ROW), size=100_000)
    assert isinstance(err, AnswerTooBig)
    assert "100,000 bytes" in str(err)
    assert 0 < sum(map(len, lines)) <= 100_000
    assert set(lines) == {ROW}


def test_an_endless_line_is_given_up_at_its_limit(client: Client, server: Scripted) -> None:
    lines, err = read(client, server, faults.endless(b"a"))
    assert lines == []
    assert "a line of the answer is over 65,536 bytes" in str(err)


def test_a_dripping_body_is_given_up_at_the_deadline(client: Client, server: Scripted) -> None:
    lines, err = read(client, server, faults.drip(b"1\n"), deadline=0.3)
    assert lines == [b"1\n"]
    assert "took longer than 0.3 s" in str(err)


def test_a_dripping_header_is_given_up_at_the_deadline(client: Client, server: Scripted) -> None:
    assert "no answer within 0.3 s" in str(read(client, server, faults.drip_header(), deadline=0.3)[1])
    assert len(server.calls) == 1


def test_silence_is_given_up_at_the_deadline_and_not_asked_again(client: Client, server: Scripted) -> None:
    assert "no answer within 0.2 s" in str(read(client, server, faults.silence(), deadline=0.2)[1])
    assert len(server.calls) == 1


def test_gzip_is_read_even_in_several_members(client: Client, server: Scripted) -> None:
    packed = gzip.compress(ROW) + gzip.compress(ROW * 3)
    assert read(client, server, Reply(headers={"Content-Encoding": "gzip"}, body=[packed]))[0] == [ROW] * 4


def test_a_gzip_bomb_is_given_up_at_the_limit_of_what_it_becomes(client: Client, server: Scripted) -> None:
    lines, err = read(client, server, faults.gzip_bomb(ROW))
    assert isinstance(err, AnswerTooBig)
    assert sum(map(len, lines)) <= 1 << 20


def test_a_gzip_that_stops_in_the_middle_is_cut_though_the_transfer_was_whole(client: Client, server: Scripted) -> None:
    half = gzip.compress(b"".join(b"%d\n" % n for n in range(9999)))[:-2000]
    lines, err = read(client, server, Reply(headers={"Content-Encoding": "gzip"}, body=[half]))
    assert lines[:2] == [b"0\n", b"1\n"]
    assert "in the middle of its gzip" in str(err)


@pytest.mark.parametrize("nothing", [gzip.compress(b""), b"\0\0\0\xff\xff"], ids=["members", "blocks"])
def test_a_gzip_that_becomes_nothing_without_end_is_given_up(client: Client, server: Scripted, nothing: bytes) -> None:
    endless = faults.endless(nothing)
    begun = gzip.compress(b"")[:10] if nothing[0] == 0 else b""

    def body(stopping: threading.Event) -> Iterator[bytes]:
        assert callable(endless.body)
        yield begun
        yield from endless.body(stopping)

    lines, err = read(client, server, Reply(200, {"Content-Encoding": "gzip"}, body, "chunked"))
    assert lines == []
    assert isinstance(err, AnswerTooBig)


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"{}\n", b"0\n"])
def test_lines_that_are_far_too_short_for_rows_are_given_up_when_there_are_too_many(
    client: Client, server: Scripted, line: bytes
) -> None:
    lines, err = read(client, server, faults.endless(line))
    assert 0 < len(lines) < 200_000
    assert set(lines) == {line}
    assert "lines far too short to be rows" in str(err)


def test_a_line_may_come_in_a_thousand_pieces(client: Client, server: Scripted) -> None:
    pieces = [bytes([byte]) for byte in ROW * 40]
    assert read(client, server, Reply(body=pieces, framing="chunked"))[0] == [ROW] * 40


def test_a_reader_may_take_longer_lines_than_others(client: Client, server: Scripted) -> None:
    server.pages["/x"] = Reply(body=[b"a" * 100_000, b"\n", ROW])
    with client.ask(Request(f"{server.url}/x")) as answer:
        assert list(answer.lines(longest=100_000)) == [b"a" * 100_000 + b"\n", ROW]
    with client.ask(Request(f"{server.url}/x")) as answer, pytest.raises(AnswerTooBig, match="over 99,999 bytes"):
        list(answer.lines(longest=99_999))


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "deflate", "\x80"])
def test_a_coding_that_was_not_asked_for_is_refused(client: Client, server: Scripted, coding: str) -> None:
    lines, err = read(client, server, Reply(headers={"Content-Encoding": coding}, body=[ROW]))
    assert lines == []
    assert "not asked for" in str(err)


def test_what_is_no_gzip_is_said_to_be_none(client: Client, server: Scripted) -> None:
    assert "not the gzip" in str(read(client, server, Reply(headers={"Content-Encoding": "gzip"}, body=[ROW]))[1])


@pytest.mark.parametrize("start", [b"", b"\r\n \n", b"\xef\xbb\xbf"])
def test_html_with_200_is_an_error_that_asks_for_the_url(client: Client, server: Scripted, start: bytes) -> None:
    lines, err = read(client, server, Reply(headers={"Content-Type": "application/json"}, body=[start, faults.HTML]))
    assert not b"".join(lines).strip()
    assert "answer is HTML, not NDJSON: is the URL right?" in str(err)


def test_ndjson_that_calls_itself_html_is_read_as_d4_sends_it_so(client: Client, server: Scripted) -> None:
    assert read(client, server, Reply(headers={"Content-Type": "text/html"}, body=[ROW])) == ([ROW], None)


def test_a_whole_body_is_read_within_the_same_limits(client: Client, server: Scripted) -> None:
    server.pages["/x"] = Reply(body=[b"<html>"])
    with client.ask(Request(f"{server.url}/x")) as answer:
        assert answer.read() == b"<html>"
    server.pages["/x"] = faults.endless(ROW)
    with client.ask(Request(f"{server.url}/x")) as answer, pytest.raises(AnswerTooBig):
        answer.read()


def test_the_time_in_which_we_use_what_came_is_not_the_servers(client: Client, server: Scripted) -> None:
    server.pages["/x"] = Reply(body=[ROW * 5000], framing="chunked")
    with client.ask(Request(f"{server.url}/x", deadline=0.2)) as answer:
        lines = answer.lines()
        next(lines)
        threading.Event().wait(0.3)  # the reader stores what it has, for longer than the answer may take
        assert sum(1 for _ in lines) == 4999


def test_an_error_that_is_cut_off_itself_is_told_as_far_as_it_came(client: Client, server: Scripted) -> None:
    cut = faults.cut(b"the key is")
    server.pages["/x"] = Reply(403, {}, cut.body, cut.framing)
    with pytest.raises(HttpError, match="the key is"), client.ask(Request(f"{server.url}/x")):
        pass


def test_an_answer_says_whose_it_is_and_no_more(client: Client, server: Scripted) -> None:
    server.pages["/x"] = Reply(headers={"X-Quota": "7"}, body=[ROW])
    with client.ask(Request(f"{server.url}/x")) as answer:
        assert repr(answer) == f"<Answer 200 of {server.url.removeprefix('http://')}>"
        assert answer.headers["x-quota"] == "7"
