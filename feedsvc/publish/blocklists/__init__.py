"""Block list formats, one module each; the module's name, with hyphens, is the `format` of an `[[export]]`.

To add one, write one module here (or in a package of your own, announced by an entry point of the group
`feedsvc.blocklists`, `rpz-netblock = "yourpackage.rpz_netblock"`). It has

    a docstring               the manual page: first line a summary; then which product reads the file, how its admin
                              imports it there, whether a name stands for itself alone or for all below it, what limits
                              the product has, and how fast a removal takes effect
    Options                   a frozen dataclass: the keys of the `[[export]]` that are the format's own, each with a
                              default that is safe
    build(options)            returns a `feedsvc.publish.port.BlockListFormat`

and keeps these promises:

- `render` is a pure function of its arguments: same rows and `ListMeta`, same bytes. No clock, no file, no network, no
  locale, no order of a set. Text is ASCII with LF line ends, names in the order they come.
- `render` draws its rows through `feedsvc.publish.namesets.checked`, so that no name which must not leave becomes a line
  even when a caller forgot the gate. Nothing from outside but a name goes into a line without being escaped for it.
- `read_back(render(rows, meta))` gives exactly the rows' names, and the serial, or 0 when the file shows neither `serial`
  nor `changed_at`. It is strict: what the product would read otherwise than we do raises `ValueError`. A change of the
  header in a later release must still read the files of earlier ones.
- `names` is `suffix` only when the product blocks everything below a listed name; then the rows come collapsed.
- `admits` says why a name, publishable in general, cannot stand in this format; the name is left out of this list alone,
  counted and shown.

A format never writes a file; `feedsvc.publish.lists` does, after reading back what was rendered.
"""
