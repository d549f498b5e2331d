"""The TAXII 2.1 server (OASIS standard, 10 June 2021), read side: what partners poll.

`app` answers requests, `query` reads filters, `tokens` makes and checks `next`, `answers` writes resources, `media` knows
the media types, `port` says what is handed in. It reads published rows from the history; it writes nothing there and
cannot reach a source.
"""
