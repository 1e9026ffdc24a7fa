"""Where connections without TLS go."""

import json
import unittest
from pathlib import Path

from qscope_client import connect, tls
from qscope_client.loopback import is_loopback

#: The cases that the libraries of all languages are tested with.
CASES = json.loads(Path(__file__).parents[2].joinpath("conformance/plaintext-cases.json").read_text("utf-8"))


class ConnectionTest(unittest.TestCase):
    """Plaintext."""

    def test_plaintext_stays_on_this_machine_unless_asked_for(self) -> None:
        """Anybody on the way could read the secrets."""
        self.assertEqual([target for target in CASES["loopback"] if not is_loopback(target)], [])
        self.assertEqual([target for target in CASES["elsewhere"] if is_loopback(target)], [])
        for target in CASES["elsewhere"]:
            with self.assertRaisesRegex(ValueError, "allow_plaintext"):
                connect(target, None)

    def test_plaintext_leaves_this_machine_where_it_is_asked_for(self) -> None:
        """Inside a mesh that encrypts."""
        for channel in (
            connect("dns:///qscope.internal:50051", None, allow_plaintext=True),
            connect("dns:///qscope.internal:50051", tls()),
            connect("127.0.0.1:50051", None),
        ):
            channel.close()
