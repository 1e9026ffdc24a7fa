"""``python -m tour SETTINGS.json``; see README.md."""

import json
import sys
from pathlib import Path

from tour import (
    certificate,
    check,
    codes,
    devices,
    exchange,
    lost,
    manage,
    mint,
    offline,
    refresh,
    refusals,
    revoke,
    verifiers,
)
from tour.guide import Guide

_ARGUMENTS = 2


def main() -> int:
    if len(sys.argv) != _ARGUMENTS:
        print("usage: python -m tour SETTINGS.json", file=sys.stderr)
        return 2
    guide = Guide(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    stops = [
        mint,
        check,
        certificate,
        codes,
        refresh,
        devices,
        exchange,
        offline,
        verifiers,
        revoke,
        manage,
        refusals,
        lost,
    ]
    for stop in stops:
        stop.visit(guide)
    guide.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
