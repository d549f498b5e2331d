"""What the HTTP process of the tests serves: the TAXII server alone, over a state that a test made."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from feedsvc.config import Http
from feedsvc.history import open_history
from feedsvc.taxii import media
from feedsvc.taxii.app import PREFIX, TaxiiApp
from feedsvc.taxii.tokens import keep_key
from feedsvc.web.access import Access
from feedsvc.web.app import build_app
from feedsvc.web.exports import ExportsApp
from feedsvc.web.front import Front, Mount
from feedsvc.web.metrics import Told
from tests.taxii.house import CALLBACKS, OTHER, PRODUCER, SPARE


def serve(state: str, page_limit: str) -> Front:
    with closing(open_history(Path(state))) as history, history.transaction():
        key = keep_key(history)
    access = Access(Path(state))
    taxii = TaxiiApp(
        access=access,
        collections=(CALLBACKS, OTHER, *SPARE),
        producer=PRODUCER,
        http=Http(page_limit=int(page_limit)),
        key=key,
    )
    lists = ExportsApp(folder=Path(state).parent, lists=(), access=access)
    return build_app(access=access, taxii=Mount(PREFIX, taxii, media.TAXII), lists=lists, told=Told())
