"""What must hold of the service under load, each measured in one run.

    python tests/bench/hold.py callers

Every check starts what it needs and ends with its figures and whether they hold; the exit code is
1 if one does not. `python tests/bench/hold.py CHECK --help` has its options.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.holds import bulk, callers, faults, overload, same_masks, soak

from suresam.benchmarks.serve.process import prepare_process
from suresam.machine import describe_machine

CHECKS = {
    "callers": callers,
    "overload": overload,
    "bulk": bulk,
    "faults": faults,
    "soak": soak,
    "same-masks": same_masks,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    checks = parser.add_subparsers(required=True, metavar="CHECK")
    for name, check in CHECKS.items():
        own = checks.add_parser(name, help=check.__doc__, description=check.__doc__)
        check.add_options(own)
        own.set_defaults(check=check)
    options = parser.parse_args()
    for name, value in describe_machine().items():
        print(f"{name:12} {value}")
    sys.stdout.flush()
    prepare_process()
    verdicts = list(options.check.run(options))
    print("\n" + "\n".join(verdict.line() for verdict in verdicts))
    return 0 if all(verdict.holds for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
