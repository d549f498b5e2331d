"""The address and the secrets of a provider, out of its `[[source]]`; what is wrong with them, by key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from feedsvc.config import Secret, SourceSettings
from feedsvc.errors import UsageError
from feedsvc.http import Credentials, api_key, basic, query_key
from feedsvc.model import Tlp
from feedsvc.plugins import OptionFaults


def base_url(settings: SourceSettings, default: str = "", path: str = "") -> str:
    """Where the provider answers, without a slash at its end.

    Args:
        default: its usual place.
        path: what its usual place has behind the host, put behind a configured one that has no path of its own as well.

    Raises:
        OptionFaults: there is no address, or it is none to put a path behind.
    """
    url = settings.url or default
    if not url:
        raise OptionFaults({"url": f"url: provider {settings.provider!r} has no usual place: say where it answers"})
    found = address("url", url)
    return found if urlsplit(found).path else found + path


def address(key: str, url: str) -> str:
    """A configured address, without a slash at its end.

    Args:
        key: under which it stands in the file.

    Raises:
        OptionFaults: it is none to put a path behind.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.username is not None or parts.query or parts.fragment:
        raise OptionFaults({key: f"{key}: give http:// or https://, a host, perhaps a path; no credentials, no query"})
    return url.rstrip("/")


def key(settings: SourceSettings, header: str, prefix: str = "") -> Credentials:
    """The API key in a header.

    Raises:
        OptionFaults: there is none, or no header can carry it.
    """
    secret = _api_key(settings)
    with _faults_of(key_of(settings, "api_key")):
        return api_key(header, secret.reveal(), secret.origin, prefix)


def query_parameter(settings: SourceSettings, parameter: str) -> Credentials:
    """The API key in a parameter of the query, where a provider takes it nowhere else.

    Raises:
        OptionFaults: there is none, or no query can carry it.
    """
    secret = _api_key(settings)
    with _faults_of(key_of(settings, "api_key")):
        return query_key(parameter, secret.reveal(), secret.origin)


def tlp(settings: SourceSettings, terms: Tlp) -> Tlp:
    """How far observations may be passed on: as configured, else as the provider's own terms have it."""
    return terms if settings.tlp is None else settings.tlp


def _api_key(settings: SourceSettings) -> Secret:
    secret = settings.secrets.get("api_key")
    if secret is None:
        raise OptionFaults(
            {
                key_of(settings, "api_key"): (
                    f"api_key: provider {settings.provider!r} needs one: set api_key_env or api_key_file"
                )
            }
        )
    return secret


def login(settings: SourceSettings) -> Credentials | None:
    """User name and password as HTTP Basic; None when neither is given.

    Raises:
        OptionFaults: one is given without the other, or HTTP Basic cannot carry them.
    """
    pair = username_and_password(settings)
    if pair is None:
        return None
    username, password = pair
    with _faults_of(key_of(settings, "username")):
        return basic(username.reveal(), password.reveal(), f"{username.origin} and {password.origin}")


def username_and_password(settings: SourceSettings) -> tuple[Secret, Secret] | None:
    """Both, as they are; None when neither is given.

    Raises:
        OptionFaults: one is given without the other.
    """
    username, password = settings.secrets.get("username"), settings.secrets.get("password")
    if username is None and password is None:
        return None
    if username is None or password is None:
        given, lacking = ("password", "username") if username is None else ("username", "password")
        raise OptionFaults({key_of(settings, given): f"{given}: there is no {lacking}: set {lacking}_env or {lacking}_file"})
    return username, password


def key_of(settings: SourceSettings, secret: str) -> str:
    """The key under which a secret stands in the file."""
    written = (f"{secret}_env", f"{secret}_file")
    return next((name for name in written if name in settings.place.keys), written[0])


@contextmanager
def _faults_of(name: str) -> Iterator[None]:
    try:
        yield
    except UsageError as err:
        raise OptionFaults({name: f"{name}: {err}"}) from err
