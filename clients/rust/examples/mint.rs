//! Mints a token, and says by which reason QScope refuses:
//! `QSCOPE_CLIENT_SECRET=qcs_… cargo run --example mint -- http://127.0.0.1:50051 orders`
use qscope_client::v1::client_authentication::Method;
use qscope_client::v1::token_service_client::TokenServiceClient;
use qscope_client::v1::{ClientAuthentication, MintTokenRequest};
use std::{env, error::Error, time::Duration};
use tonic::transport::{ClientTlsConfig, Endpoint};
use tonic_types::StatusExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let [address, client_id] = env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "mint ADDRESS CLIENT_ID")?;
    let endpoint = Endpoint::from_shared(address)?
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(10));
    // TLS wherever the address says https, with the certificates that this machine trusts.
    let channel = endpoint
        .tls_config(ClientTlsConfig::new().with_native_roots())?
        .connect()
        .await?;
    let client = ClientAuthentication {
        client_id,
        method: Some(Method::ClientSecret(env::var("QSCOPE_CLIENT_SECRET")?)),
    };
    let request = MintTokenRequest {
        client: Some(client),
        ..Default::default()
    };
    match TokenServiceClient::new(channel).mint_token(request).await {
        Ok(answer) => {
            let token = answer
                .into_inner()
                .token
                .ok_or("an answer without a token")?;
            println!("minted a {} token for {:?}", token.token_type, token.scopes);
            Ok(())
        }
        // By the reason, never by the text.
        Err(status) => match status.get_details_error_info() {
            Some(info) => Err(format!("refused: {}", info.reason).into()),
            None => Err(status.into()),
        },
    }
}
