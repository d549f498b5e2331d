"""As `spelt_answers`, for logs whose lookup is an event, or several lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise

from hypothesis import strategies as st

from tests.sources.logs.spelt_questions import Asked, Written, addressed, behind_syslog, end, mixed, pick, zoned

_QTYPES = {"A": 1, "CNAME": 5, "AAAA": 28}
Event = dict[str, object]


def eve(draw: st.DrawFn, one: Asked) -> Written:
    """Suricata's events of one lookup: any version, either end first, with the request or without."""
    version = draw(st.integers(1, 3))
    names = [mixed(draw, name) for name in (one.rrname, *one.chain)]
    records: list[Event] = [
        {"rrname": owner, "rrtype": "CNAME", "ttl": 60, "rdata": target} for owner, target in pairwise(names)
    ]
    addresses = [addressed(draw, address) for address in one.answers]
    if version == 1:
        addresses = addresses[:1]
    records += [{"rrname": names[-1], "rrtype": one.rrtype, "ttl": 60, "rdata": address} for address in addresses]
    stamp = zoned(draw, one.when, "%Y-%m-%dT%H:%M:%S.%f")
    client, server = {"ip": addressed(draw, one.client), "port": 53124}, {"ip": "10.0.0.53", "port": 53}

    def event(dns: Event, source: Mapping[str, object], target: Mapping[str, object]) -> str:
        ends = {f"{side}_{key}": found[key] for side, found in (("src", source), ("dest", target)) for key in ("ip", "port")}
        whole = {"timestamp": stamp, "flow_id": 1805461738637437, "event_type": "dns", **ends, "proto": "UDP", "dns": dns}
        text = json.dumps(whole, separators=(",", ":")).replace("/", pick(draw, "/", r"\/"))
        return prefix + text + stop

    prefix = behind_syslog(draw, one, "suricata").text.decode() + pick(draw, "", "@cee: ") if draw(st.booleans()) else ""
    stop = end(draw)
    asked: Event = {"rrname": names[0], "rrtype": one.rrtype}
    head: Event = {} if version == 1 else {"version": version}
    lines = []
    if version == 1 or draw(st.booleans()):
        request = {"queries": [asked]} if version == 3 else asked
        lines.append(event({**head, "type": pick(draw, "query", "request"), "id": 7, **request}, client, server))
    kind = pick(draw, "answer", "response")
    source, target = (client, server) if draw(st.booleans()) else (server, client)
    if version == 1:
        lines += [event({"type": kind, "id": 7, "rcode": "NOERROR", **record}, source, target) for record in records]
        return Written("".join(lines).encode(), one.when.timestamp(), answers=1)
    said: Event = {"queries": [asked]} if version == 3 else asked
    grouped = {"CNAME": names[1:], one.rrtype: addresses}
    forms: list[Event] = [{"answers": records}, {"grouped": grouped}, {"answers": records, "grouped": grouped}]
    answer = {**head, "type": kind, "id": 7, "flags": "8180", "rcode": "NOERROR", **said, **draw(st.sampled_from(forms))}
    return Written("".join([*lines, event(answer, source, target)]).encode(), one.when.timestamp())


# -- Windows' DNS server -------------------------------------------------------------------------------------------------


def _clocks(when: datetime) -> list[str]:
    """Times as servers of several languages write them, all of which say what they mean."""
    twelve = f"{(when.hour - 1) % 12 + 1}:{when.minute:02d}:{when.second:02d}"
    half, day = "AM" if when.hour < 12 else "PM", f"{when.month}/{when.day}/{when.year}"
    return [
        f"{day} {twelve} {half}",
        f"{day} {twelve} {'a.m.' if half == 'AM' else 'p.m.'}",
        when.strftime("%d.%m.%Y %H:%M:%S"),
        when.strftime("%d/%m/%Y %H:%M:%S"),
        when.strftime("%d-%m-%Y %H.%M.%S"),
        when.strftime("%Y-%m-%d %H:%M:%S"),
        when.strftime("%Y/%m/%d ") + twelve + f" {half}",
        when.strftime("%Y. %m. %d. %H:%M:%S"),
        when.strftime("%Y%m%d %H:%M:%S"),
        when.strftime("%Y/%m/%d ") + f"{'上午' if half == 'AM' else '下午'} {twelve}",
    ]


