"""Plug-ins by name, our own and those of a package that somebody else installed."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from feedsvc import plugins
from feedsvc.errors import PluginError
from feedsvc.plugins import FOLDERS, OptionFaults
from tests.standins.server import Call, Reply, Standin

ROOT = Path(__file__).parents[1]

PROVIDER = '''
"""A provider of somebody else: names of a netblock, one a line.

Not verified: anything.
"""

from dataclasses import dataclass, field

from feedsvc.http import Request
from feedsvc.model import Batch, End, Learnt, Observation, Outcome
from feedsvc.sources.port import Provider, Reply, Traits


@dataclass(frozen=True, slots=True)
class Options:
    """Its settings.

    Attributes:
        suffix: what its names lack.
    """

    suffix: str = "example.net"


@dataclass(frozen=True, slots=True)
class Single(Provider):
    url: str
    suffix: str
    traits: Traits = field(default=Traits("netblock"))

    def request(self, question):
        return Request(f"{self.url}/{question.netblock}", params={"page": question.page} if question.page else {})

    def read(self, answer, question):
        address = str(next(question.netblock.addresses()))
        *names, more = answer.read().decode().split("\\n")
        yield Batch(tuple(Observation(f"{name}.{self.suffix}", "A", address) for name in names))
        return Reply(End(Outcome.COMPLETE), page=more)

    def refused(self, err, question):
        return Reply(End(Outcome.COMPLETE)) if err.status == 404 else None

    def quotas(self, headers, now):
        return [Learnt("day", left=int(headers["x-left"]))] if "x-left" in headers else []


def build(settings, options, now):
    return Single(settings.url, options.suffix)
'''

LOG_FORMAT = '''
"""A log of somebody else: time, client, name and address, between bars."""

from dataclasses import dataclass

from feedsvc.names import parse_address, parse_name
from feedsvc.sources.port import LogRecord


@dataclass(frozen=True, slots=True)
class Options:
    """There is nothing to set."""


class Bars:
    def parser(self, state=""):
        return self

    def state(self):
        return ""

    def recognises(self, head):
        return head.startswith(b"|bars|")

    def parse(self, line, offset):
        if line.startswith(b"|"):
            return None
        time, client, name, address = line.decode().split("|")
        return LogRecord(float(time), client, parse_name(name), "A", (parse_address(address),), (), offset)


def build(options, zone):
    return Bars()
'''

LIST_FORMAT = '''
"""A block list of somebody else: names between angle brackets."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Its settings.

    Attributes:
        shout: whether names stand in capitals.
    """

    shout: bool = False


@dataclass(frozen=True, slots=True)
class Angles:
    shout: bool
    names = "exact"
    media_type = "text/plain"

    def render(self, listed, meta):
        for one in listed:
            yield f"<{one.name.upper() if self.shout else one.name}>\\n".encode()

    def read_back(self, body):
        return frozenset(line[1:-1].lower() for line in body.decode().splitlines()), 0

    def admits(self, name):
        return None


def build(options):
    return Angles(options.shout)
'''

BROKEN = '"""Needs what is not there."""\n\nimport a_package_that_is_not_there\n'
UNREADABLE = '"""Not Python."""\n\ndef build(:\n'
EMPTY = "x = 1\n"

ENTRY_POINTS = """
[feedsvc.pdns]
single = acme_feeds.single

[feedsvc.logs]
bars = acme_feeds.bars

