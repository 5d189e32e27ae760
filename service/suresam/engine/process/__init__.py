"""A device in a process of its own: what kills or blocks it leaves the servers standing.

`ProcessDevice` starts `host.run` in a child, calls it through a `Channel` and starts it again when
it dies. Control and small payloads cross a Unix socket, images and masks shared memory that has no
name, so that nothing is left behind whoever dies. Linux only.

Choices. The child forks from a server process that has imported torch and done nothing else, so it
is there within a fraction of a second and may use CUDA. Sessions stay with the servers: a child
that died lost embeddings, which are made again, and nothing that a client would have to send again.
"""
