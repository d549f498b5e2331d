"""Plug-ins from settings: each source, block list and collection as configured, or what is wrong with it and where."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from feedsvc import clock, plugins
from feedsvc.config import CollectionSettings, ExportSettings, ListenPlace, Place, Settings, SourceSettings
from feedsvc.errors import ConfigError, Fault, PluginError
from feedsvc.model import Collection

if TYPE_CHECKING:
    from feedsvc.history.port import History
    from feedsvc.http import Client
    from feedsvc.pipeline.parts import Billing, Export
    from feedsvc.publish.port import BlockListFormat
    from feedsvc.sources.listening import Listener
    from feedsvc.sources.logs import Formats
    from feedsvc.sources.port import Provider, Sent, Source

Configured = TypeVar("Configured", SourceSettings, ExportSettings)
Built = TypeVar("Built")


def faults(loaded: Settings) -> list[Fault]:
    """What is wrong with the plug-ins that the settings ask for: unknown ones, and each of their keys at fault."""
    with ExitStack() as stack:
        client = _client(loaded, stack, threading.Event())
        _, of_sources = _build(loaded.sources, lambda one: _source(one, client, loaded.state))
        _, of_exports = _build(loaded.exports, _format)
    return [*of_sources, *of_exports]


def sources(loaded: Settings, stack: ExitStack, stop: threading.Event) -> tuple[Source, ...]:
    """Every configured source, ready to be read.

    Args:
        stack: closes their connections.
        stop: whoever waits for an answer gives up when it is set.

    Raises:
        ConfigError: with every fault of their settings.
    """
    client = _client(loaded, stack, stop)
    return _all_right(*_build(loaded.sources, lambda one: _source(one, client, loaded.state)))


def billing(loaded: Settings) -> Mapping[str, Billing]:
    """Whose quota each provider's source spends; the settings are known to be right."""
    return {one.name: _billing(one) for one in loaded.sources if one.kind == "pdns"}


def _billing(one: SourceSettings) -> Billing:
    from feedsvc.pipeline.parts import Billing

    provider = _provider(one)
    secret = "\0".join([_place(one, provider), *(f"{name}={held.reveal()}" for name, held in sorted(one.secrets.items()))])
    return Billing(
        provider=one.provider,
        key_digest=hashlib.sha256(secret.encode()).digest(),
        traits=provider.traits,
        daily_quota=one.daily_quota,
        reserved=one.reserved,
        every=one.every,
    )


def _place(one: SourceSettings, provider: Provider) -> str:
    """Where a source asks, the same however its `url` is spelt: its usual place left out, a slash more, http or https."""
    from feedsvc.sources.port import Placed

    parts = urlsplit(provider.base if isinstance(provider, Placed) else one.url)
    port = "" if parts.port in (None, 80, 443) else f":{parts.port}"
    return f"{parts.hostname or ''}{port}{parts.path.rstrip('/')}"


def keep_salt(history: History) -> None:
    """Make what tells the keys of one installation apart, once."""
    from feedsvc.pipeline import budgeting

    if not budgeting.has_salt(history):
        with history.transaction():
            budgeting.keep_salt(history)


def exports(loaded: Settings) -> tuple[Export, ...]:
    """Every configured block list with its ready format.

    Raises:
        ConfigError: with every fault of their settings.
    """
    from feedsvc.pipeline.parts import Export

    formats = _all_right(*_build(loaded.exports, _format))
    return tuple(Export(one, ready) for one, ready in zip(loaded.exports, formats, strict=True))


def collections(loaded: Settings, history: History, *, keep: bool) -> tuple[Collection, ...]:
    """Every configured collection with the UUID that it has for ever.

    Args:
        keep: store the UUIDs of new ones; a reader that may not write sees them under one that nobody else will see.
    """
    numbers = _numbers(loaded, history)
    if keep and any(history.feed.collection(alias) != number for alias, number in numbers.items()):
        with history.transaction():
            numbers = _numbers(loaded, history)  # anew: another process may have given them theirs meanwhile
            for alias, number in numbers.items():
                history.feed.keep_collection(alias, number)
    return tuple(_collection(one, numbers[one.alias]) for one in loaded.collections)


