"""Every error that feedsvc raises on purpose.

    FeedsvcError
    ├── UsageError            what was asked for cannot be done as asked (exit code 2)
    │   ├── ConfigError       faults of configuration and rules, all of them at once
    │   └── PluginError       no such plug-in, or it broke while it was loaded
    ├── NameRefused           a text is no domain name, address or netblock
    ├── SourceError           a provider or log could not be read; permanent or transient
    ├── HistoryError          the state cannot be used as it is
    │   ├── ForeignState      the file belongs to another program or a newer feedsvc
    │   └── Busy              another process holds what was claimed
    └── PublishError          an output could not be written; the last good one is still there

Messages say what, where and what to do; they are lower case and end without a full stop. This module imports nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


class FeedsvcError(Exception):
    """The root: whatever else escapes is a bug."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault of one file: `file:line: message`. Line 0 speaks of the file as a whole."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class UsageError(FeedsvcError):
    """What was asked for cannot be done as asked; the message says what to ask instead."""


class ConfigError(UsageError):
    """Faults of configuration and rules, every one of every file.

    Attributes:
        faults: at least one, sorted by file and line.
    """

    def __init__(self, faults: list[Fault] | tuple[Fault, ...]) -> None:
        self.faults: tuple[Fault, ...] = tuple(sorted(faults))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class NameRefused(FeedsvcError):
    """A text is no domain name, address or netblock; the message is the reason alone, without the text."""


class PluginError(UsageError):
    """A plug-in is unknown, or broke while it was loaded."""


class SourceError(FeedsvcError):
    """A source could not be read.

    Attributes:
        permanent: asking again without a change by a person is pointless (a bad key, a missing file).
        retry_after: seconds the other side asked us to stay away, if it did.
    """

    def __init__(self, message: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after


class HistoryError(FeedsvcError):
    """The state cannot be used as it is."""


class ForeignState(HistoryError):
    """The state file belongs to another program, or to a newer feedsvc than this one."""


class Busy(HistoryError):
    """Another process holds what was claimed."""


class PublishError(FeedsvcError):
    """An output could not be written; what was there before is still there, whole."""
