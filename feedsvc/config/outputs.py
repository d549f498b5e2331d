"""`[[collection]]` and `[[export]]`; what an export says beyond the common keys is kept as options of the plug-in."""

from __future__ import annotations

from typing import Any

from feedsvc.config.nodes import Node
from feedsvc.config.settings import CollectionSettings, ExportSettings, Place
from feedsvc.config.shapes import Key, Shape, choice, flag, gather, many, schema_of, text, whole
from feedsvc.config.values import ALIAS, FILE_NAME, SAFE_NAME, TLP, UUID4, WATCH

_WATCHES = Key(many(WATCH, fewest=1, distinct=("",)), 'ids of the rules whose findings go in; "*" for all')
_MAX_TLP = Key(TLP, "the strictest marking that goes in")

_COLLECTION = {
    "alias": Key(ALIAS, "what it is called in URLs", needed=True),
    "id": Key(UUID4, "its id; made once and kept in the state when absent"),
    "title": Key(text(empty=True), "what readers of the feed see"),
    "description": Key(text(4000, empty=True, lines=True), "what readers of the feed see"),
    "watches": _WATCHES,
    "content": Key(choice(("indicators",), later=("graph",)), "which objects go in"),
    "max_tlp": _MAX_TLP,
}

_EXPORT = {
    "name": Key(FILE_NAME, "the file's name", needed=True),
    "format": Key(SAFE_NAME, "the plug-in that writes it; `feedsvc plugins blocklists` lists them", needed=True),
    "public": Key(flag(), "whether it is served to everyone, without a token"),
    "watches": _WATCHES,
    "max_tlp": _MAX_TLP,
    "min_confidence": Key(whole(0, 100), "names of less confidence stay out"),
}


def _collection(node: Node) -> CollectionSettings:
    values, faults = gather(node, _COLLECTION)
    faults.check()
    return CollectionSettings(**values, place=Place.of(node))


def _export(node: Node) -> ExportSettings:
    values, faults = gather(node.only(_EXPORT), _EXPORT)
    faults.check()
    options: dict[str, Any] = {key: child.plain() for key, child in node.without(_EXPORT).children()}
    return ExportSettings(**values, options=options, place=Place.of(node))


COLLECTION = Shape("a table", _collection, schema_of(_COLLECTION))
EXPORT = Shape("a table", _export, schema_of(_EXPORT))
