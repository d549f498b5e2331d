"""What is built from settings, when several processes begin at once on a new state."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
