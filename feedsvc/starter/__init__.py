"""What `feedsvc init` writes: a starter configuration and the rule of the case this service was built for.

Data, and no code: `feedsvc.cli.starting` copies it.
"""
