"""How good a model's masks are, beside baselines that know nothing.

`targets` chooses what is asked of a data set, `questions` asks it of a `predictor` in every way,
`measuring` keeps everybody's scores, `figures` makes means with intervals of them, and `run`,
`table` and `files` report. The command is `suresam evaluate segmenter`; training calls `run` too.

What is said of masks is judged in packages of their own: `observations` asks a family every kind
of prompt and keeps the answers; `usam`, `calibration` and `advice` read them, each behind the
command of its name.
"""
