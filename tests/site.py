"""A feedsvc of one's own in a folder: configuration, rules, a Zeek log, and the real command line run on it."""

from __future__ import annotations

import io
import json
import os
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from feedsvc import assemble, cli, pipeline
from feedsvc.pipeline.parts import Parts

NETBLOCK = "198.51.100.0/28"

ZEEK_HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\tqtype_name\trcode_name\tanswers\n"
)


def zeek_line(when: float, client: str, query: str, *answers: str, rrtype: str = "A") -> str:
    """A line of dns.log under `ZEEK_HEADER`."""
    cells = [f"{when:.6f}", "CHhAvVGS1DHFjwGM9", client, "51234", "10.0.0.53", "53", "udp", query, rrtype, "NOERROR"]
    return "\t".join([*cells, ",".join(answers) or "-"]) + "\n"


@dataclass
class Site:
    """A folder with a configuration; what is set here is written by `write`.

    Attributes:
        rule: keys of the one rule, over those of `write`.
        extra: TOML put at the end of the configuration.
    """

    folder: Path
    pdns_url: str = ""
    zeek: bool = False
    rule: dict[str, object] = field(default_factory=dict)
    limits: dict[str, object] = field(default_factory=dict)
    source_options: dict[str, object] = field(default_factory=dict)
    extra: str = ""

    @property
    def file(self) -> Path:
        return self.folder / "feedsvc.toml"

    @property
    def log(self) -> Path:
        return self.folder / "dns.log"

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    def write(self) -> Site:
        """Write configuration and rule."""
        rule: dict[str, object] = {
            "id": "jar-callbacks",
            "title": "JAR dropper",
            "netblocks": [NETBLOCK],
            "names": {"label": {"position": "leftmost", "length": 4, "alphabet": "a-z0-9"}},
            "baseline": "hold",
            "publish": "auto",
            "tlp": "green",
            "confidence": 70,
            **self.rule,
        }
        (self.folder / "rules").mkdir(exist_ok=True)
        # JSON is YAML.
        (self.folder / "rules" / "jar.yaml").write_text(json.dumps(rule), encoding="utf-8")
        self.file.write_text(self._configuration(), encoding="utf-8")
        return self

    def _configuration(self) -> str:
        text = '[producer]\nname = "Test SOC"\n[http]\nlisten = "127.0.0.1:0"\n'
        if self.pdns_url:
            options = "".join(f"{key} = {json.dumps(value)}\n" for key, value in self.source_options.items())
            text += f'[[source]]\nname = "pdns"\nkind = "pdns"\nprovider = "cof"\nurl = "{self.pdns_url}"\n{options}'
        if self.zeek:
            text += '[[source]]\nname = "zeek"\nkind = "log"\nformat = "zeek"\npath = "dns*.log*"\n'
        if self.limits:
            text += "[limits]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in self.limits.items())
        return (
            text
            + textwrap.dedent(
                """\
            [[collection]]
            alias = "callbacks"
            max_tlp = "green"
            [[export]]
            name = "domains.txt"
            format = "domains"
            public = true
            [[export]]
            name = "hosts.txt"
            format = "hosts"
            [[export]]
            name = "callbacks.rpz"
            format = "rpz"
            """
            )
            + self.extra
        )

    def command(self, *arguments: str) -> list[str]:
        """The command line of the installed program on this configuration."""
        return [sys.executable, "-m", "feedsvc", "--config", str(self.file), *arguments]

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command; what it printed. Fails when it ends otherwise than with `code`."""
        return self._end(arguments, code)[0]

    def fails(self, *arguments: str) -> str:
        """Run a command that must end as bad usage; what it said on stderr."""
        return self._end(arguments, 2)[1]

    def says(self, *arguments: str) -> tuple[str, str]:
        """Run a command, however it ends; what it printed, and what it said on stderr."""
        return self._ran(arguments)[:2]

    def _end(self, arguments: Sequence[str], code: int) -> tuple[str, str]:
        out, err, ended = self._ran(arguments)
        assert ended == code, f"{out}\n{err}"
        return out, err

    def _ran(self, arguments: Sequence[str]) -> tuple[str, str, int]:
        # The command line in this process: all of it but the second that a Python takes to import its libraries.
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            cli.main(["--config", str(self.file), *arguments])
        return out.getvalue(), err.getvalue(), int(ended.value.code or 0)

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with `--json`; what it printed, decoded."""
        return json.loads(self.run(*arguments, "--json", code=code))

    @contextmanager
    def parts(self) -> Iterator[Parts]:
        """Ready parts in this process."""
        with assemble.parts(assemble.settings(self.file)) as parts:
            yield parts

    def poll(self) -> pipeline.RunResult:
        """`run` in this process: the same code without the start of a program."""
        with self.parts() as parts:
            return pipeline.run(parts, parts.sources)

    def listed(self) -> list[str]:
        """The names on domains.txt."""
        return (self.exports / "domains.txt").read_text(encoding="ascii").split()

    def export_bytes(self) -> Mapping[str, bytes]:
        """Every file of the exports folder."""
        return {path.name: path.read_bytes() for path in sorted(self.exports.iterdir())}


def names(findings: Sequence[Mapping[str, object]]) -> list[str]:
    """The names of findings, sorted."""
    return sorted(str(finding["name"]) for finding in findings)


def ago(**span: float) -> int:
    """Epoch seconds so long before now."""
    seconds = (
        span.get("seconds", 0) + 60 * span.get("minutes", 0) + 3600 * span.get("hours", 0) + 86400 * span.get("days", 0)
    )
    return int(time.time() - seconds)


def environment(**more: str) -> dict[str, str]:
    """This process's environment with more in it."""
    return {**os.environ, **more}
