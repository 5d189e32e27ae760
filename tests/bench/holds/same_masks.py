"""Every mask that is answered under load beside that of the same request alone, bundled models."""

import argparse
import asyncio
import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from bench.holds.verdict import Verdict

from suresam.benchmarks.serve.pictures import Picture, Pictures
from suresam.benchmarks.server_process import ServerProcess
from suresam.client import AsyncClient, AsyncGrpcClient
from suresam.domain import Box, Point, Prompt, Rle, RouteRequest
from suresam.masks.rle import decode_rle

TOLERANCE = 1e-4
"""Of the pixels, as in `tests/parity`: rounding in batches of another size moves no more."""

_SIZES = ((640, 480), (1024, 768), (480, 640))
_PLACES = ((0.5, 0.5), (0.2, 0.3), (0.75, 0.6), (0.4, 0.85))

Question = tuple[int, int]
"""A picture and a prompt on it, by their numbers."""


@dataclass(slots=True)
class Comparison:
    """Of all answers so far.

    Attributes:
        num_masks: compared.
        num_differing: whose run lengths are not the same text.
        worst: the largest share of pixels that differ.
    """

    num_masks: int = 0
    num_differing: int = 0
    worst: float = 0.0

    def add(self, found: tuple[Rle, ...], alone: tuple[Rle, ...]) -> None:
        assert len(found) == len(alone), f"{len(found)} masks in place of {len(alone)}"
        for mask, other in zip(found, alone, strict=True):
            self.num_masks += 1
            if (mask.size, mask.counts) != (other.size, other.counts):
                self.num_differing += 1
                share = float(np.mean(decode_rle(mask) != decode_rle(other)))
                self.worst = max(self.worst, share)


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--callers", type=int, default=32, help="half of them over gRPC (default: 32)")
    add("--pictures", type=int, default=6, help="(default: 6)")
    add("--seconds", type=float, default=40.0, help="of load (default: 40)")
    add("--members", default="small,large", help="who answer (default: small,large)")


def run(options: argparse.Namespace) -> Iterator[Verdict]:
    with ServerProcess(["--max-encode-ms", "10000"]) as server:
        for member in options.members.split(","):
            told = asyncio.run(_compare(server, member, options))
            yield Verdict(
                f"{member}: largest share of pixels that differ, of {told.num_masks} masks "
                f"({told.num_differing} not identical)",
                f"{told.worst:.1e}",
                f"<= {TOLERANCE:g}",
                told.num_masks > 0 and told.worst <= TOLERANCE,
            )


async def _compare(server: ServerProcess, member: str, options: argparse.Namespace) -> Comparison:
    pictures = Pictures(_SIZES, seed=3)
    shown = [pictures.another() for _ in range(options.pictures)]
    prompts = [_prompts(picture) for picture in shown]
    questions = list(itertools.product(range(len(shown)), range(len(prompts[0]))))
    told = Comparison()
    async with AsyncClient(server.url) as rest, AsyncGrpcClient(server.address) as grpc:
        sessions = [(await rest.create_session([picture.data])).session_id for picture in shown]

        async def ask(client: AsyncClient | AsyncGrpcClient, question: Question) -> tuple[Rle, ...]:
            picture, prompt = question
            response = await client.segment_session(
                sessions[picture], prompts[picture][prompt], route=RouteRequest(mode=member)
            )
            [result] = response.results
            assert result.error is None, f"{question} failed: {result.error}"
            masks = [mask.rle for mask in result.masks if mask.rle is not None]
            assert len(masks) == len(result.masks) == 3, "three candidates as run lengths"
            return tuple(masks)

        alone: Mapping[Question, tuple[Rle, ...]] = {
            question: await ask(rest, question) for question in questions
        }
        until = asyncio.get_running_loop().time() + options.seconds

        async def call(number: int) -> None:
            rng = random.Random(number)
            client = (rest, grpc)[number % 2]
            while asyncio.get_running_loop().time() < until:
                question = rng.choice(questions)
                told.add(await ask(client, question), alone[question])

        await asyncio.gather(*(call(number) for number in range(options.callers)))
        for session in sessions:
            await rest.delete_session(session)
    return told


def _prompts(picture: Picture) -> list[Prompt]:
    points = [Point(x * picture.width, y * picture.height) for x, y in _PLACES]
    width, height = picture.width, picture.height
    return [
        *(Prompt((point,)) for point in points),
        Prompt((points[0], points[1]), (1, 0)),
        Prompt(box=Box(0.2 * width, 0.2 * height, 0.7 * width, 0.8 * height)),
    ]
