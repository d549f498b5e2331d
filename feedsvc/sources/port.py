"""The ports of sources: what a passive DNS provider, a log format and a readable source promise.

A provider answers one question about one netblock. A log format turns lines into records. A source joins either with its
cursors and yields batches for the pipeline, which knows no more than `Source`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from feedsvc.model import Allowance, Batch, End, Learnt, Span, Stretch, Tlp, seen
from feedsvc.names import Address, Netblock

if TYPE_CHECKING:
    from feedsvc.http import Answer, HttpError, Request


OVERLAP = timedelta(days=1)
"""How far behind the since-mark to ask again, when neither the settings nor the provider say."""

ANCIENT = datetime(2004, 1, 1, tzinfo=UTC)
"""Before anybody collected passive DNS: where a window without a beginning is taken to begin."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What there is to know of a provider before it is asked; the planner decides by it.

    Attributes:
        reach: what one question may be about: a single `address`, a `netblock` (one CIDR prefix), or any `range`.
        fenced: whether both ends of the time window narrow the answer, so that a window can be asked in halves.
        earliest: nothing it has was last seen before this.
        overlap: how late its data may come; asked again behind the since-mark.
        concurrency: calls under way at once.
        max_addresses: of a netblock, when it is asked address by address; a larger one is skipped.
        max_calls: for one netblock in one poll; what is left waits for the next poll.
        allowances: its quotas as its documentation tells them; what it says itself counts more.
        tlp: how far its terms let its observations be passed on, when the settings say nothing else.
        fronts: whether `front` can be asked: names that point at a name.
    """

    reach: Literal["address", "netblock", "range"] = "address"
    fenced: bool = False
    earliest: datetime = ANCIENT
    overlap: timedelta = OVERLAP
    concurrency: int = 4
    max_addresses: int = 4096
    max_calls: int = 4096
    allowances: tuple[Allowance, ...] = ()
    tlp: Tlp = Tlp.CLEAR
    fronts: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What one call asks: which names resolved into this netblock, last seen within this window?

    Attributes:
        netblock: within the provider's reach; one address when it knows no netblocks.
        since: the window's first moment, overlap already taken off; None leaves it open.
        until: the first moment after the window; None leaves it open. Only fenced providers are given one.
        page: what `Reply.page` said of the answer whose rest is asked for; "" asks for its beginning.
    """

    netblock: Netblock
    since: datetime | None = None
    until: datetime | None = None
    page: str = ""


@dataclass(frozen=True, slots=True)
class Front:
    """What a call about a name asks: which names point at this one by CNAME?

    Attributes:
        name: canonical.
        rdata: the addresses that `name` resolves to; observations are made for each.
        page: as in `Question`.
    """

    name: str
    rdata: tuple[str, ...]
    page: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """How one call ended.

    Attributes:
        limited: there is more than was given, and a narrower question would bring it.
        page: the rest of the same answer can be asked for with this; "" when there is none, or no way to it.
        over: the quota that a refusal says is spent; None for other ends. With `end.retry_after` it is over until then.
        crowded: too many calls are under way at once; the same call may succeed when there are fewer.
        free: the provider does not count it among the calls that it leaves us.
        stale: the provider has lost the page that was asked for: the answer is to be asked from its beginning.
    """

    end: End
    limited: bool = False
    page: str = ""
    over: Span | None = None
    crowded: bool = False
    stale: bool = False
    free: bool = False


class Provider(Protocol):
    """One passive DNS provider: writes questions as requests, reads answers. It asks nobody itself, and keeps nothing.

    A call is one request. What is asked when, how often, and what it may cost is the planner's (`sources.polling`). Who
    derives from this class needs only what has no body here.
    """

    @property
    def traits(self) -> Traits:
        """What the planner must know."""
        ...

    def request(self, question: Question) -> Request:
        """The question as a request; pure."""
        ...

    def read(self, answer: Answer, question: Question) -> Generator[Batch, None, Reply]:
        """Yield the observations of an accepted answer (200, 204) as batches without an `end`; return how it ended.

        Every row is decoded, normalised and inside the netblock; rows that are not are counted in `refused`. `complete` is
        said only when that is proven.

        Raises:
            SourceError: the answer is cut or none; what came before was yielded. Turned into an end by the caller.
        """
        ...

    def refused(self, err: HttpError, question: Question) -> Reply | None:
        """What an error means here; None when it means what it means everywhere (`endings.after_fault`). Pure."""
        del err, question
        return None

    def quotas(self, headers: Mapping[str, str], now: datetime) -> Sequence[Learnt]:
        """What the headers of any answer say about quotas; their names are in lower case. Pure; never raises."""
        del headers, now
        return ()


