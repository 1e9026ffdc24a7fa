"""Whether a server is on this machine."""

import re

#: As it is written; other spellings (``127.1``, ``0x7f.1``) are not taken for a host of this machine.
_HOST = re.compile(
    r"localhost|127(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3}|\[::1\]",
    re.IGNORECASE | re.ASCII,
)
_ENDPOINT = re.compile(r"(\[[^\]]*\]|[^\[\]:/@,]*)(?::[0-9]+)?")
_SCHEME = re.compile(r"(dns|passthrough|ipv4|ipv6):(.*)", re.DOTALL)


def is_loopback(target: str) -> bool:
    """Tell whether a gRPC target is on this machine: plaintext to it leaves no trace on any network."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    parts = _SCHEME.fullmatch(target)
    if parts is None:
        return _is_loopback_endpoint(target)
    # Only an empty authority leaves the name to this machine.
    endpoints = parts[2].removeprefix("///")
    if parts[1] in ("dns", "passthrough"):
        return _is_loopback_endpoint(endpoints)
    return all(_is_loopback_endpoint(endpoint) for endpoint in endpoints.split(","))


def _is_loopback_endpoint(text: str) -> bool:
    parts = _ENDPOINT.fullmatch(text)
    return parts is not None and _HOST.fullmatch(parts[1]) is not None
