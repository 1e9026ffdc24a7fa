"""Judges every token of the table in clients/conformance offline."""

import json
from pathlib import Path
from typing import Any

from qscope_client import AccessClaims, InsufficientScopeError, InvalidTokenError, JwtVerifier
from tour.guide import Guide


def visit(guide: Guide) -> None:
    table = json.loads(Path(guide.verifier_cases_file).read_text("utf-8"))
    verifier = JwtVerifier(guide.tokens, table["issuer"], table["audience"], lambda: table["clock"])
    verdicts = {case["name"]: _verdict(verifier, case) for case in table["cases"]}
    guide.tell("verifier_cases", {"verdicts": verdicts})


def _verdict(verifier: JwtVerifier, case: dict[str, Any]) -> dict[str, Any]:
    try:
        claims = verifier.verify(
            case["token"], certificate_thumbprint=case["certificate"], required_scopes=case["required_scopes"]
        )
    except InvalidTokenError:
        return {"result": "invalid_token"}
    except InsufficientScopeError:
        return {"result": "insufficient_scope"}
    return _accepted(claims)


def _accepted(claims: AccessClaims) -> dict[str, Any]:
    return {
        "result": "accepted",
        "token_id": claims["jti"],
        "client_id": claims["client_id"],
        "subject": claims["sub"],
        "subject_type": claims.subject_type,
        "scopes": claims.scopes,
        "audiences": claims.audiences,
        "issuer": claims["iss"],
        "issue_time": claims.issue_time,
        "expire_time": claims.expire_time,
        "actors": claims.actors,
        "certificate": claims.certificate_thumbprint,
    }
