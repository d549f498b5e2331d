"""As `spelt_questions`, for logs that tell where a name led."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise

from hypothesis import strategies as st

from tests.sources.logs.spelt_questions import Asked, Written, addressed, behind_syslog, end, mixed, pick

_QTYPES = {"A": 1, "AAAA": 28}


def squid(draw: st.DrawFn, one: Asked) -> Written:
    """Squid's native format; the chain is not in it, nor more than the address that it went to."""
    seconds, milli = int(one.when.timestamp()), one.when.microsecond // 1000
    host = mixed(draw, one.rrname)
    place = one.answers[0]
    asked = pick(
        draw,
        f"CONNECT {host}:443",
        f"GET http://{host}/",
        f"POST http://{host}:8080/a%20b?",
        f"GET https://{host}/x;y=1.2.3.4",
        f"GET ftp://anon:x@{host}/",
    )
    way = pick(draw, "HIER_DIRECT", "DIRECT", "ORIGINAL_DST", "PINNED", "TIMEOUT_HIER_DIRECT")
    status = pick(draw, "TCP_MISS/200", "TCP_TUNNEL/200", "TCP_MISS_ABORTED/000", "TCP_REFRESH_UNMODIFIED/304")
    line = f"{seconds}.{milli:03d} {draw(st.integers(-1, 239999)):6d} {one.client} {status} 759 {asked} "
    line += f"{pick(draw, '-', 'user@REALM', 'a%20user')} {way}/{place} "
    line += pick(draw, "-", "text/html", "text/html;charset=utf-8")
    before = behind_syslog(draw, one, pick(draw, "squid", "(squid-1)")).text if draw(st.booleans()) else b""
    return Written(
        before + (line + pick(draw, "", r" [Accept:%20*/*\r\n]") + end(draw)).encode(),
        seconds + milli / 1000,
        answers=1,
        chain=False,
    )


def passivedns(draw: st.DrawFn, one: Asked) -> Written:
    """passivedns with one address: a line for each record, whose owners are new versions' or old ones'."""
    old = draw(st.booleans())
    time = str(int(one.when.timestamp())) if old else f"{int(one.when.timestamp())}.{one.when.microsecond:06d}"
    names = [mixed(draw, name) for name in (one.rrname, *one.chain)]
    stop, tail = end(draw), "60" if old else "60||3"
    records = [(names[0] if old else owner, "CNAME", target + ".") for owner, target in pairwise(names)]
    records.append((names[0] if old else names[-1], one.rrtype, addressed(draw, one.answers[0])))
    as_json = not old and draw(st.booleans())
    said = []
    for owner, rrtype, data in records:
        if as_json:
            said.append(
                json.dumps(
                    {
                        "timestamp_s": int(one.when.timestamp()),
                        "timestamp_ms": one.when.microsecond,
                        "client": one.client,
                        "server": "9.9.9.9",
                        "class": "IN",
                        "query": owner + ".",
                        "type": rrtype,
                        "answer": data,
                        "ttl": 60,
                        "count": 3,
                    }
                )
            )
        else:
            said.append(f"{time}||{one.client}||9.9.9.9||IN||{owner}.||{rrtype}||{data}||{tail}")
    return Written("".join(line + stop for line in said).encode(), float(time), answers=1)


def infoblox(draw: st.DrawFn, one: Asked) -> Written:
    """A response of Infoblox, behind syslog or as a capture has it."""
    milli = one.when.microsecond // 1000
    before = behind_syslog(draw, one, "named")
    own = one.when.strftime("%d-%b-%Y %H:%M:%S") + f".{milli:03d} "
    # What says its zone counts: the time of syslog where it does.
    zoned = before.text.startswith(b"<30>1") or before.text[:3].isdigit()
    floor = one.when.replace(microsecond=milli * 1000).timestamp()
    if draw(st.booleans()):
        before, zoned = Written(b"", 0), False
    names = [mixed(draw, name) for name in (one.rrname, *one.chain)]
    dot = pick(draw, "", ".")
    records = [f"{owner}{dot} 60 IN CNAME {target}{dot};" for owner, target in pairwise(names)]
    records += [f"{names[-1]}{dot} 60 IN {one.rrtype} {addressed(draw, address)};" for address in one.answers]
    colon = pick(draw, "", ":")
    view = pick(draw, "", "view 12: ") if colon else ""
    said = f"{own}client {one.client}#57398{colon} {view}{pick(draw, 'UDP', 'TCP')}: "
    said += f"query: {mixed(draw, one.rrname)} IN {one.rrtype} "
    said += f"response: NOERROR {pick(draw, '+', '+AED', '-V', '+EDV')} {' '.join(records)}{end(draw)}"
    category = pick(draw, "", "infoblox-responses: ") if before.text else ""
    return Written(before.text + (category + said).encode(), before.time if zoned else floor)


