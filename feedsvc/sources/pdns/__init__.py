"""Passive DNS providers, one a module: `provider = "dnsdb"` in a `[[source]]` loads `dnsdb.py` of this folder.

A module here, or one behind an entry point of the group `feedsvc.pdns`, has

    a docstring   its manual page: whether it answers netblocks or single addresses, what it filters by time, which of first
                  and last seen it gives, its cap and how a cut answer shows, what a /24 costs
    Options       a frozen dataclass of its own settings, each with a line under `Attributes:` and a default
    build         build(settings: config.SourceSettings, options: Options, http: http.Client, now: Clock) -> Provider

`build` asks nobody. It raises `plugins.OptionFaults` with one message for each setting at fault, by its key in the file;
`feedsvc.sources.access` reads the address and the secrets that way. The provider it returns is `sources.port.Provider`:
`ask(question)` yields batches and never raises for what the other side does. It may have an attribute `overlap`
(timedelta): how late its data may come, taken off the since-mark when the settings name no overlap of their own.

What a provider may rely on: `http.get` is polite and raises `HttpError` only; `cof.Rows` counts what it cannot read;
`endings.after_fault` turns an error into the right end; `per_address.ask_each` asks where there are no netblocks. What it
must keep to: it never asks in a way that makes the other side resolve or contact a name (design §6.11), and calls an answer
`complete` only when that is proven.
"""
