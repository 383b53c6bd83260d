use staffetta_chassis::Service as _;
use staffetta_chassis::config::Secret;
use staffetta_chassis::grpc::{Channel, GrpcClientConfig};
use staffetta_directory_api::grpc::DirectoryClient;
use staffetta_directory_api::{Administration as _, Page};

use super::*;

#[tokio::test]
async fn process_starts_answers_and_drains() {
    let site = Site::new().await;
    let config = site.config();
    let context = Context::for_tests();
    let running = crate::Directory::start(config, context.clone()).await.unwrap();
    let (name, address) = running.endpoints().remove(0);
    assert_eq!(name, "grpc");
    let client = GrpcClientConfig::to(format!("http://{address}"), Secret::new("key"));
    let client = DirectoryClient::new(Channel::connect(&client, "ctl", &context).unwrap());
    client.create_domain(&DomainSpec { name: "north.test".parse().unwrap() }).await.unwrap();
    assert_eq!(client.list_domains(&Page::default()).await.unwrap().len(), 1);
    running.drain(Duration::from_secs(5)).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[test]
fn unknown_settings_are_refused_by_their_path() {
    let text = r#"
        [grpc]
        address = "127.0.0.1:0"
        [postgres]
        url = "postgres://x"
        [tokens]
        directory = "keys"
        [lockout]
        pair_failure = 3
    "#;
    let error = parse_section::<DirectoryConfig>(text, []).unwrap_err().to_string();
    assert!(error.contains("lockout.pair_failure"), "{error}");
}

#[tokio::test]
async fn start_names_what_is_wrong_with_the_keys() {
    let site = Site::new().await;
    SigningKey::generate("two").unwrap().write(site.keys.path()).unwrap();
    let error = crate::Directory::start(site.config(), Context::for_tests()).await.unwrap_err();
    assert!(format!("{error:#}").contains("name the signing one"), "{error:#}");
}
