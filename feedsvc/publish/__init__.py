"""Publication: approved findings become STIX objects, block list files and the day's delta; and who may see which.

`stix` builds the objects of the feed. `namesets` and `blocklists` (one module a format) say what a list holds and how it is
written, `guards` what may leave one at once, `lists` writes the files through `disk` and `index` tells of them. `release`
decides who may see what. `delta` gathers what a span of time changed, `delta_text` prints it, and `shapes` holds the JSON
shapes that readers rely on. Nothing here reads history, reaches a source or opens a connection.
"""
