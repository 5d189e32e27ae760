"""Sessions, cached embeddings and the batched device, behind one door: `EngineClient`.

A call passes `frontend` (sessions, permits, which device), a `Device`: `local` in this process or
`process` in another, `admission`, `engine` (one model), `worker` with its `scheduler`, and back.
The event loop owns all but the device, so nothing there needs a lock; the worker's thread owns the
device. Between them stand jobs with a future each, and the embedding cache under a lock.

Choices. A batch is formed when the device is free and never before, so there is nothing to keep
open. An encode that finds every slot pinned does not wait for one: its embedding is handed over and
lives as long as its request. What stands in host memory comes back as a part of the decode launch
that needs it, not as a job of its own: nobody waits in a second queue, two clicks cannot bring it
back twice, and its time is measured and paid for with that launch. A batch gathers rows by stacking
views of their slots, which is one copy, as a gather by index would be.
"""