[feedsvc.blocklists]
angles = acme_feeds.angles
domains = acme_feeds.angles
broken = acme_feeds.broken
unreadable = acme_feeds.unreadable
empty = acme_feeds.empty
gone = acme_feeds.gone
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder into which somebody installed a package with plug-ins of three kinds, and some that fail."""
    home = tmp_path / "acme_feeds"
    home.mkdir()
    for name, source in {
        "__init__": "",
        "single": PROVIDER,
        "bars": LOG_FORMAT,
        "angles": LIST_FORMAT,
        "broken": BROKEN,
        "unreadable": UNREADABLE,
        "empty": EMPTY,
    }.items():
        (home / f"{name}.py").write_text(source)
    info = tmp_path / "acme_feeds-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-feeds\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return tmp_path


def python(package: Path, *arguments: str) -> str:
    """What a new process says in which that package is installed."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(package), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, cwd=package
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_of_installed_packages_stand_beside_our_own(package: Path) -> None:
    said = python(
        package,
        "-c",
        'from feedsvc import plugins; print(*(plugins.names(kind) for kind in ["pdns", "logs", "blocklists"]))',
    )
    assert "single" in said
    assert "bars" in said
    assert "angles" in said
    assert said.count("domains") == 1


class Names(Standin):
    """Two names, one a page, and nothing about other netblocks than one."""

    def answer(self, call: Call) -> Reply:
        if call.path != "/198.51.100.0/24":
            return Reply(404)
        return Reply(200, {"X-Left": "7"}, [b"w7b2\n" if call.query else b"k3xq\nmore"])


def test_a_provider_of_an_installed_package_is_polled(package: Path) -> None:
    with Names() as server:
        said = python(
            package,
            "-c",
            f"""if True:
            from datetime import UTC, datetime
            from feedsvc import plugins
            from feedsvc.config import SourceSettings
            from feedsvc.http import Client
            from feedsvc.names import parse_netblock
            from feedsvc.sources.polling import PdnsSource
            from feedsvc.sources.port import Poll
            from tests.sources.pdns.asking import Counted
            now = datetime(2026, 11, 24, tzinfo=UTC)
            module, settings = plugins.load("pdns", "single"), SourceSettings("acme", "pdns", url={server.url!r})
            provider = module.build(settings, plugins.read_options(module, {{"suffix": "example.org"}}), lambda: now)
            budget, netblocks = Counted(), [parse_netblock("198.51.100.0/24"), parse_netblock("192.0.2.0/24")]
            with Client() as http:
                source = PdnsSource("acme", provider, http, lambda: now)
                for batch in source.read(Poll(netblocks, {{}}, now, budget)):
                    ends = [f"{{netblock}} {{batch.end.outcome}}" for netblock in batch.scope]
                    print(*(seen.rrname for seen in batch.observations), *ends)
            print(budget.spent, *(one.left for one in budget.learnt))
            """,
        )
    assert sorted(said.splitlines()) == [
        "192.0.2.0/24 complete",
        "3 7 7",
        "k3xq.example.org",
        "w7b2.example.org 198.51.100.0/24 complete",
    ]


def test_a_log_format_of_an_installed_package_is_recognised_and_reads(package: Path) -> None:
    said = python(
        package,
        "-c",
        """if True:
        from feedsvc.sources.logs import Formats
        found = Formats().by_head(b"|bars|1.0\\n")
        record = found.format.parser().parse(b"1700000000|10.0.0.7|K3XQ.example.net.|198.51.100.7", 11)
        print(found.name, record.client, record.rrname, *record.answers, record.offset)
        """,
    )
    assert said == "bars 10.0.0.7 k3xq.example.net 198.51.100.7 11\n"


def test_a_block_list_format_of_an_installed_package_renders(package: Path) -> None:
    said = python(
        package,
        "-c",
        """if True:
        import datetime
        from feedsvc import plugins
        from feedsvc.model import ListedName, Tlp
        now = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
        module = plugins.load("blocklists", "angles")
        angles = module.build(plugins.read_options(module, {"shout": True}))
        body = b"".join(angles.render([ListedName("k3xq.example.net", "w", 70, now, None, Tlp.GREEN)], None))
        print(body, *angles.read_back(body)[0])
        """,
    )
    assert said == "b'<K3XQ.EXAMPLE.NET>\\n' k3xq.example.net\n"


