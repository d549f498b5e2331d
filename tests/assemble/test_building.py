"""What is built from settings, when several processes begin at once on a new state."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from feedsvc.assemble import building
from feedsvc.config import load
from feedsvc.history import open_history
from tests.site import Site

AT_ONCE = 8


def test_all_that_begin_at_once_give_a_new_collection_one_number(tmp_path: Path) -> None:
    loaded = load(Site(tmp_path, zeek=True).write().file, {})
    open_history(loaded.state).close()
    begin = threading.Barrier(AT_ONCE)

    def number() -> str:
        history = open_history(loaded.state)
        begin.wait()
        try:
            [collection] = building.collections(loaded, history, keep=True)
        finally:
            history.close()
        return collection.id

    with ThreadPoolExecutor(AT_ONCE) as pool:
        numbers = [pool.submit(number) for _ in range(AT_ONCE)]
    assert len({one.result() for one in numbers}) == 1


@pytest.mark.parametrize("form", ["zeek", "auto", "no-such"])
def test_a_format_that_comes_over_no_socket_is_refused_where_it_stands(tmp_path: Path, form: str) -> None:
    site = Site(tmp_path, extra=f'[[source]]\nname = "a"\nkind = "log"\nlisten = "tcp:6000"\nformat = "{form}"\n').write()
    (fault,) = building.faults(load(site.file, {}))
    assert site.file.read_text().splitlines()[fault.line - 1] == f'format = "{form}"'
    assert ("comes over no socket" in fault.message) == (form != "no-such")


def test_a_log_that_is_sent_is_kept_beside_the_state(tmp_path: Path) -> None:
    extra = '[[source]]\nname = "a"\nkind = "log"\nlisten = "tcp:127.0.0.1:0"\nformat = "dnstap"\n'
    loaded = load(Site(tmp_path, extra=extra).write().file, {})
    (listener,) = building.listeners(loaded)
    with listener.start():
        assert sorted(path.name for path in (tmp_path / "var" / "feedsvc.db-spool" / "a").iterdir()) == [
            "current",
            "lock",
            "status",
        ]
