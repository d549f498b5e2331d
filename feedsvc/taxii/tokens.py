"""`next` tokens (TAXII 2.1 §3.5): where a page ended, signed, with nothing kept on the server.

A token holds a position and a signature over that position and over whose question it continues: endpoint, collection,
object, match filters and partner. It can be used again, after a restart, by another worker, with another `limit` and with or
without the `added_after` of the first page. It gives no right: every page is asked anew with the reader's own clearance, so
a forged one would move the position and no more (Appendix B); it is refused all the same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets

from feedsvc.history.port import History
from feedsvc.taxii.query import Malformed

_NOTE = "taxii-next-key"
_SIGNATURE = 16  # octets of HMAC-SHA256 kept, RFC 2104 §5
_FORM = re.compile(r"[A-Za-z0-9_-]{32}")  # 8 octets of position and the signature, without spare bits in base64

_COMPLAINT = "next continues another request, or is none; start again without it"


def keep_key(history: History) -> bytes:
    """The key of all tokens, made at the first call and kept in the state for ever; call it inside a transaction."""
    kept = history.note(_NOTE)
    if kept is None:
        kept = secrets.token_hex(32)
        history.keep_note(_NOTE, kept)
    return bytes.fromhex(kept)


def make(key: bytes, position: int, question: tuple[str, ...]) -> str:
    """The token for what follows a position.

    Args:
        position: `date_added` of the last row given, in microseconds since 1970.
        question: what it continues, see the module's docstring.
    """
    where = position.to_bytes(8, "big")
    return base64.urlsafe_b64encode(where + _sign(key, where, question)).decode("ascii")


def read(key: bytes, token: str, question: tuple[str, ...]) -> int:
    """The position in a token.

    Raises:
        Malformed: it is not one that we made for this question.
    """
    if not _FORM.fullmatch(token):
        raise Malformed(_COMPLAINT)
    decoded = base64.urlsafe_b64decode(token)
    where, signature = decoded[:8], decoded[8:]
    if not hmac.compare_digest(signature, _sign(key, where, question)):
        raise Malformed(_COMPLAINT)
    return int.from_bytes(where, "big")


def _sign(key: bytes, where: bytes, question: tuple[str, ...]) -> bytes:
    return hmac.digest(key, where + json.dumps(question).encode("ascii"), hashlib.sha256)[:_SIGNATURE]
