"""What routing buys: accuracy against cost when a policy chooses who is asked again.

`cases` reads what every member answered and what the service expected of the larger ones, `ways`
orders the requests as a policy would escalate them, `figures` makes the figures with their
intervals, `operating` tells who answers at given thresholds, `table` and `plot` show them, `run`
goes from a data set to files.

The x of all curves is what escalating spends, as a share of asking the last member about every
request. In a family of two it is the share of the requests that are escalated. An escalated request
has paid the small member too; who draws lots beforehand has not, which is why that line is told
apart.
"""
