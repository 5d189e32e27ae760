"""Training UncertainSAM heads for a family.

`split` says which pictures are for what, `fitting` teaches the heads together, `search` tries how
they are best taught (`proposals` of what to try come from Optuna), `report` tells how well they do
on pictures that were held out, `run` goes the way from a data set to a head file. A mask is judged
by the token that made it, and every mask by its own tokens: nothing here knows which one is best.
"""
