"""Log formats, one module each, and the choice between them.

The module's name, with hyphens, is the `format` of a `[[source]]` of kind `log` and of `feedsvc sweep`. To add one, write
one module here, or in a package of your own, announced by an entry point of the group `feedsvc.logs`
(`squid = "yourpackage.squid"`). It has

    a docstring            the manual page: first line a summary; then which program writes the log, what must be switched
                           on there, what is read of it and what is not, how it rotates
    Options                a frozen dataclass: the keys of the `[[source]]` that are the format's own, each with a default
                           that is safe
    build(options, zone)   returns a `feedsvc.sources.port.LogFormat`; `zone` is the `tz` of the source, a `tzinfo`, for
                           logs that write local time without saying which (UTC when nothing is configured)

and keeps these promises:

- `parse` raises for no line, however hostile: what it does not understand is a `BadLine`, what is no record is None.
- Names are canonical (`names.parse_name`, or `names.encode_labels` for wire labels), addresses are `names.Address`, and an
  address is taken out of A and AAAA records alone: never out of TXT, PTR or a name that looks like one. Where a log says the
  type of each answer, that counts, whatever was asked for (ANY); where it does not, answers to questions for A and AAAA do,
  and to those whose type it does not say either.
- `state` holds all that a parser needs to go on in the middle of a file; the next process has nothing else. Where a record
  may begin in one file and end in the one that takes its place when the log is rotated, `carry` holds what that one needs
  (`feedsvc.sources.port.Continuing`).
- `recognises` says yes only when the first bytes leave no doubt: a file that two formats claim is read by none. A format
  without magic number judges by the majority of the first lines (`feedsvc.sources.heads`); it is also asked about single
  lines, when the file as a whole is claimed by nobody, and by formats that wrap lines of others. These say so by an
  attribute `wraps = True`: a format that sees its own lines within such a file does not stand in their way.

A format may also say what a line must hold to tell of a netblock or a name (`feedsvc.sources.traces`: `Scannable`); then a
search parses nothing else. What it says must never be too much: it is held against the plain parser by tests.

Compression, rotation, line ends and byte order marks are no matter of a format: `feedsvc.sources.logfile` and
`feedsvc.sources.following` see to them. Nor are JSON arrays: `feedsvc.sources.jsonstream` hands their elements to a format
as if they were lines.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo

from feedsvc.errors import PluginError, SourceError
from feedsvc.sources import heads
from feedsvc.sources.port import Framed, LogFormat

AUTO = "auto"

IN_STREAM = "[]"
"""Behind a format's name: its records are not one a line but stand in a JSON array, or another JSON stream."""


@dataclass(frozen=True, slots=True)
class NamedFormat:
    """A log format and the name it is known by: the plug-in's, with `[]` behind it for a JSON stream of its records."""

    name: str
    format: LogFormat


