"""Run as a program: how many times their own size a provider's reader takes for hostile answers.

    python -m tests.sources.pdns.room mnemonic 8

Prints a line for each answer, with the worst until then, and the worst of all last.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from collections.abc import Iterator, Mapping

from feedsvc.errors import SourceError
from feedsvc.names import parse_netblock
from feedsvc.sources.port import Front, Fronting, Provider, Question
from tests.sources.conftest import KEY
from tests.sources.pdns.asking import built
from tests.sources.pdns.reading import MEBIBYTE, answer, drained

AROUND: Mapping[str, str] = {
    "circl": "%s\n",
    "cof": "%s\n",
    "dnsdb": '{"obj":{"rdata":[%s]}}\n',
    "mdti": '{"value":[%s],"@odata.nextLink":null}',
    "mnemonic": '{"responseCode":200,"data":[%s],"count":9}',
    "otx": '{"passive_dns":[%s],"count":9}',
    "robtex": "%s\n",
    "securitytrails": '{"records":[%s],"record_count":9,"meta":{}}',
    "silentpush": '{"status_code":200,"error":null,"response":{"records":[%s],"metadata":{},"job_status":{}}}',
    "spamhaus": '{"count":9,"results":[%s]}',
    "umbrella": '{"records":[%s],"pageInfo":{}}',
    "validin": '{"status":"finished","records":{"A":[%s]},"limited":false}',
    "virustotal": '{"data":[%s],"meta":{},"links":{}}',
    "whoisxml": '{"result":[%s],"size":9}',
}
"""What stands around the rows of each provider."""

UNITS = ("0,", '{"a":[]},')
"""What a list may be full of."""

LINES = ("\n", "{}\n", '{"rrname":"a"}\n')
LOGINS = frozenset({"circl", "mdti", "spamhaus", "umbrella"})
_ONE = parse_netblock("198.51.100.7")
_FRONT = Front("k3xq.example.net", ("198.51.100.7",))


def provider(name: str, **options: object) -> Provider:
    """A provider that is never asked."""
    needs = ("username", "password") if name in LOGINS else ("api_key",)
    secrets = {} if name in {"cof", "robtex"} else dict.fromkeys(needs, KEY)
    return built(name, "http://pdns.example/v1", secrets, options | ({"tenant": "soc.example"} if name == "mdti" else {}))


def bodies(name: str, size: int) -> Iterator[tuple[str, bytes]]:
    """Answers of about so many bytes, each with a few words that tell them apart."""
    around = AROUND[name].encode()
    for unit in (one.encode() for one in UNITS):
        junk = unit * (size // len(unit)) + unit[:-1]
        yield f"rows of {unit!r}", around % junk
        yield f"an array of {unit!r}", b"[%b]" % junk
        yield f"a row with {unit!r}", around % (b'{"rrname":[%b]}' % junk)
        yield from ((f"{unit!r} as {key}", body) for key, body in _swollen(around, junk))
    for line in (one.encode() for one in LINES):
        yield f"lines of {line!r}", line * (size // len(line))
    for deep in (b"[", b'{"a":', b'"', b'\\"', b"\xf0\x9f\x98\x80"):
        yield f"{deep[:9]!r} without end", around % (deep * (size // len(deep)))
    yield "a text", around % (b'"\xf0\x9f\x98\x80%b"' % (b"a" * size))
    yield "keys", around % (b"{%b}" % _keys(size))


def _keys(size: int) -> bytes:
    """Members of an object, each with a name of its own."""
    found, number = bytearray(b'"":0'), 0
    while len(found) < size:
        found += b',"%x":0' % number
        number += 1
    return bytes(found)


def _swollen(around: bytes, junk: bytes) -> Iterator[tuple[str, bytes]]:
    """Answers without rows, each with junk in the place of one member."""
    document = json.loads((around % b"").strip() or b"{}")
    for key in document:
        others = json.dumps({other: value for other, value in document.items() if other != key})
        yield key, b'{"%b":[%b],%b' % (key.encode(), junk, others.encode()[1:])


def peak() -> int:
    """The most bytes that this process has had until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(name: str, megabytes: int) -> None:
    """Put every answer before a provider."""
    asked = provider(name)
    worst, start = 0.0, peak()
    for about, body in bodies(name, megabytes * MEBIBYTE):
        readings = [asked.read(answer(body, len(body)), Question(_ONE))]
        if isinstance(asked, Fronting):
            readings.append(asked.read_front(answer(body, len(body)), _FRONT))
        for reading in readings:
            with contextlib.suppress(SourceError):
                drained(reading)
        ratio = (peak() - start) / len(body)
        worst = max(worst, ratio)
        print(f"{ratio:5.1f} {about}")
    print(f"{worst:.1f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
