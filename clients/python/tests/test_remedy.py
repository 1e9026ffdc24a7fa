"""Remedies, held against the contract."""

import unittest

from qscope.v1.error_reason_pb2 import ErrorReason
from qscope_client.refusal import Refusal
from qscope_client.remedy import REMEDIES, Remedy


class RemedyTest(unittest.TestCase):
    """What a program does about a refusal."""

    def test_every_reason_of_the_contract_has_a_remedy(self) -> None:
        """A reason that is added to the contract is added to the table too."""
        sent = {name.removeprefix("ERROR_REASON_") for name, number in ErrorReason.items() if number != 0}
        self.assertEqual(set(REMEDIES), sent)

    def test_a_reason_that_is_newer_than_the_program_is_decided_by_its_status(self) -> None:
        """The server may be newer."""
        refusal = Refusal(status="PERMISSION_DENIED", reason="OAUTH_INVENTED_LATER")
        self.assertEqual(refusal.remedy, Remedy.ASK_FOR_PERMISSION)

    def test_an_unknown_outcome_is_repeated_only_where_the_server_says_that_it_is_safe(self) -> None:
        """RetryInfo says so."""
        unsafe = Refusal(status="ABORTED", reason="RESOURCE_OUTCOME_UNKNOWN")
        safe = Refusal(status="ABORTED", reason="RESOURCE_OUTCOME_UNKNOWN", retry_after=1)
        self.assertEqual([unsafe.remedy, safe.remedy], [Remedy.FIND_OUT, Remedy.WAIT_AND_REPEAT])
