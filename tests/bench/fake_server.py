"""The real REST and gRPC servers round the fake device: `python -m bench.fake_server OPTIONS`.

Options and greeting are those of `suresam serve`. A full launch takes 20 ms, however many rows
`--max-decode-batch` lets it have.
"""

import argparse
import sys

from bench.fake_device import fake_device

from suresam.app.serve import serve_members
from suresam.cli.serve import add_parser
from suresam.engine.local import Member
from suresam.settings import read_settings

COMMAND = ("bench.fake_server",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_parser(parser.add_subparsers(required=True))
    options = vars(parser.parse_args(("serve", *sys.argv[1:])))
    del options["run"]
    settings = read_settings(options)
    device = fake_device(settings.max_decode_batch)
    member = Member(device, ("small", "large"), sha256="0" * 64, licence="none")
    serve_members(settings, "fake", [member])


if __name__ == "__main__":
    main()
