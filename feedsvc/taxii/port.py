"""What the TAXII server needs from the process it runs in, and what ASGI calls things.

Opening the state, knowing who sent a token and recording fetches are the same for every face over HTTP, so they are handed
in. All of it is called in the thread of the event loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from feedsvc.history.port import History
from feedsvc.model import Partner

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Access(Protocol):
    """One worker's way to the state."""

    @property
    def history(self) -> History:
        """The state, for reading.

        Raises:
            HistoryError: it cannot be read.
        """
        ...

    def partner(self, authorization: str | None) -> Partner | None:
        """Whose credentials an `Authorization` header holds; None for none, odd or unknown ones.

        Raises:
            HistoryError: the state cannot be read.
        """
        ...

    def fetched(self, partner: Partner) -> None:
        """Note that a partner was just given data; never fails and never waits."""
        ...
