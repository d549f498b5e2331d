"""`feedsvc demo`: the whole job on recorded data, over real sockets, with the code of production.

A small Passive DNS server on loopback answers as a real one would; a Zeek log lies beside it. The first poll makes the
baseline of the first recorded day; then the second day comes, and with it callbacks under a domain never seen, noise in the
same netblock, and names that must not be published. State lives in a temporary folder that is gone afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from feedsvc import assemble, clock, pipeline
from feedsvc.assemble.serving import http
from feedsvc.assemble.stopping import ending
from feedsvc.assemble.verifying import verifier
from feedsvc.config import Settings
from feedsvc.demo import recording
from feedsvc.demo.server import AnswerServer, answering
from feedsvc.model import Delta
from feedsvc.pipeline import granting, reading
from feedsvc.pipeline.parts import Parts
from feedsvc.publish import delta_text
from feedsvc.taxii.verifying import verify

Say = Callable[[str], object]

CONFIGURATION = """\
[producer]
name = "feedsvc demo"
identity_class = "system"

[http]
listen = "127.0.0.1:0"

[[source]]
name = "passive-dns"
kind = "pdns"
provider = "cof"
url = "{url}"
concurrency = 8

[[source]]
name = "zeek"
kind = "log"
format = "zeek"
path = "dns*.log"

[[collection]]
alias = "callbacks"
title = "New callback domains"
max_tlp = "green"

[[export]]
name = "domains.txt"
format = "domains"

[[export]]
name = "hosts.txt"
format = "hosts"

[[export]]
name = "callbacks.rpz"
format = "rpz"
"""

RULE = """\
id: jar-callbacks
title: JAR dropper, TLS callbacks to random four-character sub-domains
netblocks: [198.51.100.0/24]
names:
  label: {position: leftmost, length: 4, alphabet: "a-z0-9"}
baseline: hold
publish: auto
valid_for: 45d
tlp: green
confidence: 70
stix: {kill_chain_phase: command-and-control, attack: [T1568]}
matches: [k3xq.example.net]
misses: [www.example.net]
"""


@dataclass(frozen=True, slots=True)
class _Stage:
    folder: Path
    settings: Settings
    server: AnswerServer
    shift: timedelta
    say: Say

    def bring(self, day: recording.Day) -> None:
        """Let a recorded day happen: the server knows it, the log has it."""
        self.server.rows = recording.answers(day, self.shift)
        with (self.folder / "dns.log").open("a", encoding="utf-8") as log:
            log.write(recording.zeek_lines(day, self.shift))

    def poll(self, parts: Parts) -> Delta:
        return pipeline.run(parts, parts.sources).delta


def run(*, once: bool, say: Say) -> None:
    """Play the demo.

    Args:
        once: end when everything was shown; otherwise serve until SIGINT or SIGTERM.
        say: prints a text.
    """
    with ExitStack() as stack:
        stop = stack.enter_context(ending())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="feedsvc-demo-")))
        stage = _set(folder, stack.enter_context(answering()), say)
        with assemble.parts(stage.settings, stop=stop) as parts:
            _play(stage, parts)
            token = granting.add(
                parts, "demo-partner", ["callbacks"], "green", ["domains.txt", "hosts.txt", "callbacks.rpz"]
            )
        server = stack.enter_context(http(stage.settings))
        _show_addresses(stage, server.url, token.token)
        with verifier(stage.settings, server.url) as ready:
            say(f"\nread back with taxii2-client, as a partner would:\n{verify(ready).as_text()}")
        if not once:
            say("\nserving until Ctrl-C")
            stop.wait()


def _set(folder: Path, server: AnswerServer, say: Say) -> _Stage:
    (folder / "rules").mkdir()
    (folder / "rules" / "jar-callbacks.yaml").write_text(RULE, encoding="utf-8")
    file = folder / "feedsvc.toml"
    file.write_text(CONFIGURATION.format(url=server.url), encoding="utf-8")
    say(f"feedsvc demo: passive DNS at {server.url}, state in {folder}")
    return _Stage(folder, assemble.settings(file), server, recording.shift(clock.utc_now()), say)


def _play(stage: _Stage, parts: Parts) -> None:
    stage.bring("day-1")
    first = stage.poll(parts)
    stage.say("\n== day one: the first poll is the baseline; what it finds is held, not published ==\n")
    stage.say(delta_text.as_text(first, stage.settings.timezone))
    stage.bring("day-2")
    second = stage.poll(parts)
    stage.say("\n== day two: what is new ==\n")
    stage.say(delta_text.as_text(second, stage.settings.timezone))
    stage.say("\n== why each name was published, or was not ==\n")
    stage.say("\n".join(_why(parts, sorted({str(row["rrname"]) for row in stage.server.rows} | {"q8zt.example.net."}))))


def _why(parts: Parts, names: Sequence[str]) -> list[str]:
    told = [reading.explain(parts, name) for name in names]
    width = max(len(one.name) for one in told)
    return [f"{one.name.ljust(width)}  {_reason(one)}" for one in told]


def _reason(one: reading.Explanation) -> str:
    if one.findings:
        return f"{one.findings[0].status}: {one.findings[0].reason}"
    if not one.verdict:
        return f"not published: no rule asks for it, and it could not leave: {one.verdict.reason}"
    return "not published: no rule asks for it"


def _show_addresses(stage: _Stage, url: str, token: str) -> None:
    lists = " ".join(f"{url}/exports/{one.name}" for one in stage.settings.exports)
    stage.say("\n== where partners and firewalls read it ==\n")
    stage.say(f"TAXII 2.1  {url}/taxii2/   API root {url}/taxii2/feeds/   collection callbacks")
    stage.say(f"lists      {lists}")
    stage.say(f"login      demo-partner   token {token}")
    stage.say(f"try        curl -u demo-partner:{token} {url}/taxii2/feeds/collections/callbacks/objects/")
    stage.say(f"           curl -u demo-partner:{token} {url}/exports/domains.txt")
