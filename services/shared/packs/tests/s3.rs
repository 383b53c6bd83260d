//! The S3 backend against an S3 server in this process.

use std::net::SocketAddr;
use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use staffetta_chassis::config::Secret;
use staffetta_packs::config::S3Config;
use staffetta_packs::store::contract;
use staffetta_packs::store::s3::S3Store;
use tokio::net::TcpSocket;

async fn serve(folder: &Path) -> SocketAddr {
    let files = FileSystem::new(folder).expect("folder");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let socket = TcpSocket::new_v4().expect("socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("bind");
    let listener = socket.listen(64).expect("listen");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let _ =
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn s3_keeps_the_contract() {
    let folder = tempfile::tempdir().expect("tempdir");
    let address = serve(folder.path()).await;
    let mut round = 0;
    contract::suite(|| {
        round += 1;
        let bucket = format!("bucket-{round}");
        std::fs::create_dir(folder.path().join(&bucket)).expect("bucket");
        let config = S3Config {
            bucket,
            endpoint: Some(format!("http://{address}")),
            region: "us-east-1".into(),
            prefix: "platform/one".into(),
            access_key_id: Some("key".into()),
            secret_access_key: Some(Secret::new("secret")),
            path_style: true,
            allow_http: true,
        };
        async move { S3Store::new(&config).expect("settings") }
    })
    .await;
}
