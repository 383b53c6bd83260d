use async_trait::async_trait;
use secrecy::SecretString;
use staffetta_proto::directory::v1 as wire;
use staffetta_proto::directory::v1::authentication_service_server::AuthenticationService;
use tonic::{Request, Response, Status};

use super::{DirectoryServer, GATEWAYS, reply, take};
use crate::grpc::convert;
use crate::{LoginRequest, SessionHandle};

#[async_trait]
impl AuthenticationService for DirectoryServer {
    async fn login(
        &self,
        request: Request<wire::LoginRequest>,
    ) -> Result<Response<wire::LoginResponse>, Status> {
        let (directory, request) = self.admit(request, GATEWAYS)?;
        let login = LoginRequest {
            login: request.login,
            password: SecretString::from(request.password),
            scopes: take(convert::scopes(&request.scopes))?,
            client: take(request.client_address.parse().map_err(|_| convert::invalid("client address")))?,
        };
        reply(directory.login(login).await, |session| wire::LoginResponse { session: Some(session.into()) })
    }

    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::RenewResponse>, Status> {
        let (directory, request) = self.admit(request, GATEWAYS)?;
        let answer = directory.renew(&SessionHandle(request.handle)).await;
        reply(answer, |session| wire::RenewResponse { session: Some(session.into()) })
    }

    async fn logout(
        &self,
        request: Request<wire::LogoutRequest>,
    ) -> Result<Response<wire::LogoutResponse>, Status> {
        let (directory, request) = self.admit(request, GATEWAYS)?;
        let answer = directory.logout(&SessionHandle(request.handle)).await;
        reply(answer, |()| wire::LogoutResponse {})
    }
}
