"""Gets tokens from the OAuth endpoints with general libraries: Authlib and requests-oauthlib.

Prints what it got as one JSON object.
"""

import json
import sys
import time
from pathlib import Path

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from oauthlib.oauth2 import BackendApplicationClient, InvalidScopeError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session as RequestsSession

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def with_authlib(given: dict) -> dict:
    token = given["issuer"] + "/oauth2/token"
    answers = {}

    def session(client: dict, **more) -> OAuth2Session:
        made = OAuth2Session(client["client_id"], client.get("client_secret"), **more)
        # Ignores the environment, such as another CA.
        made.trust_env = False
        made.verify = given["ca_file"]
        return made

    for method in ("client_secret_basic", "client_secret_post"):
        orders = session(given["orders"], token_endpoint_auth_method=method, scope="orders.read")
        answers[method] = orders.fetch_token(token, grant_type="client_credentials", audience=given["audience"])

    robot = session({"client_id": "robot", "client_secret": ECKey.import_key(given["robot_key"])}, token_endpoint_auth_method="private_key_jwt")
    # QScope requires the issuer as the audience, not the endpoint, and a lifetime of at most 5 minutes.
    soon = {"exp": int(time.time()) + 60}
    signing = PrivateKeyJWT(given["issuer"], claims=soon, headers={"kid": given["robot_key_id"]}, alg="ES256")
    robot.register_client_auth_method(signing)
    answers["private_key_jwt"] = robot.fetch_token(token, grant_type="client_credentials")

    courier = session({"client_id": "courier"}, token_endpoint_auth_method="none")
    courier.cert = (given["cert_file"], given["key_file"])
    answers["tls_client_auth"] = courier.fetch_token(token, grant_type="client_credentials")

    shop = session(given["shop"], redirect_uri=given["redirect_uri"])
    answers["code"] = shop.fetch_token(token, code=given["code"], code_verifier=given["code_verifier"])
    answers["refresh"] = shop.refresh_token(token, refresh_token=answers["code"]["refresh_token"])

    warehouse = session(given["warehouse"])
    answers["exchange"] = warehouse.fetch_token(
        token,
        grant_type=EXCHANGE,
        subject_token=answers["client_secret_basic"]["access_token"],
        subject_token_type=ACCESS_TOKEN,
        audience=given["billing"],
    )
    look = given["issuer"] + "/oauth2/introspect"
    exchanged = answers["exchange"]["access_token"]
    answers["introspection"] = warehouse.introspect_token(look, token=exchanged).json()
    warehouse.revoke_token(given["issuer"] + "/oauth2/revoke", token=exchanged).raise_for_status()
    answers["revoked"] = warehouse.introspect_token(look, token=exchanged).json()
    try:
        session({**given["orders"], "client_secret": "wrong"}).fetch_token(token, grant_type="client_credentials")
    except OAuthError as refused:
        answers["wrong"] = refused.error
    return answers


def with_requests_oauthlib(given: dict) -> dict:
    token = given["issuer"] + "/oauth2/token"
    orders = given["orders"]
    answers = {}

    def session(scope: str) -> RequestsSession:
        made = RequestsSession(client=BackendApplicationClient(orders["client_id"], scope=scope))
        # Ignores the environment, such as another CA.
        made.trust_env = False
        made.verify = given["ca_file"]
        return made

    basic = HTTPBasicAuth(orders["client_id"], orders["client_secret"])
    answers["basic"] = session("orders.read").fetch_token(token, auth=basic)
    answers["post"] = session("orders.read").fetch_token(
        token, client_id=orders["client_id"], client_secret=orders["client_secret"], include_client_id=True
    )
    # Basic, and the same client_id in the form.
    answers["both"] = session("orders.read").fetch_token(token, auth=basic, include_client_id=True)
    try:
        session("orders.burn").fetch_token(token, auth=basic)
    except InvalidScopeError as refused:
        answers["refused"] = refused.description
    return answers


def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps({"authlib": with_authlib(given), "requests_oauthlib": with_requests_oauthlib(given)}))


if __name__ == "__main__":
    main()
