"""Passive DNS providers, one a module: `provider = "dnsdb"` in a `[[source]]` loads `dnsdb.py` of this folder.

A module here, or one behind an entry point of the group `feedsvc.pdns`, has

    a docstring   its manual page: whether it answers netblocks or single addresses, what it filters by time, which of first
                  and last seen it gives, its cap and how a cut answer shows, what a /24 costs, how far its terms let what it
                  says be passed on, and which of all this was not verified
    Options       a frozen dataclass of its own settings, each with a line under `Attributes:` and a default
    build         build(settings: config.SourceSettings, options: Options, now: Clock) -> Provider

`build` asks nobody. It raises `plugins.OptionFaults` with one message for each setting at fault, by its key in the file;
`feedsvc.sources.access` reads the address and the secrets that way. The provider it returns is `sources.port.Provider`:
it writes a question as a request and reads the answer, and never sends anything itself. Which questions, in which order, how
many at once, which again, and what they may cost is decided by the planner, from the provider's `traits` and its replies.

What a provider may rely on: `http` raises `HttpError` only, and follows no redirect to another host; `cof.Rows` reads COF by
`read` and rows of any other shape by `take`, checks each against the netblock and counts what it cannot use; `bodies` takes
answers apart that are one JSON value, and lets none grow beyond measure; `Rows.end` knows of a server that broke off its
rows, or said in their document (`Rows.framed`) that something is wrong (`complaints`); `pages` sees when pages lead in a
circle or come again; `times` reads moments; an error that leaves `read` becomes the right end by itself. What it must keep
to: it never asks in a way that makes the other side resolve or contact a name (design §6.11), it calls an answer `complete`
only when that is proven, shows nothing of an answer but through `answer.shown`, hands `answer.discretion` to its `Rows`, and
keeps no page of which `answer.holds_secret` says so.
"""
