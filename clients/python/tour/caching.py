"""
Verifies tokens with a caching verifier, for as long as its standard input lasts; see README.md.

``python -m tour.caching SETTINGS.json``
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import grpc

from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope_client import (
    CacheLimits,
    CachingVerifier,
    InsufficientScopeError,
    InvalidTokenError,
    ResourceServer,
    connect,
    with_secret,
)

#: Seconds.
PATIENCE = 60
PAUSE = 0.01


def main() -> int:
    """Answer each line, a token and what it is to come to, with what it came to and when."""
    settings = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    with connect(settings["address"], None) as channel:
        server = ResourceServer(
            TokenServiceStub(channel), client=with_secret(settings["client_id"], settings["client_secret"])
        )
        limits = CacheLimits(bound=settings["bound_ms"] / 1_000)
        with CachingVerifier(
            server, issuer=settings["issuer"], limits=limits, on_poll_failure=lambda _error: None
        ) as verifier:
            _tell({"current": verifier.wait_until_current(PATIENCE)})
            for line in sys.stdin:
                _tell(_come_to(verifier, settings["audience"], json.loads(line)))
    return 0


def _come_to(verifier: CachingVerifier, audience: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Verify a token until it comes to ``until``, or once."""
    began = time.monotonic()
    while True:
        result = _result(verifier, asked["token"], audience)
        after = time.monotonic() - began
        if result == asked.get("until", result) or after > PATIENCE:
            return {"result": result, "current": verifier.is_current, "after_ms": round(after * 1_000)}
        time.sleep(PAUSE)


def _result(verifier: CachingVerifier, token: str, audience: str) -> str:
    try:
        verifier.verify(token, audience=audience)
    except InvalidTokenError:
        return "invalid_token"
    except InsufficientScopeError:
        return "insufficient_scope"
    except grpc.RpcError:
        return "unavailable"
    return "accepted"


def _tell(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    sys.exit(main())
