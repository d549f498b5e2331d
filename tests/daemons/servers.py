"""BIND, Unbound and dnsmasq with logs that rotate: every name under example.net has the address 198.51.100.7."""

from __future__ import annotations

import base64
import itertools
import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.daemons.running import PATIENCE, Daemon, free_port, unconfined, user, wait_until
from tests.tools import need_tool

ADDRESS = "198.51.100.7"

_NAMED = """\
options {{
    directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    pid-file none; session-keyfile none; recursion no; dnssec-validation no; minimal-responses yes;
    dnstap {{ client response; }}; dnstap-identity none; fstrm-set-flush-timeout 1; fstrm-set-reopen-interval 1;
    dnstap-output {dnstap};
}};
key "rndc-key" {{ algorithm hmac-sha256; secret "{secret}"; }};
controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ "rndc-key"; }}; }};
logging {{
    channel queries {{ file "query.log" versions unlimited size {size}; print-time yes; }};
    category queries {{ queries; }};
    category default {{ default_stderr; }};
}};
zone "example.net" {{ type primary; file "zone"; }};
"""

_ZONE = f"""\
$TTL 60
@ SOA ns.example.net. hostmaster.example.net. 1 3600 600 86400 60
  NS ns
* A {ADDRESS}
ns A 127.0.0.1
"""

_UNBOUND = """\
server:
  interface: 127.0.0.1@{port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  logfile: "{folder}/unbound.log"
  use-syslog: no
  log-queries: yes
  log-tag-queryreply: yes
  num-threads: 1
  module-config: "iterator"
  root-hints: ""
  local-zone: "example.net." redirect
  local-data: "example.net. 60 IN A {address}"
  local-zone: "example.org." refuse
remote-control:
  control-enable: yes
  control-interface: {folder}/control.sock
  control-use-cert: no
{dnstap}
"""


class Named(Daemon):
    """BIND: `query.log`, rotated by its size, and `dnstap.bin`, rotated as it is told.

    Args:
        size: of a query log before it is rotated.
        dnstap: where dnstap goes, in the words of `dnstap-output`.
    """

    def __init__(self, folder: Path, size: str = "2k", dnstap: str = 'file "dnstap.bin" versions unlimited') -> None:
        super().__init__(folder)
        self._size = size
        self._dnstap = dnstap
        self._control = free_port()
        self._secret = base64.b64encode(os.urandom(32)).decode()

    def command(self) -> list[str]:
        conf = self.folder / "named.conf"
        values = {"port": self.port, "size": self._size, "dnstap": self._dnstap, "control": self._control}
        conf.write_text(_NAMED.format(folder=self.folder, secret=self._secret, **values))
        (self.folder / "rndc.key").write_text(f'key "rndc-key" {{ algorithm hmac-sha256; secret "{self._secret}"; }};\n')
        (self.folder / "zone").write_text(_ZONE)
        return [unconfined(need_tool("named", "bind9"), self.folder), "-f", "-4", "-n", "1", "-c", str(conf)]

    def roll(self) -> None:
        """Have it rotate its dnstap file."""
        command = [need_tool("rndc", "bind9-utils"), "-s", "127.0.0.1", "-p", str(self._control), "-k", "rndc.key"]
        subprocess.run([*command, "dnstap", "-roll"], cwd=self.folder, check=True, capture_output=True, timeout=PATIENCE)


class Rotated(Daemon):
    """A server whose log others rotate.

    Attributes:
        log: where it writes.
    """

    log: Path

    def reopen(self) -> None:
        """Have it write to a new file at the log's place."""
        raise NotImplementedError


