//! A whole process from the outside: settings, logs, probes, traces, signals, drain.
//!
//! The test binary starts itself again as the process under test, whose `main` is `staffetta_chassis::run`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "test code without the harness"
)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Deserialize;
use staffetta_chassis::config::{ConfigError, Settings};
use staffetta_chassis::drain::Drain;
use staffetta_chassis::net::{Connection, Listener, ListenerConfig};
use staffetta_chassis::process::ProcessConfig;
use staffetta_chassis::tasks::Tasks;
use staffetta_chassis::{Context, Service};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::mpsc;
use tracing::Instrument as _;

const CHILD: &str = "CHASSIS_PROCESS_TEST";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    process: ProcessConfig,
    echo: ListenerConfig,
    greeting: String,
}

impl Settings for Config {
    fn process(&self) -> &ProcessConfig {
        &self.process
    }

    fn validate(&self) -> Result<(), ConfigError> {
        if self.greeting.is_empty() {
            return Err(ConfigError::at("greeting", "must not be empty"));
        }
        Ok(())
    }
}

/// Answers each line with the greeting; a connection ends after `bye`.
struct Greeter {
    address: SocketAddr,
    tasks: Tasks,
    drain: Drain,
}

#[async_trait]
impl Service for Greeter {
    const NAME: &'static str = "greeter";
    type Config = Config;

    async fn start(config: Config, context: Context) -> anyhow::Result<Self> {
        let (tasks, drain) = (Tasks::new(), Drain::new());
        let listener = Listener::bind("echo", &config.echo, &context)?;
        let address = listener.address();
        tasks.spawn(listener.serve(tasks.clone(), drain.watch(), move |connection, _| {
            greet(connection, config.greeting.clone())
        }));
        Ok(Self { address, tasks, drain })
    }

    fn endpoints(&self) -> Vec<(String, SocketAddr)> {
        vec![("echo".to_owned(), self.address)]
    }

    async fn drain(self, budget: Duration) {
        self.drain.start();
        self.tasks.finish(budget).await;
    }
}

async fn greet(connection: Connection, greeting: String) {
    let (reader, mut writer) = tokio::io::split(connection);
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = async { writer.write_all(format!("{greeting} {line}\n").as_bytes()).await };
        if answer.instrument(tracing::info_span!("greet-one")).await.is_err() || line == "bye" {
            return;
        }
    }
}

fn main() -> ExitCode {
    if std::env::var_os(CHILD).is_some() {
        return staffetta_chassis::run::<Greeter>();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        unusable_settings_are_explained().await;
        a_process_serves_drains_and_ends_well().await;
        a_second_signal_or_a_spent_budget_stops_hard().await;
    });
    ExitCode::SUCCESS
}

fn child(arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).env(CHILD, "1").kill_on_drop(true);
    command.envs(settings.iter().map(|(key, value)| (format!("STAFFETTA__{key}"), value)));
    command.stderr(Stdio::piped());
    command
}

async fn unusable_settings_are_explained() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "greeting = 'hi'\nechoo = 1\n[echo]\naddress = '127.0.0.1:0'\n").unwrap();
    let path = file.path().to_str().unwrap();
    let output = child(&["--check-config", "--config", path], &[]).output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("echoo: unknown setting; known here: process, echo, greeting"), "{said}");

    let address = ("ECHO__ADDRESS", "127.0.0.1:0");
    let empty = child(&["--check-config"], &[address, ("GREETING", "")]).output().await.unwrap();
    assert_eq!(empty.status.code(), Some(78));
    let good = child(&["--check-config"], &[address, ("GREETING", "hi")]).output().await.unwrap();
    assert_eq!(good.status.code(), Some(0));
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = held.local_addr().unwrap().to_string();
    let settings =
        [("ECHO__ADDRESS", taken.as_str()), ("GREETING", "hi"), ("PROCESS__HEALTH__ADDRESS", "127.0.0.1:0")];
    let busy = child(&[], &settings).output().await.unwrap();
    let said = String::from_utf8(busy.stderr).unwrap();
    assert!(busy.status.code() == Some(1) && said.contains("cannot listen on"), "{said}");
    println!("unusable settings are explained ... ok");
}

struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    addresses: BTreeMap<String, SocketAddr>,
}