@runtime_checkable
class Placed(Protocol):
    """A provider that says where it asks, however its `url` was spelt: there a key has one account."""

    @property
    def base(self) -> str:
        """The address that its paths are put behind."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A provider that tells its quotas when it is asked for them, free of charge."""

    def quota_request(self) -> Request:
        """The request that asks for them."""
        ...

    def read_quota(self, body: bytes, now: datetime) -> Sequence[Learnt]:
        """What its answer says; nothing when it cannot be read."""
        ...


@runtime_checkable
class Fronting(Protocol):
    """A provider that knows which names point at a name."""

    def front_request(self, front: Front) -> Request:
        """The request that asks for them."""
        ...

    def read_front(self, answer: Answer, front: Front) -> Generator[Batch, None, Reply]:
        """As `Provider.read`; the observations are of the names in front, with `front.name` as their `chain`."""
        ...


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing may be asked before this moment, and why."""

    until: datetime
    why: str


class Budget(Protocol):
    """What one poll may still ask of a provider; belongs to the thread that polls."""

    def spend(self, pending: int, total: int) -> Pause | None:
        """Take one call from the ledger before it is made; None when it may be made.

        Args:
            pending: calls that the plan still wants, this one included.
            total: calls that the whole plan wants.
        """
        ...

    def held_up(self, pending: int, total: int) -> Pause | None:
        """What `spend` would say now; takes nothing."""
        ...

    def learn(self, quotas: Sequence[Learnt]) -> None:
        """What an answer said about quotas."""
        ...

    def give_back(self) -> None:
        """A call that was made is none of those that the provider said to be left."""
        ...

    def over(self, span: Span | None, retry_after: float | None) -> None:
        """The provider says that a quota is spent, or (None) wants to be left alone for so many seconds."""
        ...

    def forecast(self, pending: int, total: int) -> datetime | None:
        """When so many more calls will have been made; None when nothing holds them up."""
        ...

    def wants_telling(self) -> bool:
        """Whether what the provider said about its quotas is too old to go by, and it may be asked for them now."""
        ...

    def untold(self) -> None:
        """The provider was asked for its quotas and did not tell them."""
        ...

    def connections(self, wanted: int) -> AbstractContextManager[int]:
        """Hold as many of the key's connections as are free, at most so many; 0 when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A finding's name, and the addresses it was seen at: what fronts are looked for."""

    name: str
    rdata: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Poll:
    """What a source is read for.

    Attributes:
        netblocks: those to ask about; overlapping ones share their calls.
        cursors: position by scope, as the source's batches stored them.
        budget: None for a source that costs nothing.
        active: when each netblock, as text, was last seen to do something; those are asked first when calls are short.
        known: names of findings, the newest first, that fronts may be looked for.
        watched: all that are watched; what an unfinished poll left of those that are not asked about now is kept. Empty: no
            more than `netblocks`.
        continuing: what an earlier poll left is asked, and nothing else: its time has come before that of the next poll.
        recent: what another poll began to ask no longer ago is finished as if this one had begun it.
    """

    netblocks: Sequence[Netblock]
    cursors: Mapping[str, str]
    now: datetime
    budget: Budget | None = None
    active: Mapping[str, datetime] = field(default_factory=dict)
    known: Sequence[Known] = ()
    watched: Sequence[Netblock] = ()
    continuing: bool = False
    recent: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line, or a part of one, that the format does not understand: where, why, and the text itself, cut to 200 bytes.

    Attributes:
        reason: one of few texts, without anything of the line in it: lines are counted by reason.
    """

    offset: int
    reason: str
    line: bytes


Kind = seen.Kind
"""What a record tells of."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One DNS exchange, or one connection by name, as a log has it.

    Attributes:
        time: epoch seconds UTC, with the log's own precision.
        client: who asked or connected, a canonical address where it is one, else as the log spells it (a host's name); None
            when the log does not say.
        rrname: the asked name, or the one that was connected to (SNI, `Host`), canonical. "" only with the kind
            `connection`: the log has no name, and tells no more than that this client went to the one address in `answers`.
        rrtype: the asked type; "" when the log does not say, or it was no DNS.
        answers: addresses of A and AAAA answers, in order; of a connection the one it went to. Empty when the log has no
            answers: the record still tells who asked.
        chain: CNAME targets between `rrname` and the addresses, canonical, in order.
        offset: where the record begins, in bytes of the uncompressed file.
        unread: parts that could not be read though the rest of the record holds.
        kind: how it came about.
        process: which program asked, where the log says so; "" otherwise.
    """

    time: float
    client: str | None
    rrname: str
    rrtype: str
    answers: tuple[Address, ...]
    chain: tuple[str, ...]
    offset: int
    unread: tuple[BadLine, ...] = ()
    kind: Kind = "dns"
    process: str = ""


