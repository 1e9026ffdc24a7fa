"""
Counts verifications a second, from memory and online, beside what they cannot be faster than; see README.md.

``python bench/verifications.py ADDRESS CLIENT_ID CLIENT_SECRET``
"""

import itertools
import sys
import threading
import time
from collections.abc import Callable

from qscope.v1.token_service_pb2 import MintTokenRequest, VerifyTokenRequest
from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope_client import CachingVerifier, ResourceServer, connect, with_secret
from qscope_client.kept_answers import digest_of

#: Different tokens, so that memory is not that of one alone.
TOKENS = 1_000
SECONDS = 3.0
ROUNDS = 3
THREADS = 4
PATIENCE = 10
CLOCK_EVERY = 64
_ARGUMENTS = 4


def main() -> int:
    """Mint the tokens, and measure all of it in rounds, so that what else the machine does is shared."""
    if len(sys.argv) != _ARGUMENTS:
        print("usage: python bench/verifications.py ADDRESS CLIENT_ID CLIENT_SECRET", file=sys.stderr)
        return 2
    _, address, client_id, client_secret = sys.argv
    client = with_secret(client_id, client_secret)
    with connect(address, None) as channel:
        stub = TokenServiceStub(channel)
        mint = MintTokenRequest(client=client)
        tokens = [stub.MintToken(mint, timeout=PATIENCE).token.access_token for _ in range(TOKENS)]
        with CachingVerifier(ResourceServer(stub, client=client)) as verifier:
            verifier.wait_until_current(PATIENCE)
            known = {token: verifier.verify(token, audience=None) for token in tokens}
            digests = {digest_of(token): verified for token, verified in known.items()}

            def online(token: str) -> None:
                stub.VerifyToken(VerifyTokenRequest(client=client, token=token), timeout=PATIENCE)

            measured: dict[str, tuple[Callable[[str], object], int]] = {
                "a look into a dict": (known.__getitem__, 1),
                "SHA-256, and a look into a dict": (lambda token: digests[digest_of(token)], 1),
                "from memory": (lambda token: verifier.verify(token, audience=None), 1),
                f"from memory, {THREADS} threads": (lambda token: verifier.verify(token, audience=None), THREADS),
                "online": (online, 1),
                f"online, {THREADS} threads": (online, THREADS),
            }
            best = dict.fromkeys(measured, 0.0)
            for _ in range(ROUNDS):
                for name, (verify, threads) in measured.items():
                    best[name] = max(best[name], rate(verify, tokens, threads))
    for name, per_second in best.items():
        print(f"{name:34}{per_second:14,.0f} a second")
    return 0


def rate(verify: Callable[[str], object], tokens: list[str], threads: int) -> float:
    """Return how often a second all threads together verify."""
    ends_at = time.monotonic() + SECONDS
    counts = [0] * threads

    def work(number: int) -> None:
        count = 0
        for token in itertools.cycle(tokens):
            verify(token)
            count += 1
            # The clock costs as much as a look into a dict.
            if count % CLOCK_EVERY == 0 and time.monotonic() >= ends_at:
                break
        counts[number] = count

    began = time.monotonic()
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
