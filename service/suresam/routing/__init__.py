"""From a request to the member that answers it, and back to encoded masks.

`router` asks the small member; in auto mode `escalation` lets `policy` decide about each answer and
`budget` about all of them, asks larger members, and `matching` keeps their masks in the order that
a caller has seen. Policy, budget and matching know neither clock nor engine. `shadow` finds out
what the large member would have gained where nobody was escalated.
"""
