"""The caching verifier, held against the cases of all languages."""

import json
import sys
import threading
import unittest
from concurrent.futures import Future
from pathlib import Path
from traceback import walk_stack
from typing import Any
from unittest import mock

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from scripted_server import INVALID_TOKEN, UNAVAILABLE, WAIT, Call, ScriptedServer, Tokens, revocation_key

from qscope.v1.token_service_pb2 import (
    GetJsonWebKeySetResponse,
    PollRevocationsResponse,
    Revocation,
    RevocationStart,
)
from qscope_client import (
    CacheLimits,
    CachingVerifier,
    InsufficientScopeError,
    InvalidTokenError,
    ResourceServer,
    VerifierClosedError,
    with_secret,
)
from qscope_client.elapsed_time import Moment

_CONFORMANCE = Path(__file__).parents[2] / "conformance"
TABLE = json.loads(_CONFORMANCE.joinpath("caching-verifier-cases.json").read_text("utf-8"))
TOKENS = Tokens(TABLE, json.loads(_CONFORMANCE.joinpath("caching-verifier-tokens.json").read_text("utf-8")))
#: Seconds until a key may be forgotten, where a case does not say.
FORGET_IN = 3_600


class Case:
    """Runs the steps of a case."""

    def __init__(self, case: dict[str, Any]) -> None:
        """Start a verifier, on a clock of its own."""
        self.now = Moment(1_000.0, float(TABLE["clock"]))
        key_sets = {"unavailable": None, "empty": GetJsonWebKeySetResponse()}
        self.server = ScriptedServer(key_sets.get(case.get("key_set", ""), TOKENS.key_set))
        limits = {name: case[name] for name in ("max_answers", "max_revocations") if name in case}
        self.verifier = CachingVerifier(
            ResourceServer(self.server, client=with_secret("warehouse", "secret")),
            issuer=TABLE["issuer"] if case["start"] == "history" else None,
            limits=CacheLimits(bound=TABLE["bound_ms"] / 1_000, **limits),
            on_poll_failure=lambda _error: None,
            clock=lambda: self.now,
        )
        self.poll = self._next_poll()
        self.polls = 0
        #: By their names: the call, the token, and the outcomes of those who wait for it.
        self.questions: dict[str, tuple[Call, str, list[Future[str]]]] = {}

    def run(self, steps: list[dict[str, Any]]) -> None:
        """Take the steps, and look for questions that nobody expected."""
        try:
            for step in steps:
                self._step(step)
                expect(self.server.questions.qsize(), 0)
        except Exception as error:
            error.add_note(f"in the step {step}")
            raise
        finally:
            self.verifier.close()

    def _step(self, step: dict[str, Any]) -> None:
        if "use" in step:
            self._use(step)
        elif "answer" in step:
            self._answer(step)
        elif "poll" in step:
            self._poll(step)
        elif "clock" in step:
            passed = step["clock"]
            self.now = Moment(
                self.now.monotonic + passed["monotonic_ms"] / 1_000, self.now.wall + passed["wall_ms"] / 1_000
            )
        else:
            expect(step, {"close": True})
            self.verifier.close()

    def _use(self, step: dict[str, Any]) -> None:
        outcome: Future[str] = Future()
        caller = threading.Thread(target=lambda: outcome.set_result(self._verify(step)), daemon=True)
        caller.start()
        if "asks" in step:
            call = self.server.questions.get(timeout=WAIT)
            self.questions[step["asks"]] = (call, step["use"], [outcome])
            expect(call.request.token, TOKENS.presented[step["use"]])
            expect(call.request.client.client_id, "warehouse")
            expect(call.request.presented_certificate_sha256, TABLE["certificates"].get(step.get("certificate"), ""))
        elif "joins" in step:
            _wait_until_waiting(caller)
            self.questions[step["joins"]][2].append(outcome)
        else:
            expect(outcome.result(WAIT), step["result"])

    def _verify(self, step: dict[str, Any]) -> str:
        audience = step.get("audience", TABLE["audience"])
        certificate = step.get("certificate")
        try:
            verified = self.verifier.verify(
                TOKENS.presented[step["use"]],
                audience=audience,
                certificate_thumbprint=None if certificate is None else TABLE["certificates"][certificate],
                required_scopes=step.get("required_scopes", ()),
            )
        except InvalidTokenError:
            return "invalid_token"
        except InsufficientScopeError:
            return "insufficient_scope"
        except (grpc.RpcError, VerifierClosedError):
            return "unavailable"
        expect(verified.token_id, step["use"])
        expect(verified.extra, {**TABLE["claims"], **TABLE["tokens"][step["use"]].get("claims", {})}["extra"])
        return "accepted"

    def _answer(self, step: dict[str, Any]) -> None:
        call, token, outcomes = self.questions.pop(step["answer"])
        if step["with"] == "active":
            call.answer.set_result(TOKENS.answer(token, step.get("keys")))
        else:
            call.answer.set_exception({"invalid_token": INVALID_TOKEN, "unavailable": UNAVAILABLE}[step["with"]])
        results = step["results"]
        if "asks" in step:
            again = self.server.questions.get(timeout=WAIT)
            expect(again.request, call.request)
            self.questions[step["asks"]] = (again, token, outcomes[len(results) :])
            outcomes = outcomes[: len(results)]
        expect([outcome.result(WAIT) for outcome in outcomes], results)

    def _poll(self, step: dict[str, Any]) -> None:
        request = self.poll.request
        expect(request.client.client_id, "warehouse")
        if "from" in step:
            starts = {"now": RevocationStart.REVOCATION_START_NOW, "history": RevocationStart.REVOCATION_START_HISTORY}
            came = request.cursor or next(name for name, start in starts.items() if start == request.start)
            expect(came, step["from"])
        self.polls += 1
        if step["poll"] == "fails":
            self.poll.answer.set_exception(UNAVAILABLE)
        else:
            self.poll.answer.set_result(self._told(step))
        self.poll = self._next_poll()

    def _told(self, step: dict[str, Any]) -> PollRevocationsResponse:
        covered = Duration()
        covered.FromMilliseconds(step.get("covered_ms", 0))
        return PollRevocationsResponse(
            revocations=[
                Revocation(
                    key=revocation_key(told["key"]),
                    forget_time=None
                    if told.get("no_forget_time")
                    else Timestamp(seconds=TABLE["clock"] + told.get("forget_in", FORGET_IN)),
                )
                for told in step.get("tells", [])
            ],
            next_cursor=step.get("next", f"cursor-{self.polls}"),
            more=step.get("more", False),
            reset=step.get("reset", False),
            covered=covered,
        )

    def _next_poll(self) -> Call:
        return self.server.PollRevocations.waiting.get(timeout=WAIT)


