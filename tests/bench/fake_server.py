"""The real REST and gRPC servers round the fake device: `python -m bench.fake_server OPTIONS`.

Options and greeting are those of `suresam serve`.
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
    member = Member(fake_device(), ("small", "large"), sha256="0" * 64, licence="none")
    serve_members(read_settings(options), "fake", [member])


if __name__ == "__main__":
    main()