class Formats:
    """Which format each file is read by: the one that is configured, or with `auto` the one that its first bytes show.

    Args:
        name: a plug-in's name, or `auto`.
        settings: the plug-in's own keys; `auto` takes none, for nobody could say whose they are.
        zone: the zone of local times.
        without: plug-ins that `auto` does not think of.

    Raises:
        PluginError: there is no such plug-in, or it broke while it was loaded.
        OptionFaults: a setting is unknown or of the wrong kind.
    """

    def __init__(
        self,
        name: str = AUTO,
        settings: Mapping[str, object] | None = None,
        zone: tzinfo = UTC,
        *,
        without: Collection[str] = (),
    ) -> None:
        self._made_of = (name, settings, zone, without)
        self._zone = zone
        self._without = frozenset(without)
        self._loaded: dict[str, LogFormat] = {}
        self._candidates: tuple[list[NamedFormat], list[str]] | None = None
        self._fixed = None if name == AUTO else name
        if self._fixed is None and settings:
            from feedsvc.plugins import OptionFaults  # noqa: PLC0415 - as in _build

            raise OptionFaults({key: f"key {key!r} needs a `format` other than auto" for key in settings})
        if self._fixed is not None:
            self._loaded[self._fixed] = _build(self._fixed, settings or {}, zone)

    def __reduce__(self) -> tuple[object, ...]:
        """As what it was made of: formats are loaded where they are needed, in another process anew."""
        return _made, self._made_of

    def by_name(self, name: str) -> NamedFormat:
        """The format that a file was read by before; the configured one, when one is configured."""
        in_stream = name.endswith(IN_STREAM)
        name = self._fixed or name.removesuffix(IN_STREAM)
        if name not in self._loaded:
            self._loaded[name] = _build(name, {}, self._zone)
        if not in_stream:
            return NamedFormat(name, self._loaded[name])
        from feedsvc.sources.jsonstream import JsonStream  # noqa: PLC0415 - as in _build

        return NamedFormat(name + IN_STREAM, JsonStream(self._loaded[name]))

    def by_head(self, head: bytes) -> NamedFormat:
        """The format of a file that begins with these bytes (uncompressed).

        Raises:
            SourceError: no format knows it, or more than one does; the message lists what can be asked for.
        """
        from feedsvc.sources import jsonstream  # noqa: PLC0415 - as in _build

        in_stream = jsonstream.is_stream(head)
        if self._fixed is not None:
            return self.by_name(self._fixed + IN_STREAM * in_stream)
        found = self._recognised(jsonstream.as_lines(head) if in_stream else head)
        return self.by_name(found.name + IN_STREAM) if in_stream else found

    def framed(self, head: bytes) -> NamedFormat | None:
        """The format of a file that has no line end so far; None when it is one of lines, or none can be told by now."""
        try:
            found = self.by_name(self._fixed) if self._fixed is not None else self._recognised(head)
        except SourceError:
            return None
        return found if isinstance(found.format, Framed) else None

    def _recognised(self, head: bytes) -> NamedFormat:
        candidates, broken = self._all()
        fitting = [found for found in candidates if found.format.recognises(head)] or _by_majority(head, candidates)
        fitting = [found for found in fitting if getattr(found.format, "wraps", False)] or fitting
        if len(fitting) == 1:
            return fitting[0]
        claims = " and ".join(found.name for found in fitting)
        why = f"{claims} all fit its first bytes" if fitting else "no format fits its first bytes"
        known = ", ".join(found.name for found in candidates)
        raise SourceError(f"{why}; say which it is: {known}" + "".join(broken), permanent=True)

    def _all(self) -> tuple[list[NamedFormat], list[str]]:
        """Every format, and a remark on each that cannot be loaded: one broken package must not stop the others."""
        if self._candidates is None:
            self._candidates = self._load_all()
        return self._candidates

    def _load_all(self) -> tuple[list[NamedFormat], list[str]]:
        from feedsvc import plugins  # noqa: PLC0415 - as in _build

        candidates, broken = [], []
        for name in plugins.names("logs"):
            if name in self._without:
                continue
            try:
                candidates.append(self.by_name(name))
            except PluginError as err:
                broken.append(f"; {err}")
        return candidates, broken


def _made(name: str, settings: Mapping[str, object] | None, zone: tzinfo, without: Collection[str]) -> Formats:
    return Formats(name, settings, zone, without=without)


def _by_majority(head: bytes, candidates: list[NamedFormat]) -> list[NamedFormat]:
    """The formats to which half of the first lines, or more, belong when each line is looked at for itself."""
    lines = heads.first_lines(head)
    if len(lines) < 2:
        return []
    return [found for found in candidates if 2 * sum(found.format.recognises(line + b"\n") for line in lines) >= len(lines)]


def _build(name: str, settings: Mapping[str, object], zone: tzinfo) -> LogFormat:
    # Plug-ins are looked up when the first file with anything in it is at hand: a sweep of nothing ends at once.
    from feedsvc import plugins  # noqa: PLC0415

    module = plugins.load("logs", name)
    try:
        options = plugins.read_options(module, settings) if settings else module.Options()
    except TypeError as err:
        raise PluginError(f"logs plug-in {name!r} has a setting without a default: {err}") from err
    found: LogFormat = module.build(options, zone)
    return found
