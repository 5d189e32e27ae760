"""Load on a running server, as people make it, and what it makes of that.

`visits` plans everything that visitors will do before the first request is sent (`arrivals` has
the times), so a slow server meets the same load as a quick one and its queue counts as latency.
`visitor` carries a visit out and `people` click without a pause; both speak through `target`
(`rest_server` on `http`, or `grpc_clicks`) and note `exchange`s in a `phase_log`. `load_test`
runs phases, `sweep` and `overload` choose them, `measurements`, `recovery` and `server_metrics`
add them up, and `report` and `plot` tell. The command is `suresam bench serve`.

One process with one event loop sends everything: several would share a load better than one core
could make it, but a plan, a clock and a lag that one can trust are worth more here, and the lag
says when it was not enough.
"""