def zeek(draw: st.DrawFn, one: Asked) -> Written:
    """A row of Zeek's dns.log: TSV with any separators and columns, or JSON as Zeek and others spell it."""
    return _zeek_json(draw, one) if draw(st.booleans()) else _zeek_tsv(draw, one)


def _zeek_tsv(draw: st.DrawFn, one: Asked) -> Written:
    separator, within = draw(st.sampled_from([("\t", ","), (" ", ","), (",", ";"), ("|", ",")]))
    empty, unset = pick(draw, "(empty)", "EMPTY"), pick(draw, "-", "NULL")
    time = pick(draw, f"{int(one.when.timestamp())}.{one.when.microsecond:06d}", one.when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    cells = {
        "ts": time,
        "uid": "CZGShC2znK1sV7jdI7",
        "id.orig_h": addressed(draw, one.client),
        "id.orig_p": "1030",
        "id.resp_h": "4.2.2.3",
        "proto": "udp",
        "query": mixed(draw, one.rrname),
        "qtype": str(_QTYPES[one.rrtype]),
        "qtype_name": pick(draw, one.rrtype, unset),
        "rcode_name": "NOERROR",
        "AA": "F",
        "auth": empty,
        "answers": within.join([*one.chain, *(addressed(draw, address) for address in one.answers)]),
        "TTLs": within.join(["60.000000"] * len((*one.chain, *one.answers))),
        "rejected": "F",
        "opcode_name": unset,
    }
    if draw(st.booleans()):
        del cells["qtype"], cells["qtype_name"]
    columns = draw(st.permutations(list(cells)))
    head = [f"#separator \\x{ord(separator):02x}"]
    head += [separator.join(pair) for pair in (("#set_separator", within), ("#empty_field", empty), ("#unset_field", unset))]
    head += [separator.join(("#path", "dns"))] * draw(st.integers(0, 1))
    head += [separator.join(("#fields", *columns)), separator.join(("#types", *["string"] * len(columns)))]
    stop = end(draw)
    body = "".join(line + stop for line in (*head, separator.join(cells[name] for name in columns)))
    return Written(body.encode(), one.when.timestamp())


def _zeek_json(draw: st.DrawFn, one: Asked) -> Written:
    seconds = one.when.timestamp()
    spellings = [seconds, str(seconds), one.when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), round(seconds * 1000)]
    spelt = draw(st.sampled_from(spellings))
    answers = [*one.chain, *(addressed(draw, address) for address in one.answers)]
    row: dict[str, object] = {
        "ts": spelt,
        "uid": "CZGShC2znK1sV7jdI7",
        "query": mixed(draw, one.rrname),
        "answers": draw(st.sampled_from([answers, ",".join(answers)])),
        "TTLs": [60.0] * len(answers),
        "rejected": False,
    }
    number = _QTYPES[one.rrtype]
    types: list[dict[str, object]] = [
        {"qtype": number, "qtype_name": one.rrtype},
        {"qtype_name": one.rrtype.lower()},
        {"qtype": str(number)},
        {},
    ]
    row |= draw(st.sampled_from(types))
    client = addressed(draw, one.client)
    ends: list[dict[str, object]] = [
        {"id.orig_h": client, "id.orig_p": 5},
        {"id_orig_h": client, "id_orig_p": 5},
        {"id": {"orig_h": client, "resp_h": "4.2.2.3"}},
    ]
    row |= draw(st.sampled_from(ends))
    more: list[dict[str, object]] = [
        {},
        {"_path": "dns", "_write_ts": "2026-11-24T06:16:05.767Z"},
        {"@stream": "dns", "@system": "x"},
    ]
    row |= draw(st.sampled_from(more))
    whole = {"dns": row} if draw(st.booleans()) and "_path" not in row and "@stream" not in row else row
    time = spelt / 1000 if isinstance(spelt, int) else seconds
    return Written((json.dumps(whole) + end(draw)).encode(), time)


WRITERS: Mapping[str, Callable[[st.DrawFn, Asked], Written]] = {
    "squid": squid,
    "passivedns": passivedns,
    "infoblox": infoblox,
    "zeek": zeek,
}
