"""Tokens that somebody changed."""


def tampered(token: str) -> str:
    """Change the first character of a JWT's signature."""
    content, _, signature = token.rpartition(".")
    return f"{content}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
