"""`feedsvc.toml` becomes settings, or faults that say where and what to do."""

from __future__ import annotations

import glob
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from feedsvc.config import CollectionSettings, ExportSettings, Http, Limits, Producer, Settings, examine, load
from feedsvc.errors import ConfigError, UsageError
from feedsvc.model import Tlp
from tests.config.conftest import Reading, Refusals

EVERYTHING = """\
state = "var/x.db"
rules = "watched"
exports = "/srv/lists"
timezone = "Europe/Berlin"

[producer]
name = "CERT Example"
contact = "cert@example.org"
identity_class = "group"

[http]
listen = "[::1]:9000"
public_url = "https://feed.example.org/"
page_limit = 10000

[[source]]
name = "circl"
kind = "pdns"
every = "90s"
provider = "cof"
url = "https://pdns.example.org/"
username_env = "PDNS_USER"
password_file = "secret/password"
daily_quota = 500
overlap = "0s"
sensor = "eu"

[[source]]
name = "zeek-1"
kind = "log"
path = "logs/**/dns*.log.gz"
format = "zeek"
tz = "America/New_York"
nested = {a = [1, "x"]}

[[collection]]
alias = "all"
id = "6F3B0A8C-3D0B-4B0F-9B8E-0C9F2D1E5A77"
title = "Everything"
description = '''
two
lines'''
watches = ["jar-callbacks", "other"]
content = "indicators"
max_tlp = "amber+strict"

[[export]]
name = "block.rpz"
format = "rpz"
public = true
watches = ["*"]
max_tlp = "clear"
min_confidence = 80
zone = "rpz.example"

[limits]
shrink = 1
findings_per_poll = 10
keep_observations = "10y"
keep_clients = "48h"
"""


@pytest.fixture
def settings(reading: Reading, tmp_path: Path) -> Settings:
    """All of `EVERYTHING`."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/password").write_text("pass word\n")
    return reading(EVERYTHING, {"PDNS_USER": "user"})


def test_an_empty_file_has_safe_defaults(reading: Reading, tmp_path: Path) -> None:
    assert reading("") == Settings(
        file=tmp_path / "feedsvc.toml",
        state=tmp_path / "var/feedsvc.db",
        rules=tmp_path / "rules",
        exports_dir=tmp_path / "exports",
        timezone=ZoneInfo("UTC"),
        producer=Producer(),
        http=Http(host="127.0.0.1", port=8471, page_limit=1000),
        limits=Limits(
            shrink=0.2, findings_per_poll=500, keep_observations=timedelta(days=1095), keep_clients=timedelta(days=90)
        ),
    )


def test_every_key_is_read(settings: Settings, tmp_path: Path) -> None:
    assert (settings.state, settings.rules) == (tmp_path / "var/x.db", tmp_path / "watched")
    assert (settings.exports_dir, settings.timezone) == (Path("/srv/lists"), ZoneInfo("Europe/Berlin"))
    assert settings.producer == Producer("CERT Example", "cert@example.org", "group")
    assert settings.http == Http(host="::1", port=9000, public_url="https://feed.example.org", page_limit=10000)
    assert settings.limits == Limits(1.0, 10, timedelta(days=3650), timedelta(hours=48))


def test_a_source_keeps_what_only_its_plugin_knows(settings: Settings, tmp_path: Path) -> None:
    pdns, log = settings.sources
    assert (pdns.name, pdns.kind, pdns.every, pdns.provider) == ("circl", "pdns", timedelta(seconds=90), "cof")
    assert (pdns.url, pdns.daily_quota, pdns.overlap) == ("https://pdns.example.org", 500, timedelta(0))
    assert {name: secret.reveal() for name, secret in pdns.secrets.items()} == {"username": "user", "password": "pass word"}
    assert pdns.options == {"sensor": "eu"}
    assert (log.format, log.path, log.tz) == ("zeek", f"{tmp_path}/logs/**/dns*.log.gz", ZoneInfo("America/New_York"))
    assert (log.every, log.secrets, log.options) == (timedelta(hours=1), {}, {"nested": {"a": [1, "x"]}})


def test_a_table_knows_the_lines_of_its_keys_for_faults_found_later(settings: Settings, tmp_path: Path) -> None:
    place = settings.sources[1].place
    assert (place.file, place.line) == (str(tmp_path / "feedsvc.toml"), 28)
    assert (place.line_of("nested"), place.line_of("absent")) == (34, 28)
    assert settings.exports[0].place.line_of("zone") == 54
    assert settings.collections[0].place.line_of("watches") == 43


def test_collections_and_exports_are_read(settings: Settings) -> None:
    (collection,), (export,) = settings.collections, settings.exports
    assert collection == CollectionSettings(
        alias="all",
        id="6f3b0a8c-3d0b-4b0f-9b8e-0c9f2d1e5a77",
        title="Everything",
        description="two\nlines",
        watches=("jar-callbacks", "other"),
        max_tlp=Tlp.AMBER_STRICT,
        place=collection.place,
    )
    assert export == ExportSettings(
        name="block.rpz",
        format="rpz",
        public=True,
        max_tlp=Tlp.CLEAR,
        min_confidence=80,
        options={"zone": "rpz.example"},
        place=export.place,
    )


def test_a_folder_whose_name_looks_like_a_pattern_is_none(tmp_path: Path) -> None:
    (tmp_path / "a[b]*").mkdir()
    file = tmp_path / "a[b]*/feedsvc.toml"
    file.write_text('[[source]]\nname = "x"\nkind = "log"\npath = "*.log"\n')
    (tmp_path / "a[b]*/dns.log").touch()
    found = glob.glob(load(file, {}).sources[0].path)  # noqa: PTH207 - the pattern is absolute
    assert found == [str(tmp_path / "a[b]*/dns.log")]


def test_paths_stay_relative_when_the_file_is_named_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "feedsvc.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert load(Path("feedsvc.toml"), {}).rules == Path("rules")


def test_all_faults_of_a_file_are_told_at_once_in_the_order_of_its_lines(refusals: Refusals) -> None:
    assert refusals("""\
