use tokio::io::AsyncReadExt as _;

use super::*;
use crate::drain::Drain;

struct Echo {
    address: SocketAddr,
    tasks: Tasks,
    drain: Drain,
    context: Context,
}

/// A listener that tells each client who it is, then echoes.
fn start(change: impl FnOnce(&mut ListenerConfig)) -> Echo {
    let mut config = ListenerConfig::on("127.0.0.1:0".parse().unwrap());
    change(&mut config);
    let (context, tasks, drain) = (Context::for_tests(), Tasks::new(), Drain::new());
    let listener = Listener::bind("echo", &config, &context).unwrap().with_refusal("busy\n");
    let address = listener.address();
    tasks.spawn(listener.serve(tasks.clone(), drain.watch(), |connection, peer| async move {
        let (mut reader, mut writer) = tokio::io::split(connection);
        let _ = writer.write_all(format!("{} {}\n", peer.client.ip(), peer.local.port()).as_bytes()).await;
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    }));
    Echo { address, tasks, drain, context }
}

async fn line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        if byte == b'\n' {
            break;
        }
        line.push(byte);
    }
    String::from_utf8(line).unwrap()
}

#[tokio::test]
async fn a_client_beyond_its_share_is_told_and_closed() {
    let echo = start(|config| config.max_connections_per_address = 1);
    let mut first = TcpStream::connect(echo.address).await.unwrap();
    assert_eq!(line(&mut first).await, format!("127.0.0.1 {}", echo.address.port()));
    let mut second = TcpStream::connect(echo.address).await.unwrap();
    assert_eq!(line(&mut second).await, "busy");
    assert_eq!(second.read(&mut [0; 1]).await.unwrap(), 0);
    let metrics = echo.context.metrics_text();
    assert!(metrics.contains("reason=\"too_many_from_address\"} 1"), "{metrics}");

    first.shutdown().await.unwrap();
    assert_eq!(first.read(&mut [0; 1]).await.unwrap(), 0);
    // The place is free again once the server saw the end; a refusal until then is right.
    loop {
        let mut again = TcpStream::connect(echo.address).await.unwrap();
        if line(&mut again).await.starts_with("127.0.0.1") {
            break;
        }
    }
    echo.tasks.stop().await;
}

#[tokio::test]
async fn a_full_listener_refuses() {
    let echo = start(|config| config.max_connections = 1);
    let mut first = TcpStream::connect(echo.address).await.unwrap();
    line(&mut first).await;
    let mut second = TcpStream::connect(echo.address).await.unwrap();
    assert_eq!(line(&mut second).await, "busy");
    echo.tasks.stop().await;
}

#[tokio::test]
async fn a_drain_closes_the_port_and_leaves_connections_alone() {
    let echo = start(|_| ());
    let mut open = TcpStream::connect(echo.address).await.unwrap();
    line(&mut open).await;
    echo.drain.start();
    while TcpStream::connect(echo.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    open.write_all(b"still here\n").await.unwrap();
    assert_eq!(line(&mut open).await, "still here");
    drop(open);
    assert!(echo.tasks.finish(Duration::from_secs(5)).await);
}

fn behind_proxy(config: &mut ListenerConfig) {
    config.proxy_protocol = ProxyProtocol::Required;
    config.trusted_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
    config.header_timeout = Duration::from_millis(200);
}

#[tokio::test]
async fn the_proxy_header_names_the_client() {
    let echo = start(behind_proxy);
    let mut stream = TcpStream::connect(echo.address).await.unwrap();
    stream.write_all(b"PROXY TCP4 192.0.2.7 198.51.100.2 1234 2525\r\nhello\n").await.unwrap();
    assert_eq!(line(&mut stream).await, "192.0.2.7 2525");
    assert_eq!(line(&mut stream).await, "hello", "what follows the header reaches the handler");

    let mut local = TcpStream::connect(echo.address).await.unwrap();
    local.write_all(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00").await.unwrap();
    assert_eq!(line(&mut local).await, "", "a health check of the proxy is closed without a word");
    assert!(!echo.context.metrics_text().contains("proxy_header"), "and is not a refusal");
    echo.tasks.stop().await;
}

#[tokio::test]
async fn peers_without_a_header_or_without_trust_get_nothing() {
    let echo = start(behind_proxy);
    let mut silent = TcpStream::connect(echo.address).await.unwrap();
    assert_eq!(line(&mut silent).await, "", "the header has a deadline");
    let mut direct = TcpStream::connect(echo.address).await.unwrap();
    direct.write_all(b"EHLO example.org\r\n").await.unwrap();
    assert_eq!(line(&mut direct).await, "");
    echo.tasks.stop().await;

    let echo = start(|config| {
        behind_proxy(config);
        config.trusted_cidrs = vec!["192.0.2.0/24".parse().unwrap()];
    });
    let mut stranger = TcpStream::connect(echo.address).await.unwrap();
    let _ = stranger.write_all(b"PROXY TCP4 192.0.2.7 198.51.100.2 1234 2525\r\n").await;
    assert_eq!(line(&mut stranger).await, "");
    echo.tasks.stop().await;
}

#[test]
fn only_a_lack_of_resources_makes_the_listener_wait() {
    let of = io::Error::from_raw_os_error;
    assert!(exhausted(&of(24)) && exhausted(&of(23)), "no file handles");
    assert!(!exhausted(&of(103)), "a client that went away while it waited");
}

#[test]
fn a_required_header_needs_trusted_proxies() {
    let mut config = ListenerConfig::on("127.0.0.1:0".parse().unwrap());
    config.proxy_protocol = ProxyProtocol::Required;
    let error = Listener::bind("mx", &config, &Context::for_tests()).unwrap_err();
    assert!(error.to_string().starts_with("mx.trusted_cidrs"), "{error}");
}
