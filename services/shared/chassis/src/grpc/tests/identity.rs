use tempfile::TempDir;
use tonic::{Code, Request};

use super::say::{Answer, client_config, connect, loopback, say, serve, serve_with};
use crate::config::Secret;
use crate::grpc::{GrpcServer, GrpcServerConfig, require_workload};
use crate::process::Context;
use crate::tasks::Tasks;
use crate::tls::test_authority::TestAuthority;
use crate::tls::{ClientAuth, TlsClientConfig, TlsServerConfig};

async fn whoami(request: Request<String>) -> Answer {
    require_workload(&request, &["tester", "outbound"]).map(|identity| identity.0)
}

#[tokio::test]
async fn the_shared_key_proves_a_workload() {
    let server = serve(whoami).await;
    let mut config = client_config(server.address);
    assert_eq!(say(&connect(&config), String::new()).await.unwrap(), "tester");
    config.workload_key = Secret::new("wrong");
    let refused = say(&connect(&config), String::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    config.workload_key = Secret::default();
    let unknown = say(&connect(&config), String::new()).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unauthenticated);
    let metrics = server.context.metrics_text();
    let refused = "{code=\"Unauthenticated\",method=\"unknown\",service=\"unknown\"} 1";
    assert!(metrics.contains(refused), "a stranger's path is not a label: {metrics}");
}

#[tokio::test]
async fn a_client_certificate_proves_a_workload_and_tls_is_required() {
    let (folder, authority) = (TempDir::new().unwrap(), TestAuthority::new());
    authority.write_pair(folder.path(), "server", &["localhost"]);
    let ca = authority.write_ca(folder.path());
    let (certificate, key) = authority.issue(&[], Some("spiffe://staffetta/outbound"));
    let paths = [folder.path().join("client.pem"), folder.path().join("client-key.pem")];
    std::fs::write(&paths[0], certificate).unwrap();
    std::fs::write(&paths[1], key).unwrap();

    let mut config = GrpcServerConfig::on(loopback(), Secret::default());
    config.tls = Some(TlsServerConfig {
        client_auth: ClientAuth::Required,
        client_ca: Some(ca.clone()),
        ..TlsServerConfig::in_directory(folder.path())
    });
    let server = serve_with(config, whoami).await;

    let [certificate, key] = paths;
    let trusting = TlsClientConfig { ca: Some(ca), ..TlsClientConfig::default() };
    let mut config = client_config(server.address);
    config.target = format!("https://localhost:{}", server.address.port());
    config.tls = Some(TlsClientConfig { certificate: Some(certificate), key: Some(key), ..trusting.clone() });
    assert_eq!(say(&connect(&config), String::new()).await.unwrap(), "outbound");

    config.ready_timeout = std::time::Duration::from_millis(300);
    config.tls = Some(trusting);
    let nameless = say(&connect(&config), String::new()).await.unwrap_err();
    assert_eq!(nameless.code(), Code::Unavailable);
    config.target = format!("http://{}", server.address);
    let plain = say(&connect(&config), String::new()).await.unwrap_err();
    assert_eq!(plain.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_server_where_nobody_can_prove_anything_does_not_start() {
    let config = GrpcServerConfig::on(loopback(), Secret::default());
    let error = GrpcServer::bind("grpc", &config, &Context::for_tests(), &Tasks::new()).unwrap_err();
    assert!(error.to_string().starts_with("grpc.workload_keys"), "{error}");
}