class Unbound(Rotated):
    """Unbound: `unbound.log`, rotated as it is told, and dnstap to a socket.

    Args:
        dnstap: the socket, as a path or `ADDRESS@PORT`; "" for no dnstap.
    """

    def __init__(self, folder: Path, dnstap: str = "") -> None:
        super().__init__(folder)
        self._dnstap = dnstap
        self.log = folder / "unbound.log"

    def command(self) -> list[str]:
        conf = self.folder / "unbound.conf"
        text = _UNBOUND.format(folder=self.folder, port=self.port, address=ADDRESS, dnstap=self._dnstap_lines())
        conf.write_text(text)
        return [unconfined(need_tool("unbound", "unbound"), self.folder), "-d", "-c", str(conf)]

    def _dnstap_lines(self) -> str:
        if not self._dnstap:
            return ""
        where = "socket-path" if "/" in self._dnstap else "ip"
        return (
            f'dnstap:\n  dnstap-enable: yes\n  dnstap-{where}: "{self._dnstap}"\n  dnstap-tls: no\n'
            "  dnstap-log-client-response-messages: yes\n"
        )

    def reopen(self) -> None:
        """See `Rotated`."""
        control = need_tool("unbound-control", "unbound")
        conf = str(self.folder / "unbound.conf")
        subprocess.run([control, "-c", conf, "log_reopen"], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)


class Dnsmasq(Rotated):
    """dnsmasq in front of another server: `dnsmasq.log` with `log-queries=extra`, rotated as it is told."""

    def __init__(self, folder: Path, upstream: int) -> None:
        super().__init__(folder)
        self._upstream = upstream
        self.log = folder / "dnsmasq.log"

    def command(self) -> list[str]:
        conf = self.folder / "dnsmasq.conf"
        conf.write_text(
            f"port={self.port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nno-poll\n"
            f"server=127.0.0.1#{self._upstream}\nlog-queries=extra\nlog-facility={self.log}\nuser={user()}\ncache-size=0\n"
            f"pid-file={self.folder}/dnsmasq.pid\n"
        )
        return [unconfined(need_tool("dnsmasq", "dnsmasq-base"), self.folder), "--keep-in-foreground", f"--conf-file={conf}"]

    def reopen(self) -> None:
        """See `Rotated`."""
        self.send(signal.SIGUSR2)


class Rotation:
    """What logrotate does to a log: its ways, and the names that it gives.

    Attributes:
        ways: `create` renames and has the writer open a new file; `shift` renames those before as well, as numbers go up;
            `copytruncate` copies and truncates under the writer.
    """

    ways = ("create", "shift", "copytruncate")

    def __init__(self, server: Rotated) -> None:
        self._server = server
        self._log = server.log
        self._dates = (f"{self._log}-202611{number:04d}" for number in itertools.count(1))

    def rotate(self, way: str) -> None:
        """Rotate once; no lookup may be under way for `copytruncate`, which loses what is written meanwhile."""
        if way == "copytruncate":
            shutil.copy(self._log, next(self._dates))
            os.truncate(self._log, 0)
            return
        if way == "create":
            self._log.rename(next(self._dates))
        else:
            self._shift()
        self._server.reopen()
        wait_until(self._log.exists, f"{self._log} to be opened anew")

    def _shift(self) -> None:
        numbers = sorted((int(path.suffix[1:]) for path in self._log.parent.glob(f"{self._log.name}.*")), reverse=True)
        for number in numbers:
            self._log.with_name(f"{self._log.name}.{number}").rename(self._log.with_name(f"{self._log.name}.{number + 1}"))
        self._log.rename(self._log.with_name(f"{self._log.name}.1"))


class Recursor(Daemon):
    """PowerDNS Recursor in front of another server, which is all that it asks; sends its protobuf stream to a port."""

    def __init__(self, folder: Path, upstream: int, stream: int) -> None:
        super().__init__(folder)
        self._upstream = upstream
        self._stream = stream

    def command(self) -> list[str]:
        (self.folder / "protobuf.lua").write_text(f'protobufServer("127.0.0.1:{self._stream}")\n')
        (self.folder / "recursor.conf").write_text(
            f"local-address=127.0.0.1\nlocal-port={self.port}\nforward-zones=.=127.0.0.1:{self._upstream}\n"
            f"lua-config-file={self.folder}/protobuf.lua\nsocket-dir={self.folder}\ndnssec=off\nsecurity-poll-suffix=\n"
            "daemon=no\nwrite-pid=no\ndisable-syslog=yes\nthreads=1\nsetuid=\nsetgid=\n"
        )
        return [need_tool("pdns_recursor", "pdns-recursor"), f"--config-dir={self.folder}"]
