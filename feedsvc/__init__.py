"""feedsvc watches netblocks for new callback domains and publishes them.

First part, from outside in. `sources` asks passive DNS providers and follows logs; what they say becomes observations in
batches. `watches` reads the rules and tells which observations a watch asked for. `judge` decides, purely, what is new about
a name and what may be done with it. `history` keeps facts, findings, decisions and cursors, and is the only place with SQL.

Second part, from inside out. `publish` turns approved findings into STIX objects and block list files and decides who may
see what. `taxii` serves the feed as TAXII 2.1; `web` serves the files, health and metrics. Both see finished, immutable
things only and cannot reach a source.

What holds it together: `pipeline` runs once from end to end and is the only module that knows all stages; `schedule` is the
clock that calls it; `assemble` builds ready parts from settings; `cli` parses, calls, prints. `demo` is the whole on bundled
data, `starter` what a new installation begins with. Below all of it lie `model` (the values that stages exchange), `names`,
`clock`, `config`, `http`, `plugins` and `errors`.
"""
