"""`feedsvc init`: the starter files, copied where nothing stands yet."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

EXPORTS_NOTE = "Block lists are written here by feedsvc; see docs/blocklists.md for how each product imports them.\n"


def start(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Write each starter file that is not there; yields every path and whether it was written.

    Raises:
        OSError: the folder cannot be written.
    """
    starter = files("feedsvc.starter")
    schema = files("feedsvc.watches") / "rule.schema.json"
    contents = {
        folder / "feedsvc.toml": (starter / "feedsvc.toml").read_text(encoding="utf-8"),
        folder / "rules" / "jar-callbacks.yaml": _beside_schema(
            (starter / "jar-callbacks.yaml").read_text(encoding="utf-8")
        ),
        folder / "rules" / "rule.schema.json": schema.read_text(encoding="utf-8"),
        folder / "exports" / "README.md": EXPORTS_NOTE,
    }
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path, _write_new(path, text)


def _write_new(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _beside_schema(rule: str) -> str:
    """The rule with its schema in its own folder, where `init` puts it."""
    lines = [
        "# yaml-language-server: $schema=rule.schema.json" if line.startswith("# yaml-language-server:") else line
        for line in rule.splitlines()
    ]
    return "\n".join(lines) + "\n"
