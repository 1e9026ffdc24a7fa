"""A JWT access token taken apart, before anything of it is proved."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

#: QScope's bound: what is longer was not issued by it.
_LONGEST_TOKEN = 8_192
#: Those that QScope signs with; never ``none``, never a symmetric one.
_ALGORITHMS = ("ES256", "EdDSA", "RS256")
#: RFC 9068 §4; media types compare without case.
_TYPES = ("at+jwt", "application/at+jwt")
#: No extension is understood (RFC 7515 §4.1.11); ``b64`` (RFC 7797) changes what is signed, whether it is called
#: critical or not; keys come from the key set alone.
_REFUSED = ("crit", "b64", "jwk", "jku", "x5c", "x5u")
_PART = re.compile(r"[A-Za-z0-9_-]+")
_PARTS = 3
#: Half a character, of which parsers make different ones. QScope escapes no whole one. A backslash may be escaped too.
_SURROGATE = re.compile(rb"[^\\](?:\\\\)*\\u[dD][89a-fA-F]")
#: How deep JSON may be nested: a token of QScope has a few levels.
_MOST_LEVELS = 64


class MalformedTokenError(ValueError):
    """What is wrong with a text that should be a token."""


@dataclass(frozen=True)
class SignedToken:
    """Header, claims and signature of a token that is well-formed."""

    algorithm: str
    key_id: str
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def read_signed_token(token: str) -> SignedToken:
    """
    Take a compact JWS apart (RFC 7515 §7.1), as strictly as it was written.

    Three parts of base64url without padding, white space or bits left over (§2), and a header that names a key and an
    algorithm of QScope and asks for nothing else to be understood.
    """
    parts = token.split(".") if len(token) <= _LONGEST_TOKEN else []
    if len(parts) != _PARTS:
        _refuse("not of three parts, or too long")
    header_bytes, payload, signature = (_bytes_in(part) for part in parts)
    header = read_object(header_bytes)
    algorithm, key_id, media_type = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        _refuse("not signed with an algorithm of QScope")
    if not isinstance(key_id, str) or key_id == "":
        _refuse("names no key")
    if not isinstance(media_type, str) or media_type.lower() not in _TYPES:
        _refuse("not an access token: its typ is not at+jwt")
    if any(name in header for name in _REFUSED):
        _refuse("its header asks for more than is understood")
    signed = token.rpartition(".")[0].encode("ascii")
    return SignedToken(algorithm, key_id, read_object(payload), signed, signature)


def read_object(text: bytes) -> dict[str, Any]:
    """
    Read an object of JSON (RFC 8259) whose members have names of their own, in objects inside it too.

    Two parsers that take different ones of two members would see different tokens (RFC 7515 §4, RFC 7519 §4).
    """
    if _SURROGATE.search(text) is not None:
        _refuse("it has half a character")
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unique_members, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        message = "not JSON in UTF-8 that names every member once"
        raise MalformedTokenError(message) from error
    if not isinstance(value, dict) or not _is_shallow(value):
        _refuse("not an object, or nested too deep")
    return value


def _bytes_in(part: str) -> bytes:
    """Of the one spelling that some bytes have."""
    if _PART.fullmatch(part) is None or len(part) % 4 == 1:
        _refuse("a part is not base64url")
    decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode("ascii") != part:
        _refuse("bits are left over in a part")
    return decoded


def _unique_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        _refuse("a member is there twice")
    return value


def _is_shallow(value: object) -> bool:
    level = [value]
    for _ in range(_MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
    return level == []


def _inside(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _refuse(what: str) -> NoReturn:
    raise MalformedTokenError(what)
