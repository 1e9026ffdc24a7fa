"""A client that is proved by the certificate of its connection (RFC 8705): its token is bound to it."""

import base64
import hashlib
import ssl
from pathlib import Path

from qscope.v1.token_service_pb2 import MintTokenRequest, VerifyTokenRequest
from qscope.v1.token_service_pb2_grpc import TokenServiceStub
from qscope_client import connect, tls
from tour.guide import Guide, claims_told


def visit(guide: Guide) -> None:
    certificate = Path(guide.courier.cert_file).read_bytes()
    shown = tls(guide.ca, certificate, Path(guide.courier.key_file).read_bytes())
    with connect(guide.address, shown) as channel:
        request = MintTokenRequest(client={"client_id": guide.courier.client_id}, audiences=[guide.warehouse_audience])
        token = TokenServiceStub(channel).MintToken(request, **guide.call("certificate")).token

    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.decode())).digest()
    thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    bound = VerifyTokenRequest(
        client=guide.warehouse.proof(), token=token.access_token, presented_certificate_sha256=thumbprint
    )
    guide.tell("certificate", claims_told(guide.tokens.VerifyToken(bound, **guide.call("certificate")).claims))
    bare = VerifyTokenRequest(client=guide.warehouse.proof(), token=token.access_token)
    guide.tell_refusal("certificate_missing", lambda: guide.tokens.VerifyToken(bare, **guide.call("certificate")))
