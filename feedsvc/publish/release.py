"""Who may see what: tokens, and what a partner may read. Pure, but for the making of a token.

A partner has one token. It comes as the password of HTTP Basic (RFC 7617) with the partner's name as the login, or alone
under the schemes `Bearer` (RFC 6750) and `Token` (what taxii2-client sends), because consumers of TAXII feeds know one or
the other. State holds its SHA-256 alone; a random 256-bit token needs no slow hash.

How clients are told so (401, WWW-Authenticate) is the servers' matter; so is looking a token up.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Protocol

from feedsvc.model import Collection, Partner, Tlp

TOKEN_PREFIX = "fsv_"  # noqa: S105 - lets a person or a secret scanner tell whose token was found
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client presents: a token, and for Basic the login it came with."""

    token: str = field(repr=False)
    login: str | None = None


class ExportLike(Protocol):
    """What a block list is released by; `config.ExportSettings` is one."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def public(self) -> bool: ...  # noqa: D102
    @property
    def max_tlp(self) -> Tlp: ...  # noqa: D102


def new_token() -> str:
    """A token nobody can guess, to be shown once and kept as its digest."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> str:
    """SHA-256 of a token, in hex: what is stored and looked up."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def credentials(authorization: str | None) -> Credentials | None:
    """Read an Authorization header.

    Args:
        authorization: the header's value, None when there is none.

    Returns:
        None for no header, a scheme that is not ours, or a value that does not decode.
    """
    scheme, _, value = (authorization or "").strip().partition(" ")
    value = value.strip()
    if not value:
        return None
    if scheme.lower() == "basic":
        return _basic(value)
    if scheme.lower() in {"bearer", "token"}:
        return Credentials(value)
    return None


def _basic(value: str) -> Credentials | None:
    try:
        login, colon, token = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return Credentials(token, login) if colon and token else None


def belongs_to(presented: Credentials, partner: Partner) -> bool:
    """Whether the login that came with a token is the name of the partner whose token it is.

    The token itself was compared by looking its digest up: what that takes tells nothing about any token.
    """
    if presented.login is None:
        return True
    return hmac.compare_digest(presented.login.encode("utf-8"), partner.name.encode("utf-8"))


def may_read_collection(partner: Partner, collection: Collection) -> bool:
    """Whether a partner sees a collection at all; what it sees in it is said by `visible_rank`."""
    return collection.alias in partner.collections


def visible_rank(partner: Partner, collection: Collection) -> int:
    """The highest `Tlp.rank` of objects that a partner sees in a collection; those above do not exist for it."""
    return min(partner.max_tlp.rank, collection.max_tlp.rank)


def may_read_export(partner: Partner | None, export: ExportLike) -> bool:
    """Whether a reader may fetch a block list.

    A list is one file for all its readers, so a partner must be cleared for the highest marking that it may hold.

    Args:
        partner: None for a reader without credentials, who gets public lists alone.
    """
    if export.public:
        return True
    return partner is not None and export.name in partner.exports and export.max_tlp.rank <= partner.max_tlp.rank
