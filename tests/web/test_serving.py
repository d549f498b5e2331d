"""The HTTP process: real ones, started, asked, stopped and shot."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from feedsvc.config import Http
from feedsvc.errors import UsageError
from feedsvc.web import serving
from feedsvc.web.serving import HttpServer, ServingFailed, Target

TELLING = Target("tests.web.apps:telling", ("hi",))

Until = Callable[[Callable[[], bool]], None]


def worker_of(server: HttpServer) -> int:
    """The number of the process that answers."""
    greeting, number = httpx.get(server.url).text.split()
    assert greeting == "hi"
    return int(number)


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_it_answers_in_another_process_and_frees_its_port_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    with serving.start(Http(port=0), TELLING) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert server.port != 0
        worker = worker_of(server)
        assert worker not in {os.getpid(), server.pid}
    assert server.stop() == 0
    assert not is_running(worker)
    assert is_free(server.port)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(number: signal.Signals, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with serving.start(Http(port=0), Target("tests.web.apps:leaving_a_note", (str(note),))) as server:
        os.kill(server.pid, number)
        assert server.wait(30) == 0
    assert note.read_text() == "ended in order"


def test_an_idle_connection_does_not_keep_it_from_ending_in_order(tmp_path: Path) -> None:
    note = tmp_path / "note"
    target = Target("tests.web.apps:leaving_a_note", (str(note),))
    with serving.start(Http(port=0), target) as server, socket.create_connection((server.host, server.port)):
        assert server.stop() == 0
    assert note.read_text() == "ended in order"


def test_a_request_that_never_ends_is_cut_off_by_force() -> None:
    with serving.start(Http(port=0), TELLING) as server, socket.create_connection((server.host, server.port)) as slow:
        worker = worker_of(server)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: half a requ")
        assert server.stop(grace=0.5) == -signal.SIGKILL
        assert not is_running(worker)
        assert is_free(server.port)


def test_when_the_caller_is_shot_it_goes_too(until: Until) -> None:
    script = (
        "import sys; from feedsvc.config import Http; from feedsvc.web import serving;"
        "server = serving.start(Http(port=0), serving.Target('tests.web.apps:telling', ('hi',)));"
        "print(server.pid, server.port, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        process, port = map(int, caller.stdout.readline().split())
        worker = int(httpx.get(f"http://127.0.0.1:{port}").text.split()[1])
        caller.kill()
    until(lambda: not is_running(process) and not is_running(worker))
    assert is_free(port)


def test_when_the_process_is_shot_its_worker_goes_too(until: Until) -> None:
    with serving.start(Http(port=0), TELLING) as server:
        worker = worker_of(server)
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait(30) == -signal.SIGKILL
        until(lambda: not is_running(worker))
        assert server.stop() == -signal.SIGKILL


def test_a_worker_that_dies_is_replaced(until: Until) -> None:
    with serving.start(Http(port=0), TELLING) as server:
        first = worker_of(server)
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{server.url}/exit")

        def is_back() -> bool:
            try:
                return worker_of(server) != first
            except httpx.TransportError:
                return False

        until(is_back)
        assert server.stop() == 0


def test_an_address_in_use_is_refused_and_its_owner_not_disturbed() -> None:
    with serving.start(Http(port=0), TELLING) as server:
        with pytest.raises(UsageError, match=rf"cannot listen on 127\.0\.0\.1 port {server.port}: address already in use;"):
            serving.start(Http(port=server.port), TELLING)
        assert worker_of(server)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1 port 0: .*; set listen under"):
        serving.start(Http(host="192.0.2.1", port=0), TELLING)


def test_localhost_is_an_address() -> None:
    with serving.start(Http(host="localhost", port=0), TELLING) as server:
        assert server.host in {"127.0.0.1", "::1"}
        assert worker_of(server)


def test_an_application_that_cannot_be_built_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ServingFailed, match=r"ended while it started \(exit code 1\)"):
        serving.start(Http(port=0), Target("tests.web.apps:broken"))
    assert "RuntimeError: this application cannot be built" in capfd.readouterr().err


def test_patience_has_an_end() -> None:
    with pytest.raises(ServingFailed, match="does not answer"):
        serving.start(Http(port=0), TELLING, patience=0.0)


def test_ipv6_is_served_and_written_as_urls_have_it() -> None:
    with serving.start(Http(host="::1", port=0), TELLING) as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert worker_of(server)


def test_a_server_on_every_address_is_reached_by_loopback() -> None:
    with serving.start(Http(host="0.0.0.0", port=0), TELLING) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert worker_of(server)


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that is its own authority, for servers and clients, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem"
        " -out certificate.pem -subj /CN=feedsvc-test -addext subjectAltName=IP:127.0.0.1"
        " -addext basicConstraints=critical,CA:FALSE"
    )
    try:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl")
    return folder / "certificate.pem", folder / "key.pem"


def trusting(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def test_tls_is_spoken_from_1_2_on(certificate: tuple[Path, Path]) -> None:
    http = Http(port=0, tls_certificate=certificate[0], tls_key=certificate[1])
    with serving.start(http, TELLING) as server:
        assert server.url.startswith("https://")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting(certificate[0])
            context.minimum_version = context.maximum_version = version
            assert httpx.get(server.url, verify=context).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url.replace("https:", "http:"))


def test_with_a_client_authority_only_its_clients_are_answered(certificate: tuple[Path, Path]) -> None:
    http = Http(port=0, tls_certificate=certificate[0], tls_key=certificate[1], tls_client_ca=certificate[0])
    with serving.start(http, TELLING) as server:
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url, verify=trusting(certificate[0]))
        context = trusting(certificate[0])
        context.load_cert_chain(*certificate)
        assert httpx.get(server.url, verify=context).status_code == 200
