"""Nothing of a key gets out: not where the provider repeats it, in no answer of any command, in no file of the state."""

from __future__ import annotations

import base64
import importlib
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedsvc import assemble, names, plugins
from feedsvc.assemble import building
from feedsvc.web import metrics
from tests.site import Site
from tests.standins import faults
from tests.standins.provider import ProviderStandin, Seen
from tests.standins.server import Reply

ODD = {"api_key": "kEy-9f+J/2=x&q", "username": "us3r-name@soc", "password": 'pa55"word\\ü'}

GOOD: dict[str, object] = {
    "rrname": "k3xq.example.net",
    "rrtype": "A",
    "rdata": "198.51.100.5",
    "time_first": 1_700_000_000,
    "time_last": 1_700_000_600,
}


@pytest.fixture(params=plugins.names("pdns"))
def server(request: pytest.FixtureRequest) -> Iterator[ProviderStandin]:
    with importlib.import_module(f"tests.standins.{request.param}").Server() as running:
        running.seen = [Seen("k3xq.example.net", "198.51.100.5")]
        yield running


@pytest.fixture(params=["good", "odd"])
def secrets(request: pytest.FixtureRequest, server: ProviderStandin) -> dict[str, str]:
    """Those that the server takes, or others with every letter that is written otherwise somewhere."""
    return {name: ODD[name] if request.param == "odd" else good for name, good in server.secrets.items()}


@pytest.fixture
def site(tmp_path: Path, server: ProviderStandin, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Site:
    keys: dict[str, object] = {"provider": server.provider, "url": server.url + server.path, **server.options}
    for name, secret in secrets.items():
        monkeypatch.setenv(f"PDNS_{name.upper()}", secret)
        keys[f"{name}_env"] = f"PDNS_{name.upper()}"
    source = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    site = Site(
        tmp_path, extra=f'\n[[source]]\nname = "pdns"\nkind = "pdns"\n{source}', rule={"netblocks": ["198.51.100.4/30"]}
    )
    return site.write()


def spellings(secrets: dict[str, str]) -> set[bytes]:
    """Each secret as it may stand in a text, a URL, a JSON, a header or a name; a user name alone proves nothing."""
    login = ":".join(secrets.get(name, "") for name in ("username", "password")).encode()
    hidden = [secret for name, secret in secrets.items() if name != "username"]
    spelt = {form for one in hidden for form in (one, urllib.parse.quote(one, safe=""), json.dumps(one)[1:-1])}
    spelt |= {json.dumps(one)[1:-1].replace("/", "\\/") for one in hidden}
    spelt |= {names.encode_labels([one.encode()]) for one in hidden}
    return {form.encode() for form in spelt} | ({base64.b64encode(login)} if "password" in secrets else set())


def echoes(secret: str) -> list[Reply | None]:
    body = {"error": secret, "message": f"no such key: {secret}", "rrname": secret, "rrtype": "A", "rdata": secret}
    rows = [GOOD | {"sensor_id": secret}, GOOD | {"rrname": secret}, GOOD | {"rrname": f"{secret}.example.net"}]
    as_json = {"Content-Type": "application/json"}
    return [
        None,
        Reply(200, as_json, [json.dumps(body).encode() + b"\n"]),
        Reply(200, as_json, [b"".join(json.dumps(row).encode() + b"\n" for row in rows)]),
        Reply(200, as_json, [json.dumps({"data": [body], "records": [body], "result": [body]}).encode()]),
        faults.status(401, f"key {secret} is unknown"),
        faults.status(403, json.dumps(body)),
        faults.status(500, f"broke on {urllib.parse.quote(secret, safe='')}"),
        faults.status(400, json.dumps({"message": f"bad key {secret}"}).replace("/", "\\/")),
        Reply(429, {"Retry-After": "0", "X-Your-Key": "x"}, [secret.encode()]),
        faults.redirect(f"http://localhost:1/?apiKey={urllib.parse.quote(secret, safe='')}"),
    ]


def everything_said(site: Site, capfd: pytest.CaptureFixture[str]) -> bytes:
    """What the commands, the metrics, the logs and every file hold."""
    said: list[str] = []
    for command in (["run", "--json"], ["poll"], ["poll", "--dry-run"], ["poll", "--dry-run", "--json"], ["status"]):
        said += site.says(*command)
    said += [
        *site.says("status", "--json"),
        *site.says("diff"),
        *site.says("explain", "k3xq.example.net"),
        *site.says("check"),
    ]
    loaded = assemble.settings(site.file)
    said.append(metrics.render(loaded.state, metrics.Told(loaded.sources, building.billing(loaded))).decode())
    said += [repr(loaded), *capfd.readouterr()]
    files = [path.read_bytes() for path in site.folder.rglob("*") if path.is_file()]
    return b"\n".join([*(text.encode() for text in said), *files])


@pytest.mark.usefixtures("no_pauses")
def test_nothing_of_a_secret_gets_out(
    site: Site, server: ProviderStandin, secrets: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    for secret in secrets.values():
        for fault in echoes(secret):
            server.fault = fault
            assert not leaked(site, secrets, capfd)


@pytest.mark.usefixtures("no_pauses")
def test_nothing_of_a_secret_gets_out_that_the_provider_has_seen_as_a_name(
    site: Site, server: ProviderStandin, secrets: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    hidden = [secret for name, secret in secrets.items() if name != "username"]
    server.seen += [Seen(name, "198.51.100.5") for one in hidden for name in (one, f"{one}.example.net", f"www.{one}")]
    assert not leaked(site, secrets, capfd)


def leaked(site: Site, secrets: dict[str, str], capfd: pytest.CaptureFixture[str]) -> list[bytes]:
    """The spellings that stand in something that was said, in whatever case."""
    told = everything_said(site, capfd).lower()
    return [form for form in spellings(secrets) if form.lower() in told]


def test_the_provider_was_given_the_secret_all_the_same(
    site: Site, server: ProviderStandin, secrets: dict[str, str]
) -> None:
    site.says("run")
    sent = b"\n".join(f"{call.path} {dict(call.query)} {dict(call.headers)}".encode() + call.body for call in server.calls)
    if secrets:
        assert any(form in sent or urllib.parse.unquote_to_bytes(form) in sent for form in spellings(secrets))
