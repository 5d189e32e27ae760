"""Fitting what a family's scores are worth in IoU, and judging such a calibration.

`masks` lays out the observed masks of a member with their scores and truths, `fitting` makes a
calibration of them, `judging` measures one on other pictures, `run` goes from a data set to a file.
"""
