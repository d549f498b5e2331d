"""`feedsvc.toml` and the environment, read into frozen settings; every fault of the file at once, with its line.

Knows nothing of plug-ins: what a source or an export says beyond the common keys is kept as `options` for the plug-in's own
`Options`, together with the lines where it stands, so that the assembly can report faults at the right place. Secrets come
from the environment or from files, are read at `load`, and print as stars.

`settings` holds the values and `reading` fills them; `toml`, `nodes` and `shapes` are what reading needs, and rules are
read by the same shapes.
"""

from __future__ import annotations

from feedsvc.config.reading import examine, load
from feedsvc.config.settings import (
    CollectionSettings,
    ExportSettings,
    Http,
    Limits,
    ListenPlace,
    Place,
    Producer,
    Secret,
    Settings,
    SourceSettings,
)

__all__ = [
    "CollectionSettings",
    "ExportSettings",
    "Http",
    "Limits",
    "ListenPlace",
    "Place",
    "Producer",
    "Secret",
    "Settings",
    "SourceSettings",
    "examine",
    "load",
]
