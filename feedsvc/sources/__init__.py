"""Where observations come from: passive DNS providers that are asked, and logs that are followed.

`port` says what each promises. `polling` joins a provider with its since-marks to a source that the pipeline reads;
`cof` reads the rows that most providers speak; `per_address` asks one address after another where a provider knows no
netblocks. `pdns/` and `logs/` hold one plug-in a file.
"""
