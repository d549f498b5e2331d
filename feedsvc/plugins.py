"""Plug-ins: a plug-in is a module in a folder, its name the file's name.

Four kinds, each a folder here and an entry point group for packages of others: `pdns` (providers), `logs` (formats),
`blocklists` (formats), `notices` (channels). A plug-in module has

    a docstring           its manual page; the first line is its summary
    Options               a frozen dataclass: its settings, each with a docstring line under `Attributes:`
    build(...)            returns the port that its folder's docstring describes

Nothing is registered and nothing is scanned at import: a module is loaded when its name is asked for. This module knows
the kinds, not the ports.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from feedsvc.errors import PluginError

if TYPE_CHECKING:
    from pydantic import ValidationError

Kind = Literal["pdns", "logs", "blocklists", "notices"]

FOLDERS: Mapping[Kind, str] = {
    "pdns": "feedsvc.sources.pdns",
    "logs": "feedsvc.sources.logs",
    "blocklists": "feedsvc.publish.blocklists",
    "notices": "feedsvc.publish.notices",
}


def _module_name(name: str) -> str:
    return name.replace("-", "_")


def _own(of: Kind) -> list[str]:
    try:
        folder = importlib.import_module(FOLDERS[of])
    except ModuleNotFoundError:
        return []
    return [
        module.name.replace("_", "-") for module in pkgutil.iter_modules(folder.__path__) if not module.name.startswith("_")
    ]


def _foreign(of: Kind) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"feedsvc.{of}")}


def names(of: Kind) -> list[str]:
    """Every plug-in of a kind, ours and those of installed packages, sorted."""
    return sorted({*_own(of), *_foreign(of)})


def load(of: Kind, name: str) -> ModuleType:
    """The module of a plug-in; ours comes before a foreign one of the same name.

    Raises:
        PluginError: there is none of that name (the message lists those there are), it fails on import, or it lacks a
            part of the contract.
    """
    module = _import(of, name)
    lacking = [part for part in ("Options", "build") if not hasattr(module, part)]
    if not inspect.getdoc(module):
        lacking.append("a docstring")
    if lacking:
        raise PluginError(f"{of} plug-in {name!r} lacks {' and '.join(lacking)}")
    return module


def _import(of: Kind, name: str) -> ModuleType:
    try:
        if name in _own(of):
            return importlib.import_module(f"{FOLDERS[of]}.{_module_name(name)}")
        point = _foreign(of).get(name)
        if point is not None:
            return importlib.import_module(point.module)
    except (ImportError, SyntaxError) as err:
        raise PluginError(f"{of} plug-in {name!r} fails on import: {err}") from err
    raise PluginError(f"no {of} plug-in {name!r}; there are: {', '.join(names(of)) or 'none'}")


def read_options(module: ModuleType, settings: Mapping[str, object]) -> Any:  # noqa: ANN401 - the plug-in's own type
    """Settings as the plug-in's frozen `Options`.

    Raises:
        OptionFaults: with one message for each setting that is unknown, missing or of the wrong kind.
    """
    # Imported here: a plug-in without settings is to be had without the 100 ms that pydantic takes.
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    known = {field.name for field in dataclasses.fields(module.Options)}
    unknown = {key: f"unknown key {key!r}; known: {', '.join(sorted(known))}" for key in settings if key not in known}
    try:
        options = TypeAdapter(module.Options).validate_python({k: v for k, v in settings.items() if k in known})
    except ValidationError as err:
        raise OptionFaults(unknown | _option_messages(err)) from err
    if unknown:
        raise OptionFaults(unknown)
    return options


class OptionFaults(PluginError):
    """Faults of a plug-in's settings.

    Attributes:
        messages: for each key at fault, what is wrong and what to do.
    """

    def __init__(self, messages: Mapping[str, str]) -> None:
        self.messages = dict(messages)
        super().__init__("; ".join(self.messages.values()))


def _option_messages(err: ValidationError) -> dict[str, str]:
    found: dict[str, str] = {}
    for fault in err.errors(include_url=False):
        key = str(fault["loc"][0]) if fault["loc"] else ""
        found.setdefault(key, f"{key}: {fault['msg'].lower()}")
    return found


def kind(text: str) -> Kind:
    """A kind by its name.

    Raises:
        PluginError: there is no such kind; the message lists them.
    """
    found = next((one for one in FOLDERS if one == text), None)
    if found is None:
        raise PluginError(f"no kind of plug-in {text!r}; there are: {', '.join(FOLDERS)}")
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Overview:
    """One plug-in in a listing; one that cannot be loaded says so in its summary."""

    kind: Kind
    name: str
    summary: str


def overview(only: str = "") -> list[Overview]:
    """Every plug-in of a kind, or of all, with the first line of its manual page."""
    kinds = [kind(only)] if only else list(FOLDERS)
    return [Overview(one, name, _summary_or_fault(one, name)) for one in kinds for name in names(one)]


def _summary_or_fault(of: Kind, name: str) -> str:
    try:
        return summary(load(of, name))
    except PluginError as err:
        return f"cannot be used: {err}"


def summary(module: ModuleType) -> str:
    """First line of a plug-in's manual page."""
    return (inspect.getdoc(module) or "").partition("\n")[0]


def manual(module: ModuleType) -> str:
    """A plug-in's manual page: its docstring, then its settings."""
    return f"{inspect.getdoc(module)}\n\nSettings\n{inspect.getdoc(module.Options)}\n"
