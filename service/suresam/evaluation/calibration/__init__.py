"""Fitting what a family's scores are worth in IoU, and judging such a calibration.

`masks` lays out the observed masks of a member with their scores and truths, `fitting` makes a
calibration of them, `run` goes from a data set to a file.

`statements` are what a calibration says of masks, `judging` measures them on other pictures, with
`risk_coverage` and `reliability` behind its figures and its `curves`; `evaluating` goes from a data
set to a report, `shared_pictures` sees to it that nothing is judged on what it was fitted on, and
`table`, `plot` and `files` show what was found.
"""
