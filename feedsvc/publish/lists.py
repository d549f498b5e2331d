"""The list writer: each block list file is replaced as a whole, when it changes, after it was read back.

    listed names ──▶ name set ──▶ guards ──▶ render ──▶ read back ──▶ temporary file, fsync ──▶ rename ──▶ fsync folder

The file is the truth of what readers have; the `ExportState` that comes back is a report of it. A file whose content would
not change is not touched. A process that dies anywhere leaves the old file or the new one, whole, and the next call goes on
from there without a needless change. One process writes at a time: call `write_exports` inside a claim of history.

The serial is the time of the change in seconds, at least one more than before; it is the file's modification time too, so
that Last-Modified is the time of the change, and formats that show no serial have one.

Knows no history, no settings and no reader. What may leave a list at once is decided in `guards`, what is a list's set of
names in `namesets`, what its bytes are by its format.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from feedsvc.clock import from_epoch
from feedsvc.errors import PublishError
from feedsvc.model import ExportState, ListedName, Refused, Tlp
from feedsvc.publish import guards, index, namesets
from feedsvc.publish.disk import Disk, File
from feedsvc.publish.guards import LastGood
from feedsvc.publish.index import IndexLine
from feedsvc.publish.namesets import NameSet
from feedsvc.publish.port import BlockListFormat, ListMeta

TEMPORARY = ".feedsvc-new"
"""What ends the name of a file that is being written; it begins with a dot."""

MAX_SERIAL = 2**32 - 1  # RFC 1035 §3.3.13

RESERVED = frozenset({index.NAME, "README.md"})
"""Files of the exports folder that are no list."""

_DISK = Disk()


@dataclass(frozen=True, slots=True)
class Order:
    """One list to write.

    Attributes:
        name: of the file.
        format_name: as configured; `format` is the same, ready to render.
        listed: what stands on it, from history.
        authorised: names that a person took out (revoked, rejected or held by one), for the guards.
        accept_shrink: a person has looked: the guards let everything pass this time.
        previous: what was reported of it last; used when the file is gone or unreadable.
    """

    name: str
    format_name: str
    format: BlockListFormat
    listed: Iterable[ListedName]
    authorised: AbstractSet[str] = frozenset()
    accept_shrink: bool = False
    previous: ExportState | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """How a list stands now.

    Attributes:
        state: to store; `held` says why the next content was not written, by a guard or by a fault, and what to do.
        changed: whether the file was replaced; a held list may have been, when a person took names out of it.
        left_out: names that the gate or the format refused, counted by reason.
    """

    state: ExportState
    changed: bool
    left_out: tuple[Refused, ...] = ()


def write_exports(
    folder: Path,
    orders: Sequence[Order],
    now: datetime,
    *,
    producer: str = "feedsvc",
    shrink: float = 0.2,
    others: AbstractSet[str] = frozenset(),
    disk: Disk = _DISK,
) -> tuple[Written, ...]:
    """Bring these lists, and the index of the folder, up to date.

    A list that cannot be written (a full disk, a format that does not read back what it wrote) is reported as held and
    stops no other list.

    Args:
        folder: made when it is not there.
        shrink: `limits.shrink`.
        others: names of the configured lists that are not among the orders: their lines stay in the index.

    Returns:
        How each order's list stands, in their order.

    Raises:
        PublishError: two orders of one name or a name that is no plain file name; the folder or its index cannot be
            written. Lists renamed before that stay, and the next call finds them so.
    """
    _check_names([order.name for order in orders])
    writer = _Writer(folder, now, producer, shrink, disk)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writer.sweep()
        pairs = [writer.write(order) for order in orders]
        writer.write_index([line for _, line in pairs if line], others)
    except OSError as err:
        raise PublishError(f"exports folder {folder}: {err.strerror or err}; the lists there are whole") from err
    return tuple(written for written, _ in pairs)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        plain = name and name.isprintable() and not name.startswith(".") and Path(name).name == name
        if not plain or name in RESERVED:
            raise PublishError(f"export {name!r}: not a name for a file in the exports folder; choose another")
        if names.count(name) > 1:
            raise PublishError(f"export {name!r} is configured twice; a file can hold one list")


@dataclass(frozen=True, slots=True)
class _Writer:
    folder: Path
    now: datetime
    producer: str
    shrink: float
    disk: Disk

    def sweep(self) -> None:
        """Remove what a killed run left."""
        for name in self.disk.names(self.folder):
            if name.startswith(".") and name.endswith(TEMPORARY):
                self.disk.remove(self.folder / name)

    def write(self, order: Order) -> tuple[Written, IndexLine | None]:
        """Write a list if it changes; its line of the index is None when there is no file that can be read."""
        try:
            return self._write(order)
        except (OSError, PublishError) as err:
            fault = (err.strerror if isinstance(err, OSError) else None) or str(err)
            return self._as_it_is(order, f"it was not written: {fault}; the file there is the last good one")

    def _as_it_is(self, order: Order, held: str) -> tuple[Written, IndexLine | None]:
        try:
            file = self.disk.read(self.folder / order.name)
        except OSError:
            file = None
        return _report(order, file, _last_good(order, file), Written(_no_news(order, held), changed=False))

    def _write(self, order: Order) -> tuple[Written, IndexLine | None]:
        file = self.disk.read(self.folder / order.name)
        last = _last_good(order, file)
        wanted = namesets.build(order.format.names, order.listed, order.format.admits)
        change = guards.Replacement(last, wanted.names, order.format.names, order.authorised, self.shrink)
        why = "" if order.accept_shrink else guards.why_hold(change)
        held = f"{why}; if that is right: feedsvc export {order.name} --accept-shrink"
        rows = _rows_of_held(change, wanted) if why else wanted
        fresh = self._renew(order, file, last, rows) if rows is not None else None
        if rows is not None and fresh is not None:
            file, last = fresh, LastGood(rows.names, len(rows.listed), fresh.modified)
        written = Written(_no_news(order, held if why else ""), changed=fresh is not None, left_out=wanted.left_out)
        return _report(order, file, last, written)

    def _renew(self, order: Order, file: File | None, last: LastGood, rows: NameSet) -> File | None:
        """Put a new file in place; None when the one there is right."""
        if file is not None and last.names == rows.names and self._render(order, rows, last.serial) == file.body:
            return None
        # Above the remembered one too: the file may have come back from a backup, its readers have not.
        before = max(last.serial, order.previous.serial if order.previous else 0)
        serial = max(int(self.now.timestamp()), before + 1)
        if serial > MAX_SERIAL:
            raise PublishError(f"its serial {before} cannot rise any more")
        fresh = File(self._render(order, rows, serial), serial)
        _check(order, fresh, rows)
        self._put(order.name, fresh)
        return fresh

    def _render(self, order: Order, rows: NameSet, serial: int) -> bytes:
        meta = ListMeta(order.name, self.producer, serial, from_epoch(serial))
        return b"".join(order.format.render(rows.listed, meta))

    def _put(self, name: str, file: File) -> None:
        temporary = self.folder / f".{name}{TEMPORARY}"
        try:
            self.disk.write(temporary, file)
            self.disk.replace(temporary, self.folder / name)
        except OSError:
            self.disk.remove(temporary)
            raise
        self.disk.sync(self.folder)

    def write_index(self, lines: Sequence[IndexLine], others: AbstractSet[str]) -> None:
        """Last of all: the index never speaks of a file that is not there yet."""
        file = self.disk.read(self.folder / index.NAME)
        body = index.render(_suffix_list(), [*lines, *_lines_of(file, others)])
        if file is None or file.body != body:
            self._put(index.NAME, File(body, int(self.now.timestamp())))


def _last_good(order: Order, file: File | None) -> LastGood:
    previous = order.previous
    count, serial = (previous.count, previous.serial) if previous else (0, 0)
    if file is None:
        return LastGood(count=count, serial=serial)
    try:
        names, shown = order.format.read_back(file.body)
    except ValueError as err:
        return LastGood(count=count, serial=serial, fault=str(err))
    return LastGood(names=names, count=len(names), serial=shown or min(file.modified, MAX_SERIAL - 1))


def _rows_of_held(change: guards.Replacement, wanted: NameSet) -> NameSet | None:
    """What a held list is cut down to; None when it stays as it is."""
    names = guards.kept(change)
    if names is None or names == change.last.names:
        return None
    known = {one.name: one for one in wanted.listed}
    since = from_epoch(change.last.serial)
    rows = namesets.exact(known.get(name) or _carried_over(name, since) for name in names)
    # A name on the file that the gate refuses today would leave with the others: that needs the person who was asked.
    return rows if rows.names == names else None


def _carried_over(name: str, since: datetime) -> ListedName:
    return ListedName(name, watch="", confidence=0, first_seen=since, valid_until=None, tlp=Tlp.RED)


def _check(order: Order, fresh: File, rows: NameSet) -> None:
    try:
        names, serial = order.format.read_back(fresh.body)
    except ValueError as err:
        raise PublishError(f"format {order.format_name} cannot read back what it wrote: {err}") from err
    if names != rows.names or serial not in {0, fresh.modified}:
        raise PublishError(f"format {order.format_name} reads back other names or another serial than it wrote")


def _report(order: Order, file: File | None, last: LastGood, written: Written) -> tuple[Written, IndexLine | None]:
    """What was written with the state of the file there, and the file's line of the index."""
    if file is None or last.names is None:
        return written, None
    line = IndexLine(
        name=order.name,
        format=order.format_name,
        media_type=order.format.media_type,
        count=last.count,
        size=len(file.body),
        sha256=hashlib.sha256(file.body).hexdigest(),
        serial=last.serial,
        changed_at=from_epoch(last.serial),
    )
    state = ExportState(
        line.name, line.format, line.count, line.serial, line.sha256, line.changed_at, held=written.state.held
    )
    return dataclasses.replace(written, state=state), line


def _no_news(order: Order, held: str) -> ExportState:
    """What is known of a list without its file."""
    if order.previous is not None:
        return dataclasses.replace(order.previous, held=held)
    return ExportState(order.name, order.format_name, count=0, serial=0, sha256="", changed_at=from_epoch(0), held=held)


def _lines_of(file: File | None, names: AbstractSet[str]) -> list[IndexLine]:
    try:
        lines = index.read(file.body).lists if file else ()
    except ValueError:
        return []
    return [line for line in lines if line.name in names]


def _suffix_list() -> str:
    return f"publicsuffixlist {version('publicsuffixlist')}"