def test_our_own_plug_in_comes_before_a_foreign_one_of_its_name(package: Path) -> None:
    said = python(package, "-c", 'from feedsvc import plugins; print(plugins.load("blocklists", "domains").__name__)')
    assert said == "feedsvc.publish.blocklists.domains\n"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("broken", "blocklists plug-in 'broken' fails on import: No module named 'a_package_that_is_not_there'"),
        ("gone", "blocklists plug-in 'gone' fails on import: No module named 'acme_feeds.gone'"),
        ("unreadable", "blocklists plug-in 'unreadable' fails on import: invalid syntax"),
        ("empty", "blocklists plug-in 'empty' lacks Options and build and a docstring"),
    ],
)
def test_a_foreign_plug_in_that_fails_is_named_with_its_reason(package: Path, name: str, complaint: str) -> None:
    said = python(
        package,
        "-c",
        f"""if True:
        from feedsvc import plugins
        from feedsvc.errors import PluginError
        try:
            plugins.load("blocklists", {name!r})
        except PluginError as err:
            print(err)
        """,
    )
    assert said.startswith(complaint)


def test_a_listing_shows_foreign_plug_ins_and_says_which_cannot_be_used(package: Path) -> None:
    said = python(
        package,
        "-c",
        """if True:
        import json
        from feedsvc import plugins
        print(json.dumps({row.name: row.summary for row in plugins.overview("blocklists")}))
        """,
    )
    listed = json.loads(said)
    assert listed["angles"] == "A block list of somebody else: names between angle brackets."
    assert listed["broken"].startswith("cannot be used: ")


@pytest.mark.parametrize("kind", FOLDERS)
def test_an_unknown_plug_in_lists_those_there_are(kind: plugins.Kind) -> None:
    with pytest.raises(PluginError) as refused:
        plugins.load(kind, "no-such")
    assert str(refused.value) == f"no {kind} plug-in 'no-such'; there are: {', '.join(plugins.names(kind)) or 'none'}"


@pytest.mark.parametrize("name", ["", "..", "os", "__init__", "_hidden", "domains.py", "../domains", "domains\x00"])
def test_only_the_names_of_plug_ins_are_loaded(name: str) -> None:
    with pytest.raises(PluginError, match="no blocklists plug-in"):
        plugins.load("blocklists", name)


def test_an_unknown_kind_lists_those_there_are() -> None:
    with pytest.raises(PluginError, match="there are: pdns, logs, blocklists, notices"):
        plugins.kind("blocklist")


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """Settings of a plug-in.

    Attributes:
        zone: whose.
        ttl: seconds.
    """

    zone: str
    ttl: int = 60


def module_with_options() -> ModuleType:
    """A plug-in's module as far as settings go."""
    module = ModuleType("made_here", "Made here.\n\nIts manual page.")
    module.Options = Options  # type: ignore[attr-defined]
    return module


def test_settings_become_the_plug_ins_own_options() -> None:
    assert plugins.read_options(module_with_options(), {"zone": "rpz.example.net", "ttl": 30}) == Options(
        "rpz.example.net", 30
    )


def test_every_fault_of_the_settings_is_told_by_its_key() -> None:
    with pytest.raises(OptionFaults) as refused:
        plugins.read_options(module_with_options(), {"ttl": "soon", "tll": 30})
    assert set(refused.value.messages) == {"zone", "ttl", "tll"}
    assert refused.value.messages["tll"] == "unknown key 'tll'; known: ttl, zone"
    assert refused.value.messages["zone"] == "zone: field required"
    assert "integer" in refused.value.messages["ttl"]


def test_a_single_unknown_setting_is_a_fault_too() -> None:
    with pytest.raises(OptionFaults) as refused:
        plugins.read_options(module_with_options(), {"zone": "rpz.example.net", "tll": 30})
    assert set(refused.value.messages) == {"tll"}


def test_a_manual_page_is_the_docstring_and_then_the_settings() -> None:
    page = plugins.manual(module_with_options())
    assert page.startswith("Made here.\n\nIts manual page.\n\nSettings\nSettings of a plug-in.\n")
    assert "ttl: seconds." in page