impl Process {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("ECHO__ADDRESS", "127.0.0.1:0"),
            ("GREETING", "hello"),
            ("PROCESS__HEALTH__ADDRESS", "127.0.0.1:0"),
        ];
        all.extend(settings);
        let mut child = child(&[], &all).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut process = Self { child, log, addresses: BTreeMap::new() };
        while process.addresses.len() < 2 {
            let line = process.log_line("listening").await;
            let address = line["address"].as_str().unwrap().parse().unwrap();
            process.addresses.insert(line["listener"].as_str().unwrap().to_owned(), address);
        }
        process
    }

    /// Reads the log (one JSON object a line) up to `message`.
    async fn log_line(&mut self, message: &str) -> serde_json::Value {
        loop {
            let line = self.log.next_line().await.unwrap().expect("the process ended");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["message"] == message {
                return line;
            }
        }
    }

    fn signal(&self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.addresses["health"]).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn exit_code(mut self) -> Option<i32> {
        let reading = async { while let Ok(Some(_)) = self.log.next_line().await {} };
        let (_, status) = tokio::join!(reading, self.child.wait());
        status.unwrap().code()
    }
}

async fn ask(stream: &mut BufReader<TcpStream>, question: &str) -> String {
    stream.get_mut().write_all(format!("{question}\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_line(&mut answer).await.unwrap();
    answer
}

async fn a_process_serves_drains_and_ends_well() {
    let (collector, mut spans) = collector().await;
    let endpoint = format!("http://{collector}");
    let settings =
        [("PROCESS__DRAIN__ACCEPT", "300ms"), ("PROCESS__TELEMETRY__TRACES__ENDPOINT", endpoint.as_str())];
    let mut process = Process::start(&settings).await;
    assert!(process.get("/livez").await.starts_with("HTTP/1.1 200"));
    let mut open = BufReader::new(TcpStream::connect(process.addresses["echo"]).await.unwrap());
    assert_eq!(ask(&mut open, "one").await, "hello one\n");
    while !process.get("/readyz").await.starts_with("HTTP/1.1 200") {}
    assert!(process.get("/metrics").await.contains("listener_connections_active{listener=\"echo\"} 1"));

    process.signal();
    process.log_line("draining").await;
    assert!(process.get("/readyz").await.starts_with("HTTP/1.1 503"), "not ready");
    let mut late = BufReader::new(TcpStream::connect(process.addresses["echo"]).await.unwrap());
    assert_eq!(ask(&mut late, "late").await, "hello late\n", "but still accepting");
    while TcpStream::connect(process.addresses["echo"]).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&mut open, "still").await, "hello still\n", "what is open goes on");
    ask(&mut open, "bye").await;
    ask(&mut late, "bye").await;
    assert_eq!(process.exit_code().await, Some(0));
    let mut exported = Vec::new();
    while let Ok(batch) = spans.try_recv() {
        exported.extend(batch);
    }
    let exported = String::from_utf8_lossy(&exported);
    assert!(exported.contains("greet-one") && exported.contains("greeter"), "{exported}");
    println!("a process serves, drains and ends well ... ok");
}

async fn a_second_signal_or_a_spent_budget_stops_hard() {
    let mut process = Process::start(&[]).await;
    let _open = TcpStream::connect(process.addresses["echo"]).await.unwrap();
    process.signal();
    process.log_line("draining").await;
    process.signal();
    process.log_line("second signal, stopping at once").await;
    assert_eq!(process.exit_code().await, Some(0));

    let settings = [("PROCESS__DRAIN__ACCEPT", "0s"), ("PROCESS__DRAIN__BUDGET", "100ms")];
    let process = Process::start(&settings).await;
    let mut open = BufReader::new(TcpStream::connect(process.addresses["echo"]).await.unwrap());
    ask(&mut open, "one").await;
    process.signal();
    assert_eq!(process.exit_code().await, Some(0));
    println!("a second signal or a spent budget stops hard ... ok");
}

/// An OTLP collector that keeps the raw bytes of each export.
async fn collector() -> (SocketAddr, mpsc::UnboundedReceiver<Bytes>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
                let sender = sender.clone();
                async move {
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let _ = sender.send(body);
                    // An empty message, and the status in the headers.
                    let response = Response::builder()
                        .header("content-type", "application/grpc")
                        .header("grpc-status", "0")
                        .body(Full::new(Bytes::new()));
                    Ok::<_, Infallible>(response.unwrap())
                }
            });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving);
        }
    });
    (address, receiver)
}
