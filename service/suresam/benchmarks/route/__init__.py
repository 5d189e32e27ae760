"""What routing does on a running service: who answers, how late, how well and at what cost.

`scenes` makes pictures whose clicks have a known meaning, `run` offers the load of
`benchmarks.serve` once in mode small and once in mode auto, little of it and more than the service
can do, `clicks` takes in what came back, `delivered` adds it up, `report` and `plot` tell it.
`overhead` times one cached click that is not escalated in both modes. The command is `suresam bench
route`.
"""
