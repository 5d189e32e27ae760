"""Training UncertainSAM heads for a family.

`fitting` teaches them together, `report` tells how well they do on pictures that were held out,
`run` goes the way from a data set to a head file. A mask is judged by the token that made it, and
every mask by its own tokens: nothing here knows which one is best.
"""
