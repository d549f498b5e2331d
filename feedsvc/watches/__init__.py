"""Watches: rules read from YAML (`rules`), and which observations they ask for (`match`).

`text` reads YAML into values that know their lines, `patterns` knows what may stand in the `names` of a rule, `references`
finds watches that the configuration names and no rule has.
"""
