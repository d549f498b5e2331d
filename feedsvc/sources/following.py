"""Logs followed from poll to poll: each line of each file is read once, through rotation, truncation and kills.

A log source reads all files that a glob matches, each from where it stopped the last time, a new one from its beginning.
What was read and how far go out together, in batches of bounded size: whoever stores each batch as a whole may die between
any two of them, and the next poll goes on exactly there.

    a file …                                and the next poll
    grows                                   reads on; a last line without an end waits for its end
    is renamed, even out of the glob        knows it by its inode, reads its rest, and the file in its place as a new one
    is copied, then truncated               finds the copy by its text, reads the rest there, and the file as a new one
    is compressed                           finds it by its uncompressed text
    has a copy beside it                    takes both for one log
    ends in the middle of a record          waits for its end in the file that takes its place
    is replaced on the same inode           takes it for a new log: its text is another
    vanishes                                forgets it; that is no fault
    cannot be read, or is no known format   says so, reads the others, and is partial
    is damaged                              uses what can be read, says so, is partial once, and remembers

A poll for which nothing matches the glob has failed, and every cursor stays: a disk is missing, sooner than all its logs.
What was written after the last poll to a file that is then gone without a copy cannot be read by anybody: poll more often
than logs are thrown away.

Whether two files are one log is decided in `feedsvc.sources.identity`, what lines say in `feedsvc.sources.records`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from feedsvc.errors import PluginError, SourceError
from feedsvc.model import Batch, End, Outcome, Stretch
from feedsvc.names import NetblockMap
from feedsvc.sources import identity
from feedsvc.sources.identity import Found, Kinship, Position
from feedsvc.sources.logfile import HEAD, LogDamaged, LogFile, carry, peek
from feedsvc.sources.logs import Formats, NamedFormat
from feedsvc.sources.lookback import look_back
from feedsvc.sources.port import Continuing, LogParser, Poll, Waiting
from feedsvc.sources.records import Tally
from feedsvc.sources.tailing import BATCH_BYTES, BATCH_FACTS, Tail

AT_REST = timedelta(hours=1)
"""A file that was left alone for so long is not being written any more: its last line is whole, end or no end."""

_TOLD = 3  # faults that are spelt out in an end's reason


class LogSource:
    """A source of kind `log`.

    Args:
        name: as configured.
        path: a path or a glob (`**` too); what it matches is looked up at each poll.
        formats: which format each file is read by.
        batch_facts, batch_bytes: what fills a batch: observations and sightings, bytes of text.
    """

    def __init__(
        self,
        name: str,
        path: str,
        formats: Formats,
        *,
        batch_facts: int = BATCH_FACTS,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self._name = name
        self._path = path
        self._formats = formats
        self._batch_facts = batch_facts
        self._batch_bytes = batch_bytes

    @property
    def name(self) -> str:
        """See `Source`."""
        return self._name

    @property
    def kind(self) -> Literal["log"]:
        """See `Source`."""
        return "log"

    def read(self, poll: Poll) -> Iterator[Batch]:
        """See `Source`. The scope of a cursor is a log; one `end`, in the last batch, speaks of all netblocks.

        Raises:
            SourceError: a cursor is none that this version wrote.
        """
        known = {scope: identity.parse_position(text) for scope, text in poll.cursors.items()}
        tally = Tally(self._name, NetblockMap(poll.netblocks))
        tail = Tail(tally, self._batch_facts, self._batch_bytes)
        end = yield from _Reading(self._path, self._formats, tally=tally, tail=tail, known=known, now=poll.now).batches()
        yield tally.batch(poll.netblocks, end)

    def offset_of(self, position: str) -> int:
        """See `LookingBack`."""
        return identity.parse_position(position).offset

    def look_back(self, stretch: Stretch) -> Iterator[Batch]:
        """See `LookingBack`."""
        return look_back(self._path, self._formats, stretch)


class _Account:
    """How a poll goes: what could be looked into, and what went wrong."""

    def __init__(self) -> None:
        self.looked_into = 0
        self.faults: list[str] = []
        self.damages: list[str] = []
        self.old_damages: list[str] = []

    def end(self) -> End:
        """The outcome of all files together. Damage that was told before is a remark: the file will never be better."""
        if self.faults and not self.looked_into:
            return End(Outcome.FAILED, _listed(self.faults))
        if self.faults or self.damages:
            return End(Outcome.PARTIAL, _listed(self.faults + self.damages))
        return End(Outcome.COMPLETE, _listed(self.old_damages))


def _listed(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
    return "; ".join(texts[:_TOLD]) + more


class _Reading:
    """One poll: which file belongs to which log, and how far each log is read by now."""

    def __init__(
        self, path: str, formats: Formats, *, tally: Tally, tail: Tail, known: dict[str, Position], now: datetime
    ) -> None:
        self._path = path
        self._formats = formats
        self._tally = tally
        self._tail = tail
        self._before = known
        self._known = dict(known)
        self._now = now.timestamp()
        self._at_rest = int((now - AT_REST).timestamp() * 1_000_000_000)
        self._heads = identity.Heads()
        self._matched: dict[str, Found] = {}
        self._free: dict[str, Found] = {}
        self._gone: list[str] = []
        self._behind: set[str] = set()  # logs that this poll could not read to their end
        self._at_end: list[str] = []  # logs at rest, read to their end
        self._stands = {position.stand for position in known.values()}
        self._standing = {position.stand: scope for scope, position in known.items() if position.stand}
        self._account = _Account()

    def batches(self) -> Generator[Batch, None, End]:
        """First the logs that are where they were, then those that moved, then those that are new."""
        look = identity.look(self._path)
        if not look.files and not look.faults:
            return End(Outcome.FAILED, f"no file matches {self._path}")
        self._account.faults += look.faults
        self._matched = {file.inode: file for file in look.files}
        self._free = dict(self._matched)
        self._stands |= {file.path for file in look.files}
        moved = []
        for scope, position in self._before.items():
            file = self._free.get(position.inode)
            if file is not None and (yield from self._go_on(file, scope)):
                del self._free[file.inode]
            else:
                moved.append(scope)
        for scope in moved:
            yield from self._find_again(scope)
        for file in sorted(self._free.values(), key=self._age):
            yield from self._take_up(file)
        for scope in self._at_end:
            self._finish(scope)
        self._forget_gone()
        return self._account.end()

    # -- which file belongs to which log -------------------------------------------------------------------------------

    def _age(self, file: Found) -> tuple[int, bool, str]:
        """Sorts the oldest first; of two as old as each other, the one that was rotated."""
        return file.changed, identity.stand_of(file.path, self._stands) == file.path, file.path

    def _go_on(self, file: Found, scope: str) -> Generator[Batch, None, bool]:
        """Read on in the file on the inode of a log; False when another log is on it now."""
        position = self._known[scope]
        if position.rest == file.stamp:
            self._pass_by(file, scope)
            return True
        if not position.offset and not position.rest:
            yield from self._begin(file, scope)
            return True
        try:
            kinship = identity.kinship(file, position)
        except SourceError as err:
            self._account.faults.append(str(err))
            return True
        if kinship is Kinship.SAME:
            yield from self._read(file, scope, position)
        # A plain file that became shorter was truncated; a compressed one is being written once more.
        return kinship is Kinship.SAME or (kinship is Kinship.SHORT and position.rest != "")

    def _pass_by(self, file: Found, scope: str) -> None:
        """A compressed file that was read to its end and not touched since: there is nothing new in it."""
        position = self._known[scope]
        self._account.looked_into += 1
        if position.damage:
            self._account.old_damages.append(position.damage)
        self._keep(scope, replace(position, path=self._place(file, position)))

    def _find_again(self, scope: str) -> Generator[Batch, None, None]:
        """Look for a log by its text: among the files that belong to none yet, then in the folder where it was."""
        position, copying = self._known[scope], False
        for file in self._candidates(position):
            kinship = self._kinship_at_a_glance(file, position)
            copying = copying or kinship is Kinship.SHORT
            if kinship is Kinship.SAME:
                self._free.pop(file.inode, None)
                yield from self._read(file, scope, position)
                if file.inode not in self._matched and file.changed <= self._at_rest:
                    self._gone.append(scope)
                return
        if copying:
            self._behind.add(scope)
        else:
            self._gone.append(scope)

    def _candidates(self, position: Position) -> Iterator[Found]:
        # On its own inode is another log by now, see `_go_on`.
        free = [file for file in self._free.values() if file.inode != position.inode]
        yield from sorted(free, key=lambda file: (file.path != position.path, file.path))
        besides = [file for file in identity.beside(position.path).files if file.inode not in self._matched]
        if any((file.path, file.inode) == (position.path, position.inode) for file in besides):
            return  # still at its place, which the glob does not match any more: it is not to be read
        yield from sorted(besides, key=lambda file: (file.inode != position.inode, file.path))

    def _take_up(self, file: Found) -> Generator[Batch, None, None]:
        """Read a file that belongs to no log yet: a copy from where its log was read to, a new log from its beginning."""
        for scope, position in self._known.items():
            if position.inode == file.inode:
                continue
            kinship = self._kinship_at_a_glance(file, position)
            if kinship is Kinship.SAME:
                yield from self._read(file, scope, position, copy=True)
            if kinship is not Kinship.OTHER:
                return  # a copy that is still short of what was read waits until it is not
        scope = f"{Path(file.path).name}@{file.inode}"
        while scope in self._known:
            scope += "+"
        yield from self._begin(file, scope)

    def _kinship_at_a_glance(self, file: Found, position: Position) -> Kinship:
        """For one of many: what cannot be read is kin to nothing, and told when it is to be read for itself."""
        try:
            return identity.kinship(file, position) if self._heads.may_be(file, position) else Kinship.OTHER
        except SourceError:
            return Kinship.OTHER

    # -- a new one -----------------------------------------------------------------------------------------------------

    def _begin(self, file: Found, scope: str) -> Generator[Batch, None, None]:
        """Read a new log from its beginning, as soon as its first line is there."""
        # A log that was truncated under its writer goes on without the header that it once had: that must not be forgotten.
        truncated = self._truncated(file, scope)
        former = self._known.get(truncated)
        try:
            named = self._named(file, former)
        except LogDamaged as err:
            # Not even a first line can be read. It is remembered, to spoil this poll and not every one.
            self._account.damages.append(str(err))
            self._keep(scope, replace(identity.nothing_of(file), rest=file.stamp, damage=str(err)))
            return
        except (SourceError, PluginError) as err:
            self._account.faults.append(str(err))
            return
        self._account.looked_into += 1
        name = named.name if named else former.format if former else ""
        start = replace(identity.nothing_of(file), format=name, stand=self._stand_of(file, scope))
        if former and former.format == name and not self._was_copied_since(truncated, scope, start):
            start = self._take_over(truncated, scope, start)
        elif named:
            start = self._go_on_after(scope, start)
        if named is None:
            self._keep(scope, start)
        else:
            yield from self._read(file, scope, start)

    # -- what waits for its end when a log is rotated ------------------------------------------------------------------

    def _truncated(self, file: Found, scope: str) -> str:
        """The log that was truncated to become this file; itself, when no more than its beginning is known."""
        if scope in self._before:
            return scope
        # At another place, it is an inode that was given away with a log that is no more.
        here = (file.inode, file.path)
        return next((scope for scope, position in self._before.items() if (position.inode, position.path) == here), "")

    def _was_copied_since(self, truncated: str, scope: str, start: Position) -> bool:
        """Whether a log was truncated more than once: what the copy before this text waits for is waited for here."""
        waits = isinstance(self._parser(start), Continuing)
        return waits and truncated != scope and self._standing.get(start.stand, "") not in {"", truncated}

    def _stand_of(self, file: Found, scope: str) -> str:
        if scope in self._known:
            return self._known[scope].stand  # it began in an earlier poll, and may have been renamed since
        return identity.stand_of(file.path, self._stands)

    def _take_over(self, giver: str, scope: str, start: Position) -> Position:
        """Know what the log knew that was truncated; what it waited for is waited for here alone from now on."""
        given = self._known[giver]
        start = replace(start, state=given.state)
        if giver != scope:
            waits = isinstance(self._parser(given), Waiting)
            self._keep(giver, replace(given, state="" if waits else given.state, stand=""))
            self._keep(scope, start)
            self._standing[start.stand] = scope
        return start

    def _go_on_after(self, scope: str, start: Position) -> Position:
        """Wait for what the log waited for that was written in this place before."""
        giver = self._standing.get(start.stand, "")
        given = self._known.get(giver)
        if not start.stand or (given is not None and self._is_at_its_stand(given)):
            return replace(start, stand="")
        self._standing[start.stand] = scope
        if given is None:
            return start
        start = replace(start, state=self._carried(giver, start.format))
        # In one batch: what waits must neither be lost by a death between the two nor be told by both.
        self._keep(giver, replace(given, state="" if start.state else given.state, stand=""))
        self._keep(scope, start)
        return start

    def _carried(self, giver: str, form: str) -> str:
        given = self._known[giver]
        parser = self._parser(given) if given.format == form and giver not in self._behind else None
        return carry(parser) if parser else ""

    def _is_at_its_stand(self, position: Position) -> bool:
        file = self._matched.get(position.inode)
        return file is not None and file.path == position.stand

    def _parser(self, position: Position) -> LogParser | None:
        try:
            return self._formats.by_name(position.format).format.parser(position.state)
        except (SourceError, PluginError):
            return None  # told where it is to be read

    # -- reading it ----------------------------------------------------------------------------------------------------

    def _named(self, file: Found, former: Position | None) -> NamedFormat | None:
        """The format of a new log; None while not even its first line is there, or what shows its frames."""
        log = identity.open_found(file)
        if log is None:
            return None
        with log:
            head, _ = peek(log.blocks())
            if not head:
                return None
            if b"\n" not in head and len(head) < HEAD and not self._is_whole(log, file):
                return self._formats.framed(head) if head.startswith(b"\0") else None  # frames need have no line end
        try:
            return self._formats.by_head(head)
        except SourceError as err:
            if former is None or not former.format:
                raise SourceError(f"{file.path}: {err}", permanent=True) from err
            return self._formats.by_name(former.format)

    def _read(self, file: Found, scope: str, position: Position, *, copy: bool = False) -> Generator[Batch, None, None]:
        """Read a log on from a position, and keep where that leads."""
        try:
            named = self._formats.by_name(position.format)
            state = position.state if named.name == position.format else ""
            parser = named.format.parser(state)
            log = identity.open_found(file)
        except (SourceError, PluginError) as err:
            self._account.faults.append(str(err))
            return
        if log is None:
            return  # replaced at this moment: the next poll sees what by
        start = replace(position, path=self._place(file, position), inode=file.inode, format=named.name, state=state)
        with log:
            whole, rest = self._is_whole(log, file), file.stamp if log.compression else ""
            reached, broken = yield from self._tail.read(log, scope, start, named.format, parser, whole=whole)
            quiet = self._now - log.status().st_mtime  # as it is by now: what was written meanwhile is not read yet
        self._account.looked_into += 1
        if broken is not None:
            self._behind.add(scope)
        if copy and reached.offset == position.offset:
            return
        if broken is None and self._is_at_its_stand(reached):
            self._tail.settle(parser, quiet)
            reached = replace(reached, state=parser.state())
        if whole and (broken is None or isinstance(broken, LogDamaged)):
            self._at_end.append(scope)
        if isinstance(broken, LogDamaged):
            self._account.damages.append(str(broken))
        elif broken is not None:
            self._account.faults.append(str(broken))
            rest = ""
        self._keep(scope, replace(reached, rest=rest, damage=str(broken or "")))

    def _finish(self, scope: str) -> None:
        """Take what a log still waits for: it is at rest or gone, and none goes on after it."""
        position = self._known[scope]
        parser = self._parser(position) if position.state else None
        if parser is not None:
            self._tail.finish(parser)
            self._keep(scope, replace(position, state=parser.state()))

    def _is_whole(self, log: LogFile, file: Found) -> bool:
        return log.compression != "" or file.changed <= self._at_rest

    def _place(self, file: Found, position: Position) -> str:
        return file.path if file.inode in self._matched else position.path

    def _is_quiet(self) -> bool:
        """Whether all files are still where they were seen: while logs are renamed in a row, a look may miss one of them."""
        now = {file.inode: file.path for file in identity.look(self._path).files}
        return now == {inode: file.path for inode, file in self._matched.items()}

    def _keep(self, scope: str, position: Position) -> None:
        """Move a cursor, if it moves at all and has anything to remember."""
        self._known[scope] = position
        if (position.offset or position.rest or position.state) and position != self._before.get(scope):
            self._tally.move(scope, position.text())

    def _forget_gone(self) -> None:
        """Remove the cursors of logs that are no more; not while something may hide what is there."""
        if self._account.faults or not self._gone or not self._is_quiet():
            return
        for scope in self._gone:
            if not identity.is_mount_without_its_disk(str(Path(self._known[scope].path).parent)):
                self._finish(scope)
                self._tally.move(scope, "")
