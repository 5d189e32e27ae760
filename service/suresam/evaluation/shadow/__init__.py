"""Fitting the expected gain of the large member anew, to what shadow mode recorded.

`samples` reads a record and refuses what other models said, `refit` puts a new curve behind the
calibration's own, `judging` measures it on records that it was not fitted on, `report` and `plot`
show that, and `run` goes from files to a calibration.

What is fitted to is itself an estimate; `suresam.routing.shadow` tells of what.
"""