def expect(found: object, expected: object) -> None:
    """Raise ``AssertionError`` unless both are the same."""
    if found != expected:
        message = f"{found!r} is not {expected!r}"
        raise AssertionError(message)


def _wait_until_waiting(thread: threading.Thread) -> None:
    """Return once a thread waits for the answer that another asked for."""
    while thread.is_alive():
        frame = sys._current_frames().get(thread.ident or 0)
        names = [each.f_code.co_name for each, _ in walk_stack(frame)]
        if names[:3] == ["wait", "result", "_ask"]:
            return
    message = "the caller did not wait"
    raise AssertionError(message)


class CacheLimitsTest(unittest.TestCase):
    """How old memory may be."""

    def test_a_bound_is_a_number_of_seconds(self) -> None:
        """Nothing is ever older than one that is not."""
        for bound in (0.9, float("nan"), float("inf")):
            with self.assertRaises(ValueError):
                CacheLimits(bound=bound)


class CachingVerifierTest(unittest.TestCase):
    """The cases of clients/conformance."""

    def test_it_holds_the_cases_of_all_languages(self) -> None:
        """Each on a verifier of its own."""
        with (
            mock.patch("qscope_client.revocation_poller._LEAST_PAUSE", 0),
            mock.patch("qscope_client.revocation_poller._FIRST_PAUSE", 0),
        ):
            for each in TABLE["cases"]:
                with self.subTest(each["name"]):
                    Case(each).run(each["steps"])
