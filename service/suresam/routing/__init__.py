"""From a request to the member that answers it, and back to encoded masks.

`router` asks the small member; in auto mode `escalation` lets `judge` decide (`policy` about each
answer, `budget` about all of them), asks larger members, and `matching` keeps their masks in the
order that a caller has seen. What was decided goes to a `decision_log`, from which `judge` can do
it again. Judge, policy, budget and matching know neither clock nor engine. `shadow` finds
out what the large member would have gained where nobody was escalated.
"""