def _labels(name: str, mark: str = "") -> str:
    return mark + "".join(f"({len(label)}){label}" for label in name.split(".")) + "(0)"


def msdns(draw: st.DrawFn, one: Asked) -> Written:
    """A packet of the debug log that answers a client, with its details, in some language."""
    stamp = draw(st.sampled_from(_clocks(one.when)))
    names = [mixed(draw, name) for name in (one.rrname, *one.chain)]
    protocol = pick(draw, "UDP", "TCP")
    packet = f"{stamp} 0C1C PACKET  {pick(draw, '00000005D8F8BC40', '02308B90')} {protocol} Snd {one.client}     0747 R Q "
    lines = [
        packet + f"[8081   DR  NOERROR] {one.rrtype:6s} {_labels(names[0])}",
        f"{protocol} response info at 00000005D8F8BC40",
        "  Message:",
        "    QCOUNT    1",
        f"    ACOUNT    {len(one.chain) + len(one.answers)}",
        "    QUESTION SECTION:",
        "    Offset = 0x000c, RR count = 0",
        f'    Name      "{_labels(names[0])}"',
        f"      QTYPE   {one.rrtype} ({_QTYPES[one.rrtype]})",
        "      QCLASS  1",
        "    ANSWER SECTION:",
    ]
    records = [(owner, "CNAME", _labels(target)) for owner, target in pairwise(names)]
    records += [(names[-1], one.rrtype, address) for address in one.answers]
    for number, (owner, rrtype, data) in enumerate(records):
        lines += [
            f"    Offset = 0x{85 + number:04x}, RR count = {number}",
            f'    Name      "{_labels(owner, pick(draw, "", "[C00C]"))}"',
            f"      TYPE   {rrtype}  ({_QTYPES[rrtype]})",
            "      CLASS  1",
            "      TTL    60",
            "      DLEN   4",
            f"      DATA   {data}",
        ]
    lines += ["    AUTHORITY SECTION:", "      empty", "    ADDITIONAL SECTION:", "      empty", ""]
    text = "".join(line + "\r\n" for line in lines)
    return Written(text.encode(pick(draw, "utf-8", "utf-16")), one.when.replace(microsecond=0).timestamp())


# -- Defender ------------------------------------------------------------------------------------------------------------


def defender(draw: st.DrawFn, one: Asked) -> Written:
    """A row of Defender's table, as it streams, as its API answers, or as portals export it."""
    answers = [*one.chain, *(addressed(draw, address) for address in one.answers)]
    kinds: list[Event] = [{"qtype_name": one.rrtype}, {"qtype": str(_QTYPES[one.rrtype])}, {}]
    fields = {"direction": "Out", "query": mixed(draw, one.rrname), "answers": answers, **draw(st.sampled_from(kinds))}
    seven = one.when.strftime("%Y-%m-%dT%H:%M:%S.%f") + pick(draw, "Z", "0Z")
    row: Event = {
        "Timestamp": seven,
        "DeviceName": one.client,
        "ActionType": "DnsConnectionInspected",
        "RemoteIP": "10.0.0.53",
        "RemotePort": "53",
        "AdditionalFields": json.dumps(fields),
        "InitiatingProcessFileName": "updater.exe",
    }
    event: Event = {"time": seven, "category": "AdvancedHunting-DeviceNetworkEvents", "properties": row}
    shapes: list[Event] = [row, event, {"records": [event]}, {"Results": [row]}]
    if draw(st.booleans()):
        return Written((json.dumps(draw(st.sampled_from(shapes))) + end(draw)).encode(), one.when.timestamp())
    out = io.StringIO()
    stop = end(draw)
    columns = draw(st.permutations(list(row)))
    always = csv.DictWriter(out, columns, lineterminator=stop, quoting=csv.QUOTE_ALL)
    rows = always if draw(st.booleans()) else csv.DictWriter(out, columns, lineterminator=stop)
    rows.writeheader()
    rows.writerow(row)
    return Written((pick(draw, "", "\ufeff") + out.getvalue()).encode(), one.when.timestamp())


WRITERS: Mapping[str, Callable[[st.DrawFn, Asked], Written]] = {"eve": eve, "msdns": msdns, "defender": defender}
