use std::path::Path;

use tempfile::TempDir;
use tokio::io::duplex;

use super::*;
use crate::tls::test_authority::TestAuthority;
use crate::tls::{TlsClient, TlsClientConfig};

/// What a client that asks for `name` and trusts `ca` is shown: whether it is good, and the certificate.
async fn shown(server: &TlsServer, ca: &Path, name: &str) -> (bool, Option<Vec<u8>>) {
    let client = TlsClientConfig { ca: Some(ca.to_owned()), ..TlsClientConfig::default() };
    let trusted = handshake(server, &TlsClient::load(&client).unwrap(), name).await.is_some();
    let any = TlsClient::opportunistic(Duration::from_secs(5)).unwrap();
    (trusted, handshake(server, &any, name).await)
}

async fn handshake(server: &TlsServer, client: &TlsClient, name: &str) -> Option<Vec<u8>> {
    let (near, far) = duplex(64 * 1024);
    let (_, connected) = tokio::join!(server.accept(far), client.connect(name, near));
    let connected = connected.ok()?;
    Some(connected.get_ref().1.peer_certificates()?.first()?.to_vec())
}

struct Setting {
    folder: TempDir,
    outside: TempDir,
    authority: TestAuthority,
    context: Context,
    tasks: Tasks,
}

impl Setting {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            outside: TempDir::new().unwrap(),
            authority: TestAuthority::new(),
            context: Context::for_tests(),
            tasks: Tasks::new(),
        }
    }

    fn load(&self) -> Result<TlsServer, TlsError> {
        let config = TlsServerConfig::in_directory(self.folder.path());
        TlsServer::load(&config, &self.context, &self.tasks)
    }

    fn ca(&self) -> PathBuf {
        self.authority.write_ca(self.outside.path())
    }
}

#[tokio::test]
async fn the_name_chooses_the_certificate() {
    let setting = Setting::new();
    let folder = setting.folder.path();
    setting.authority.write_pair(folder, "a", &["a.test"]);
    setting.authority.write_pair(folder, "b", &["b.test", "*.b.test"]);
    std::fs::create_dir(folder.join("secret")).unwrap();
    setting.authority.write_pair(&folder.join("secret"), "tls", &["c.test"]);
    setting.authority.write_ca(folder);
    let (server, ca) = (setting.load().unwrap(), setting.ca());
    for name in ["a.test", "b.test", "mail.b.test", "C.test"] {
        assert!(shown(&server, &ca, name).await.0, "{name}");
    }
    let (trusted, certificate) = shown(&server, &ca, "unknown.test").await;
    assert!(!trusted);
    assert_eq!(certificate, shown(&server, &ca, "a.test").await.1, "the first by name is the default");
    assert!(setting.context.metrics_text().contains("tls_certificate_not_after_seconds"));
}

#[tokio::test]
async fn a_reload_takes_new_content_and_keeps_the_old_pair_when_it_is_broken() {
    let setting = Setting::new();
    let folder = setting.folder.path();
    setting.authority.write_pair(folder, "a", &["a.test"]);
    let (server, ca) = (setting.load().unwrap(), setting.ca());
    let first = shown(&server, &ca, "a.test").await;

    setting.authority.write_pair(folder, "a", &["a.test"]);
    server.reload();
    let second = shown(&server, &ca, "a.test").await;
    assert!(second.0 && second.1 != first.1, "new content is served");

    // A key of another certificate, and a healthy new pair beside it.
    let (_, foreign) = setting.authority.issue(&["a.test"], None);
    std::fs::write(folder.join("a.key"), foreign).unwrap();
    setting.authority.write_pair(folder, "b", &["b.test"]);
    server.reload();
    assert_eq!(shown(&server, &ca, "a.test").await, second, "the old pair stays");
    assert!(shown(&server, &ca, "b.test").await.0, "the healthy one is served");
    let metrics = setting.context.metrics_text();
    assert!(metrics.contains("tls_reload_failures_total{certificate=\"a\"} 1"), "{metrics}");

    std::fs::remove_dir_all(folder).unwrap();
    server.reload();
    assert_eq!(shown(&server, &ca, "a.test").await, second, "a folder that vanished changes nothing");
}

#[tokio::test]
async fn a_start_with_a_broken_pair_or_none_is_refused() {
    let setting = Setting::new();
    assert!(matches!(setting.load(), Err(TlsError::Missing { .. })));
    setting.authority.write_pair(setting.folder.path(), "a", &["a.test"]);
    std::fs::write(setting.folder.path().join("a.key"), "nonsense").unwrap();
    assert!(matches!(setting.load(), Err(TlsError::Pem { what: "private key", .. })));
}