Parsed = LogRecord | BadLine | None | tuple[LogRecord | BadLine, ...]
"""What one line, or one frame, is: a record, a fault, nothing, or several of these."""


class LogParser(Protocol):
    """Reads one file from its beginning on; holds what the file's own header said, and a record that is not whole yet."""

    def parse(self, line: bytes, offset: int) -> Parsed:
        """Read one line without its line end; None for what is no record (comments, other kinds of record)."""
        ...

    def state(self) -> str:
        """What to remember beside an offset so that a later parser can go on in the middle of the file."""
        ...


@runtime_checkable
class Waiting(Protocol):
    """A parser whose records may span lines: one is only known to be whole when the next begins, or the file ends."""

    def finish(self) -> Parsed:
        """The record that was waited for, once nothing more will come; asked for files that are at rest alone."""
        ...


@runtime_checkable
class Settling(Protocol):
    """A parser that knows a record to be whole also by the time that goes by without another line."""

    def settle(self, quiet: float) -> Parsed:
        """The records that are whole, when nothing was written for so many seconds."""
        ...


@runtime_checkable
class Continuing(Protocol):
    """A parser whose records may begin in one log and end in the one that takes its place when it is rotated."""

    def carry(self) -> str:
        """The state for a parser of that log: what is waited for, and nothing that was learnt of this log alone."""
        ...


Line = tuple[int, bytes, int | None]
"""Where a line or frame begins, the bytes that stand there, and where the next begins (None: it is torn).

They are a line without its end, or a frame with what frames it: a log is known again by their fingerprint at that offset.
"""


@runtime_checkable
class Framed(Protocol):
    """A format that is no lines: it cuts a log into frames itself."""

    def cut(self, blocks: Iterator[bytes], start: int) -> Iterator[Line]:
        """The frames of a log whose blocks begin at the offset `start`, where a frame begins; each with what frames it.

        A frame that is not whole at the end comes last and torn. One that is larger than may be is given as its first bytes
        with the offset at which the next begins, and the parser is not shown it. Memory stays bounded whatever the bytes.

        Raises:
            SourceError: from here on nothing can be told apart; what came before was given.
        """
        ...


class LogFormat(Protocol):
    """One log format, ready to read; `Framed` as well when it is no text."""

    def parser(self, state: str = "") -> LogParser:
        """A parser for a new file, or one that goes on where `state` was taken.

        Raises:
            SourceError: the state is none that this format wrote.
        """
        ...

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with these bytes (uncompressed, up to 64 KiB) is of this format."""
        ...


@runtime_checkable
class LookingBack(Protocol):
    """A source that can search again what it has read before."""

    @property
    def name(self) -> str:
        """See `Source`."""
        ...

    def offset_of(self, position: str) -> int:
        """How far from a log's beginning a cursor stands.

        Raises:
            SourceError: it is no cursor of this source.
        """
        ...

    def look_back(self, stretch: Stretch) -> Iterator[Batch]:
        """Yield who asked for the names of a stretch, as lookups, each batch with the cursor up to which it counts.

        Cursors are those of the stretch (`Stretch.start`), none of the source's own; the last one stands at its end. What is
        yielded is stored before the next batch is asked for.

        Raises:
            SourceError: the log is not there any more, or cannot be searched (on).
        """
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """What of a connection was understood.

    Attributes:
        frames: those that are whole, as they stand in a file of the format; `count` of them.
        reply: what to answer.
        over: nothing more will come.
        fault: why it is over, where the other side does not speak the protocol; nothing of what it said. "" otherwise.
    """

    frames: bytes
    count: int
    reply: bytes = b""
    over: bool = False
    fault: str = ""


class Session(Protocol):
    """One connection of a program that sends a log."""

    @property
    def begun(self) -> bool:
        """Whether the other side has shown that it speaks the protocol."""
        ...

    def hear(self, octets: bytes) -> Heard:
        """Take what came; raises for nothing."""
        ...

    def rest(self) -> int:
        """Octets of a frame that is not whole."""
        ...


@runtime_checkable
class Sent(Protocol):
    """A format that programs also send over a socket."""

    def session(self) -> Session:
        """A new connection."""
        ...

    def preamble(self) -> bytes:
        """What a file begins with into which its frames are written."""
        ...


class Source(Protocol):
    """Something the pipeline polls: its name, its kind, and what it says since its cursors."""

    @property
    def name(self) -> str:
        """As configured; unique."""
        ...

    @property
    def kind(self) -> str:
        """`pdns` or `log`."""
        ...

    def read(self, poll: Poll) -> Iterator[Batch]:
        """Yield what is new since the cursors about these netblocks.

        A netblock without a cursor is asked for everything. Cursors to store stand in the batches. Every netblock is
        spoken of by exactly one `end`. What is yielded is stored before the next batch is asked for.
        """
        ...
