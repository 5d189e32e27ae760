"""How the bundled models are made: scenes, losses, loops and what came out of them.

A segmenter learns in two stages on procedural scenes with exact masks. First the encoder
alone, by a contrastive loss between pixels: it is dense and cheap and most of the progress
comes from it. Then, after `initialisation` has put the decoder where a click finds its own
place, everything together on clicks, boxes and corrections. Every random draw of a step
follows from seed, stage, step and rank alone, so that a run which was interrupted goes on
exactly as if it had not been.
"""