state = 7
ruels = "rules"
timezone = "Europe/Berln"
[producer]
identity_class = "firm"
[http]
listen = "8471"
tls_key = "key.pem"
[[source]]
name = "a"
kind = "pdns"
every = "1w"
path = "x"
[[source]]
name = "a"
kind = "log"
api_key_env = "KEY"
[[collection]]
title = "nameless"
[limits]
shrink = 20
""") == [
        (1, "state: give the path of a file, not 7"),
        (2, "unknown key 'ruels'; did you mean 'rules'?"),
        (3, "timezone: 'Europe/Berln' is no time zone; did you mean 'Europe/Berlin'?"),
        (
            5,
            "producer.identity_class: give one of individual, group, system, organization, class, unknown, not 'firm'",
        ),
        (6, "http: tls_key without tls_certificate; TLS needs both, give the other too"),
        (7, "http.listen: '8471' is no address and port; give one such as 127.0.0.1:8471 or [::1]:8471"),
        (8, "http.tls_key: 'key.pem' is no file; put it there, or correct the path"),
        (
            9,
            "source: kind 'pdns' needs the key 'provider', the plug-in that asks; `feedsvc plugins pdns` lists them",
        ),
        (12, "source.every: '1w' is no duration; give a number and one of s, m, h, d, y, such as 15m or 45d"),
        (13, "source.path: belongs to kind 'log', and this one is 'pdns'; take it out"),
        (14, "source: kind 'log' needs the key 'path', the files, by a pattern"),
        (15, "source.name: 'a' stands on line 10 already; give each its own"),
        (17, "source.api_key_env: belongs to kind 'pdns', and this one is 'log'; take it out"),
        (18, "collection: key 'alias' is missing: give a name of letters, digits, dots, hyphens and underscores"),
        (21, "limits.shrink: give a number from 0 to 1, not 20"),
    ]


PDNS = '[[source]]\nname = "a"\nkind = "pdns"\nprovider = "cof"\n'
LOG = '[[source]]\nname = "a"\nkind = "log"\npath = "x"\n'
SENT = '[[source]]\nname = "b"\nkind = "log"\nlisten = "tcp:127.0.0.1:6000"\n'
EXPORT = '[[export]]\nname = "a"\nformat = "hosts"\n'
COLLECTION = '[[collection]]\nalias = "a"\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        # What a later version brings is refused, for nobody would notice that it does nothing.
        ('state = "postgresql://db/x"', 1, "this version keeps its state in a file"),
        ('[[source]]\nname = "a"\nkind = "warehouse"', 3, "later version"),
        (COLLECTION + 'content = "graph"', 3, "later version"),
        ('\n[[notice]]\nchannel = "mail"', 2, "sends no notices yet"),
        # Names that end up in files and URLs.
        *(
            (EXPORT.replace('"a"', f'"{name}"'), 2, "not safe")
            for name in ("../x", ".x", "-x", "a/b", "a b", "é", "x" * 129)
        ),
        (EXPORT.replace('"a"', '"Index.JSON"'), 2, "list of all exports"),
        (EXPORT + EXPORT, 5, "stands on line 2 already"),
        (COLLECTION.replace('"a"', '"a\\u0000"'), 2, "give a name"),
        (COLLECTION.replace('"a"', '"6f3b0a8c-3d0b-4b0f-9b8e-0c9f2d1e5a77"'), 2, "reads as the id"),
        (COLLECTION + COLLECTION, 4, "stands on line 2 already"),
        (COLLECTION + 'id = "6f3b0a8c-3d0b-1b0f-9b8e-0c9f2d1e5a77"', 3, "no UUID of version 4"),
        # Lists.
        (COLLECTION + "watches = []", 3, "not an empty list"),
        (COLLECTION + 'watches = "x"', 3, "not 'x'"),
        (COLLECTION + 'watches = ["a",\n "Not_Kebab"]', 4, "no kebab-case name"),
        (COLLECTION + 'watches = ["a", "a"]', 3, "already"),
        ('[collection]\nalias = "a"', 1, "[[collection]], in two brackets"),
        ("source = [1]", 1, "give a table"),
        ("producer = 3", 1, "give a table"),
        # Where logs are sent to.
        (LOG + 'listen = "tcp:6000"', 5, "stands beside 'path', and a log comes one way alone"),
        *(
            (LOG.replace('path = "x"', f'listen = "{place}"'), 4, words)
            for place, words in {
                "/run/dnstap.sock": "is no place to listen on; give one such as unix:",
                "unix:": "is no place to listen on",
                "udp:127.0.0.1:53": "is no place to listen on",
                "tcp:": "is no place to listen on",
                "tcp:localhost.example:6000": "has a name where an IP address belongs",
                "tcp:127.0.0.1": "is no address and port",
                "tcp:127.0.0.1:70000": "is no address and port",
                f"unix:/run/{'x' * 100}": "is longer than a socket's path may be",
            }.items()
        ),
        (SENT.replace('"b"', '"c"') + SENT, 8, "stands on line 4 already"),
        (SENT + "spool_mib = 0", 5, "from 1 to 1000000"),
        # Numbers and truths.
        ("[http]\npage_limit = 0", 2, "from 1 to 10000, not 0"),
        ("[http]\npage_limit = 1000.0", 2, "not 1000.0"),
        ("[http]\npage_limit = true", 2, "not true"),
        ("[http]\npage_limit = 0x" + "f" * 9000, 2, "not a number of more than 18 digits"),
        ("[http]\npage_limit = 1979-05-27 07:32:00Z", 2, "not 1979-05-27 07:32:00+00:00"),
        ("[limits]\nshrink = nan", 2, "not nan"),
        ("[limits]\nshrink = -0.1", 2, "not -0.1"),
        ("[limits]\nshrink = false", 2, "not false"),
        ("[limits]\nfindings_per_poll = 0", 2, "not 0"),
        (EXPORT + "public = 1", 4, "true or false"),
        (EXPORT + "min_confidence = 101", 4, "from 0 to 100"),
        (EXPORT + 'max_tlp = "white"', 4, "clear, green, amber, amber+strict, red"),
        (PDNS + "daily_quota = 0", 5, "not 0"),
        # Durations, zones, addresses, URLs, paths.
        (PDNS + 'every = "0m"', 5, "no time at all"),
        (PDNS + 'every = "1.5h"', 5, "no duration"),
        (PDNS + 'every = "-1h"', 5, "no duration"),
        (PDNS + 'every = "٣h"', 5, "no duration"),
        (PDNS + "every = 60", 5, "give a duration"),
        (PDNS + "every = 07:00:00", 5, "not 07:00:00"),
        ('[limits]\nkeep_clients = "101y"', 2, "at most 100y"),
        ('[limits]\nkeep_clients = "999999999y"', 2, "at most 100y"),
        ('timezone = "../../etc/passwd"', 1, "no time zone"),
        ('timezone = "America"', 1, "no time zone"),
        (LOG + 'tz = "Nowhere/Atall"', 5, "no time zone"),
        ('[http]\nlisten = "127.0.0.1:65536"', 2, "no address and port"),
        ('[http]\nlisten = "http://127.0.0.1:80"', 2, "no address and port"),
        ('[http]\nlisten = "::1:80"', 2, "no address and port"),
        ('[http]\nlisten = ":80"', 2, "no address and port"),
        ('[http]\npublic_url = "feed.example.org"', 2, "no URL"),
        ('[http]\npublic_url = "https://"', 2, "no URL"),
        ('[http]\npublic_url = "https://x.example/?a=1"', 2, "query"),
        (PDNS + 'url = "ftp://x.example"', 5, "no URL"),
        (PDNS + 'url = "https://[::1"', 5, "no URL"),
        (PDNS + 'url = "https://x.example:99999"', 5, "no URL"),
        (PDNS + 'url = "https://x.example/a b"', 5, "no URL"),
        (PDNS + 'url = "https://user:pass@x.example"', 5, "holds a user or password"),
        ('rules = "~/rules"', 1, "begins with ~"),
        ('rules = ""', 1, "give a path"),
        ('rules = "a\\u0000b"', 1, "give a path"),
        # Texts.
        ('[producer]\nname = " "', 2, "give text"),
        ('[producer]\nname = "a\\nb"', 2, "U+000A"),
        ('[producer]\nname = "a\\u202Eb"', 2, "U+202E"),
        ('[producer]\nname = "' + "x" * 201 + '"', 2, "1 to 200 characters"),
        # Kinds.
        ('[[source]]\nname = "a"', 1, "key 'kind' is missing"),
        ('[[source]]\nname = "a"\nkind = "dns"', 3, "one of pdns, log"),
        ('[[source]]\nname = "a"\nkind = ["pdns"]', 3, "one of pdns, log"),
        (LOG + 'provider = "cof"', 5, "belongs to kind 'pdns'"),
        (LOG + 'url = "https://x.example"', 5, "belongs to kind 'pdns'"),
        (PDNS + 'format = "zeek"', 5, "belongs to kind 'log'"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_line(refusals: Refusals, text: str, line: int, words: str) -> None:
    faults = refusals(text)
    assert [fault for fault in faults if fault[0] == line and words in fault[1]], faults
    assert len(faults) == 1


def test_tls_takes_a_certificate_its_key_and_whose_clients_to_trust(reading: Reading, tmp_path: Path) -> None:
    files = {f"tls_{name}": tmp_path / f"{name}.pem" for name in ("certificate", "key", "client_ca")}
    for file in files.values():
        file.touch()
    http = reading("[http]\n" + "".join(f'{key} = "{file.name}"\n' for key, file in files.items())).http
    assert {key: getattr(http, key) for key in files} == files


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        ("tls_certificate", "tls_key"),
        ("tls_key", "tls_certificate"),
        ("tls_client_ca", "tls_certificate and tls_key"),
    ],
)
def test_half_of_what_tls_needs_is_a_fault_and_not_plain_http(
    refusals: Refusals, tmp_path: Path, given: str, lacking: str
) -> None:
    (tmp_path / "x.pem").touch()
    ((line, message),) = refusals(f'\n[http]\n{given} = "x.pem"\n')
    assert (line, message.partition(";")[0]) == (2, f"http: {given} without {lacking}")


@pytest.mark.parametrize("name", ["absent.pem", "folder", "x" * 300])
def test_a_certificate_that_is_not_there_is_missed(refusals: Refusals, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    faults = refusals(f'[http]\ntls_certificate = "{name}"\ntls_key = "{name}"\n')
    assert [line for line, message in faults if "is no file" in message] == [2, 3]


def test_a_key_that_only_the_server_may_see_is_no_fault_of_the_analyst(reading: Reading, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed/x.pem").touch()
    (tmp_path / "closed").chmod(0)
    try:
        http = reading('[http]\ntls_certificate = "closed/x.pem"\ntls_key = "closed/x.pem"\n').http
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert http.tls_key == tmp_path / "closed/x.pem"


def test_what_is_right_is_read_though_other_parts_are_at_fault(tmp_path: Path) -> None:
    file = tmp_path / "feedsvc.toml"
    file.write_text('timezone = "x"\n[http]\npage_limit = 0\n' + PDNS.replace("pdns", "dns") + PDNS + EXPORT + EXPORT)
    settings, faults = examine(file, {})
    assert [fault.line for fault in faults] == [1, 3, 6, 9, 16]
    assert (settings.timezone, settings.http) == (ZoneInfo("UTC"), Http())
    assert [source.place.line for source in settings.sources] == [8]
    assert [export.place.line for export in settings.exports] == [12, 15]


def test_a_missing_file_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no configuration at .*absent\.toml; run `feedsvc init DIR`"):
        load(tmp_path / "absent.toml", {})


def test_a_folder_in_place_of_the_file_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the configuration"):
        load(tmp_path, {})


def test_other_encodings_are_told_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "feedsvc.toml"
    file.write_bytes(b'state = "a"\n[producer]\nname = "M\xfcller"\n')
    with pytest.raises(ConfigError, match=r"feedsvc\.toml:3: not UTF-8"):
        load(file, {})


def test_a_byte_order_mark_is_no_fault(reading: Reading) -> None:
    assert reading("\ufeff[http]\npage_limit = 5\n").http.page_limit == 5


def test_a_file_too_large_to_be_a_configuration_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "feedsvc.toml"
    file.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="this is no configuration"):
        load(file, {})
