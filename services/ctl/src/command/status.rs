//! `staffetta status`: every service is asked something small, all at the same time.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use serde::Serialize;
use staffetta_chassis::clock::timeout;
use staffetta_directory_api::{Administration as _, Page};
use staffetta_mailstore_api::Accounts as _;
use staffetta_outbound_api::Queue as _;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;

use super::queue::Stats;
use crate::error::CtlError;
use crate::output::{Column, Output};
use crate::platform::{Platform, Service};

/// A service that needs longer is as good as away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most octets of a greeting (RFC 5321 4.5.3.1.5).
const GREETING: usize = 512;

/// How the greetings of SMTP, IMAP and POP3 begin.
const GREETINGS: [&str; 3] = ["220", "* OK", "+OK"];

#[derive(Serialize)]
struct Status {
    services: Vec<ServiceStatus>,
    queue: Option<Stats>,
}

#[derive(Serialize)]
struct ServiceStatus {
    name: String,
    address: String,
    reachable: bool,
    elapsed_ms: u64,
    detail: String,
}

/// What a check found out: a detail, and the queue's figures where it is the queue.
type Found = Result<(String, Option<Stats>), String>;

pub(super) async fn run(platform: &Platform, output: &mut Output<'_>) -> Result<(), CtlError> {
    let (services, queues): (Vec<_>, Vec<_>) = join_all(checks(platform)?).await.into_iter().unzip();
    let status = Status { services, queue: queues.into_iter().flatten().next() };
    if status.services.is_empty() {
        return Err(CtlError::Config("the settings name no service at all".to_owned()));
    }
    let columns = [
        Column::left("SERVICE", |service: &ServiceStatus| service.name.clone()),
        Column::left("ADDRESS", |service| service.address.clone()),
        Column::left("STATE", |service| if service.reachable { "up" } else { "away" }.to_owned()),
        Column::right("ANSWERED", |service| match service.reachable {
            true => format!("{} ms", service.elapsed_ms),
            false => "-".to_owned(),
        }),
        Column::left("DETAIL", |service| service.detail.clone()),
    ];
    output.report(&status, &status.services, &columns)?;
    let away: Vec<&str> =
        status.services.iter().filter(|service| !service.reachable).map(|service| &*service.name).collect();
    match away.as_slice() {
        [] => Ok(()),
        [one] => Err(CtlError::Away(format!("{one} does not answer"))),
        many => Err(CtlError::Away(format!("{} do not answer", many.join(", ")))),
    }
}

type Check<'a> = BoxFuture<'a, (ServiceStatus, Option<Stats>)>;

fn checks(platform: &Platform) -> Result<Vec<Check<'_>>, CtlError> {
    let (has_directory, has_queue) = platform.has();
    let mut checks: Vec<Check<'_>> = Vec::new();
    if has_directory {
        let directory = platform.directory()?;
        let (name, address) = named(&directory);
        let ask = async move {
            let answer = directory.port.list_domains(&Page { after: None, limit: 1 }).await;
            answer.map(|_| (String::new(), None)).map_err(|error| error.to_string())
        };
        checks.push(timed(platform, name, address, ask).boxed());
    }
    for shard in platform.shards() {
        let mailstore = platform.shard(shard)?;
        let (name, address) = named(&mailstore);
        let ask = async move {
            let answer = mailstore.port.usage(&[]).await;
            answer.map(|_| (String::new(), None)).map_err(|error| error.to_string())
        };
        checks.push(timed(platform, name, address, ask).boxed());
    }
    if has_queue {
        let queue = platform.queue()?;
        let (name, address) = named(&queue);
        let ask = async move {
            let stats = Stats::from(queue.port.stats().await.map_err(|error| error.to_string())?);
            Ok((stats.sentence(), Some(stats)))
        };
        checks.push(timed(platform, name, address, ask).boxed());
    }
    for (name, address) in platform.gateways() {
        checks.push(timed(platform, name.clone(), address.clone(), greeting(address)).boxed());
    }
    Ok(checks)
}

fn named<T>(service: &Service<T>) -> (String, String) {
    (service.name.clone(), service.address.clone())
}

async fn timed(
    platform: &Platform,
    name: String,
    address: String,
    ask: impl Future<Output = Found>,
) -> (ServiceStatus, Option<Stats>) {
    let clock = platform.clock();
    let start = clock.instant();
    let late = |_| Err(format!("no answer within {} s", PATIENCE.as_secs()));
    let found = timeout(clock, PATIENCE, ask).await.unwrap_or_else(late);
    let elapsed_ms = u64::try_from((clock.instant() - start).as_millis()).unwrap_or(u64::MAX);
    let reachable = found.is_ok();
    let (detail, stats) = found.unwrap_or_else(|reason| (reason, None));
    (ServiceStatus { name, address, reachable, elapsed_ms, detail }, stats)
}

async fn greeting(address: &str) -> Found {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let line = first_line(stream).await.map_err(|error| error.to_string())?;
    match GREETINGS.iter().any(|greeting| line.starts_with(greeting)) {
        true => Ok((line, None)),
        false if line.is_empty() => Err("it hangs up without a greeting".to_owned()),
        false => Err(line),
    }
}

/// Up to the line end, the stream's end or the limit.
async fn first_line(mut stream: impl AsyncRead + Unpin) -> std::io::Result<String> {
    let mut octets = Vec::new();
    let mut chunk = [0; GREETING];
    while octets.len() < GREETING && !octets.contains(&b'\n') {
        match stream.read(&mut chunk).await? {
            0 => break,
            read => octets.extend_from_slice(&chunk[..read]),
        }
    }
    let line = octets.split(|octet| *octet == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).trim_end().to_owned())
}
