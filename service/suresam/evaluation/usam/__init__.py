"""The tables of the UncertainSAM poster, from observations of a family and its heads.

`cases` says for every click what the cheap and the expensive answer were and what each measure
said beforehand, `tables` how well the measures find the cases worth paying for, `correlations`
how they hang together, `comparison` what heads of several files find, `run` goes from a data set
to a report. Each table is given twice: as a service can know it, which takes the mask of highest
predicted IoU, and as upstream measured, with the mask that turned out best.
"""
