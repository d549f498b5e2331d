"""VirusTotal asked about one address, as the pipeline does it, at any time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from feedsvc.config import Secret, SourceSettings
from feedsvc.http import Client
from feedsvc.model import Tlp
from feedsvc.names import Netblock, parse_netblock
from feedsvc.sources.pdns import virustotal
from feedsvc.sources.pdns.virustotal import Options
from feedsvc.sources.polling import PdnsSource
from feedsvc.sources.port import Poll, Provider
from tests.sources.conftest import DATA, NOW, Heard, gather
from tests.sources.pdns.asking import Counted
from tests.standins.provider import KEY, Seen
from tests.standins.virustotal import Server

ADDRESS = "198.51.100.7"
ONE = parse_netblock(ADDRESS)
MANY = [Seen(f"n{n:03}.example.net", ADDRESS, last=1_700_000_000 - n) for n in range(157)]
PLAIN = Options()


def built(url: str = "", options: Options = PLAIN, now: datetime = NOW, tlp: Tlp | None = None) -> Provider:
    settings = SourceSettings(
        name="vt", kind="pdns", provider="virustotal", url=url, secrets={"api_key": Secret(KEY, "environment VT")}, tlp=tlp
    )
    return virustotal.build(settings, options, lambda: now)


def poll(
    http: Client,
    server: Server,
    options: Options = PLAIN,
    *,
    netblock: Netblock = ONE,
    cursors: Mapping[str, str] | None = None,
    budget: Counted | None = None,
    now: datetime = NOW,
) -> Heard:
    source = PdnsSource("vt", built(server.url, options, now), http, lambda: now)
    return gather(source.read(Poll([netblock], cursors or {}, now, budget or Counted())))


def kept(heard: Heard) -> dict[str, str]:
    """The cursors as they are after a poll."""
    return {cursor.scope: cursor.position for cursor in heard.cursors}


def marked(heard: Heard) -> bool:
    return any(cursor.scope != "plan" for cursor in heard.cursors)


def sample(name: str) -> bytes:
    return (DATA / "virustotal" / name).read_bytes()


def rows_of(count: int) -> list[dict[str, object]]:
    return [
        {
            "type": "resolution",
            "attributes": {"host_name": f"n{n}.example.net", "ip_address": ADDRESS, "date": 1_700_000_000},
        }
        for n in range(count)
    ]
