"""What ties an authorization code to the program that asked for it (RFC 7636)."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Pkce:
    """A verifier, which stays in the program, and its challenge, which goes along with the user."""

    verifier: str
    challenge: str

    @classmethod
    def draw(cls) -> Self:
        """Draw a verifier of 256 bits."""
        verifier = secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        return cls(verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode())
