use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use staffetta_proto::directory::v1 as wire;

use super::{DirectoryClient, once, twice};
use crate::grpc::convert;
use crate::{Authentication, DirectoryError, LoginRequest, Session, SessionHandle};

#[async_trait]
impl Authentication for DirectoryClient {
    async fn login(&self, request: LoginRequest) -> Result<Session, DirectoryError> {
        let login = wire::LoginRequest {
            login: request.login,
            password: request.password.expose_secret().to_owned(),
            scopes: convert::scope_codes(request.scopes),
            client_address: request.client.to_string(),
        };
        convert::session(once(self.authentication.clone().login(login)).await?.session)
    }

    async fn renew(&self, handle: &SessionHandle) -> Result<Session, DirectoryError> {
        let request = || wire::RenewRequest { handle: handle.0.clone() };
        let call = || {
            let (mut client, request) = (self.authentication.clone(), request());
            async move { client.renew(request).await }
        };
        convert::session(twice(call).await?.session)
    }

    async fn logout(&self, handle: &SessionHandle) -> Result<(), DirectoryError> {
        let request = wire::LogoutRequest { handle: handle.0.clone() };
        once(self.authentication.clone().logout(request)).await.map(|_| ())
    }
}
