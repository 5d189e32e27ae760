"""How far a mask can be trusted, why it may be wrong and what to do.

`entropy` needs no training. `heads` are UncertainSAM's, `head_info` says what a set of them is and
`head_reading` what their numbers mean for one model; `calibration` makes IoUs of them. `advice`
chooses an action by expected gains, `next_click` the place of a click.
"""
