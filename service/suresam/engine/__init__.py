"""Sessions, cached embeddings and the batched device, behind one door: `EngineClient`.

The event loop owns sessions, admission and superseding, so they need no locks; the worker's thread
owns the device. Between them stand jobs with a future each, and the embedding cache under a lock.
A call passes `local`, `admission`, `engine` (one model), `worker` with its `scheduler`, and back.

Choices. A batch is formed when the device is free and never before, so there is nothing to keep
open. An encode that finds every slot pinned does not wait for one: its embedding is handed over and
lives as long as its request. A batch gathers rows by stacking views of their slots, which is one
copy, as a gather by index would be.
"""