def _numbers(loaded: Settings, history: History) -> dict[str, str]:
    return {one.alias: one.id or history.feed.collection(one.alias) or str(uuid.uuid4()) for one in loaded.collections}


def _collection(one: CollectionSettings, number: str) -> Collection:
    return Collection(
        id=number,
        alias=one.alias,
        title=one.title or one.alias,
        watches=one.watches,
        max_tlp=one.max_tlp,
        content=one.content,
        description=one.description,
    )


def _client(loaded: Settings, stack: ExitStack, stop: threading.Event) -> Client:
    from feedsvc.http import Client

    return stack.enter_context(Client(contact=loaded.producer.contact, stopping=stop.is_set))


def _source(one: SourceSettings, client: Client, state: Path) -> Source:
    return _log(one, state) if one.kind == "log" else _pdns(one, client)


def _pdns(one: SourceSettings, client: Client) -> Source:
    from feedsvc.sources.polling import PdnsSource

    return PdnsSource(one.name, _provider(one), client, clock.utc_now, overlap=one.overlap, fronts_per_poll=one.fronts)


def _provider(one: SourceSettings) -> Provider:
    module = plugins.load("pdns", one.provider)
    provider: Provider = module.build(one, plugins.read_options(module, one.options), clock.utc_now)
    return provider


def _log(one: SourceSettings, state: Path) -> Source:
    from feedsvc.sources.following import LogSource
    from feedsvc.sources.spooled import SpooledSource

    if one.listen is None:
        return LogSource(one.name, one.path, _formats(one))
    _sent(one)
    return SpooledSource(one.name, _spool(one, state), str(one.listen), _formats(one))


def _formats(one: SourceSettings) -> Formats:
    from datetime import UTC

    from feedsvc.sources.logs import Formats

    return Formats(one.format, one.options, one.tz or UTC)


def _sent(one: SourceSettings) -> Sent:
    """The format of a log that is sent to us.

    Raises:
        PluginError: it is written to files alone.
    """
    from feedsvc.sources.logs import AUTO
    from feedsvc.sources.port import Sent

    if one.format != AUTO:
        found = _formats(one).by_name(one.format).format
        if isinstance(found, Sent):
            return found
    raise PluginError(f"format {one.format!r} comes over no socket; `listen` needs one that does: dnstap, powerdns")


def _spool(one: SourceSettings, state: Path) -> Path:
    return state.with_name(f"{state.name}-spool") / one.name


def listeners(loaded: Settings) -> tuple[Listener, ...]:
    """What takes the logs that are sent to us, to be started; the settings are known to be right."""
    return tuple(_listener(one, one.listen, loaded.state) for one in loaded.sources if one.listen is not None)


def _listener(one: SourceSettings, place: ListenPlace, state: Path) -> Listener:
    from feedsvc.sources.listening import Listener
    from feedsvc.sources.spool import Spool

    sent = _sent(one)
    return Listener(one.name, place, sent, Spool(_spool(one, state), sent.preamble(), one.spool_mib * 1024 * 1024))


def _format(one: ExportSettings) -> BlockListFormat:
    module = plugins.load("blocklists", one.format)
    ready: BlockListFormat = module.build(plugins.read_options(module, one.options))
    return ready


def _build(configured: Iterable[Configured], build: Callable[[Configured], Built]) -> tuple[list[Built], list[Fault]]:
    built: list[Built] = []
    found: list[Fault] = []
    for one in configured:
        try:
            built.append(build(one))
        except plugins.OptionFaults as err:
            found += [_fault(one.place, key, message) for key, message in err.messages.items()]
        except PluginError as err:
            found.append(_fault(one.place, "provider" if "provider" in one.place.keys else "format", str(err)))
    return built, found


def _fault(place: Place, key: str, message: str) -> Fault:
    return Fault(place.file, place.line_of(key), message)


def _all_right(built: Sequence[Built], found: list[Fault]) -> tuple[Built, ...]:
    if found:
        raise ConfigError(found)
    return tuple(built)
