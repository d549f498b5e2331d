"""One worker's way to the state: a history to read, whose credentials these are, who fetched what when.

The history is opened on first use, in the thread of the event loop, and belongs to it. A token that was found is remembered
for a few seconds, by its digest and for a bounded number of partners: a partner that was removed is out within that time,
one that was added is in at once. Unknown tokens are not remembered, so that guessing cannot push a partner out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from feedsvc.clock import Clock, monotonic, utc_now
from feedsvc.history import open_history
from feedsvc.history.port import History
from feedsvc.model import Partner
from feedsvc.publish import release
from feedsvc.web.fetches import FetchLog

_REMEMBERED_FOR = 5.0  # seconds
_MOST_REMEMBERED = 1024


class Access:
    """See the module; satisfies `feedsvc.taxii.port.Access`."""

    def __init__(self, state: Path, *, now: Clock = utc_now, ticking: Callable[[], float] = monotonic) -> None:
        """Take the state's place; nothing is opened yet.

        Args:
            state: as `feedsvc.history.open_history` wants it; the state must be there.
            now: for the times of fetches.
            ticking: for how long a token is remembered.
        """
        self._state = state
        self._now = now
        self._ticking = ticking
        self._opened: History | None = None
        self._known: OrderedDict[str, tuple[float, Partner]] = OrderedDict()
        self._fetches = FetchLog(state)

    @property
    def state(self) -> Path:
        """Where the state is, for those who need a history of their own."""
        return self._state

    @property
    def history(self) -> History:
        """The state, for reading, in the thread of the event loop.

        Raises:
            HistoryError: it cannot be opened.
        """
        if self._opened is None:
            self._opened = open_history(self._state, read_only=True)
        return self._opened

    def partner(self, authorization: str | None) -> Partner | None:
        """Whose credentials an `Authorization` header holds; None for none, odd or unknown ones.

        Raises:
            HistoryError: the state cannot be read.
        """
        given = release.credentials(authorization)
        if given is None:
            return None
        partner = self._by_digest(release.digest(given.token))
        return partner if partner is not None and release.belongs_to(given, partner) else None

    def _by_digest(self, digest: str) -> Partner | None:
        since, partner = self._known.get(digest, (None, None))
        if since is not None and self._ticking() - since < _REMEMBERED_FOR:
            return partner
        self._known.pop(digest, None)
        partner = self.history.partners.by_token(digest)
        if partner is not None:
            self._known[digest] = (self._ticking(), partner)
            if len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
        return partner

    def fetched(self, partner: Partner) -> None:
        """Note that a partner was just given data; never fails and never waits."""
        self._fetches.note(partner.name, self._now())

    def close(self) -> None:
        """Write the last fetches and let go of the state."""
        self._fetches.close()
        if self._opened is not None:
            self._opened.close()
            self._opened = None
