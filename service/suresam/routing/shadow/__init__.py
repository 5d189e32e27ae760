"""Shadow mode: what would the large member have gained? Asked in quiet times, behind the answers.

`sampler` chooses prompts in auto mode, `shadow` lets the large member answer some of them again
when nobody is there, `watched` sees to it that callers never wait for that, `comparison` sets both
answers side by side, and `record` keeps the numbers, from which `suresam calibrate route` fits
expected gains anew.

Nobody tells a service the truth, so no true gain can be recorded. Measured are the IoU between both
answers' masks, and what the device took. Estimated is the gain: the difference of the two members'
expected IoUs, which each of them tells of its own answer, cut to what the masks allow. That bound
needs no estimate: 1 - IoU is a distance, so two masks of IoU 0.9 differ by at most 0.1 in their
IoU with anything, the truth among it, and moving an estimate to the bound it exceeds brings it
nearer to the true gain, whatever that is. An estimate it stays: where both members' expected IoUs
are wrong alike on what is served, so is this, and only annotated pictures can tell
(`suresam evaluate calibration`).

It waits for nobody being inside rather than for the engine's own queue: the queue of an engine in
another process is heard of late, and what is awaited here is seen by the event loop that lets
callers in.
"""
