"""Whether following the service's advice pays.

`cases` reads what was advised for every observed answer and what each action would have gained,
`figures` makes the figures with their intervals, `plot` draws them, `run` goes from a data set to
files.
"""
