//! Greylisting as Postfix is told to do it: a policy service that puts the first attempt off.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The running service; it ends when dropped.
pub(super) struct Greylist {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Greylist {
    #[expect(clippy::disallowed_methods, reason = "a policy service takes no connections of the product")]
    pub(super) async fn start(host: IpAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((host, 0)).await?;
        let (address, asked) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&count)));
            }
        });
        Ok(Self { address, asked, task })
    }

    /// The lines of main.cf that make Postfix ask it.
    pub(super) fn settings(&self) -> String {
        format!("smtpd_recipient_restrictions = check_policy_service inet:{}", self.address)
    }

    /// How many recipients it was asked about.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Greylist {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request is lines `name=value` and an empty one.
async fn answer(stream: TcpStream, asked: Arc<AtomicUsize>) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if line == "\n" {
            let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
            let action = if first { "defer Greylisted, come back" } else { "dunno" };
            stream.write_all(format!("action={action}\n\n").as_bytes()).await?;
        }
    }
}
