"""Sessions, cached embeddings and the batched device, behind one door: `EngineClient`.

The event loop owns sessions, cache and admission, so they need no locks; the worker's thread
owns the device and nothing else. Between them stand jobs with a future each.
"""
