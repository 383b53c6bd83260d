//! Starting PostgreSQL for one owner.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Starting takes well under a second, recovery after a crash a few.
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// Runs the server until standard input ends (the owner closed it or died), then stops it: `$1` signal, `$2`
/// folder to remove or empty, the rest the server's command line.
const WATCHDOG: &str = r#"signal=$1; folder=$2; shift 2
"$@" & server=$!
cat >/dev/null
kill -"$signal" "$server" 2>/dev/null
wait "$server"
[ -z "$folder" ] || rm -rf "$folder""#;

/// How a private server runs.
#[derive(Debug, Clone, Default)]
pub struct PrivatePostgresOptions {
    /// Where the data is kept; none: a temporary folder that is removed at the end.
    pub data_dir: Option<PathBuf>,
    /// Whether commits reach the disk; off is right only for data that may be lost.
    pub fsync: bool,
}

/// The server cannot be started or used.
#[derive(Debug, thiserror::Error)]
pub enum PrivatePostgresError {
    /// The system has no PostgreSQL server.
    #[error("PostgreSQL's initdb and postgres were not found; install the package `postgresql`")]
    NotInstalled,
    /// A file or program failed.
    #[error("private PostgreSQL: {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A program of PostgreSQL gave up.
    #[error("private PostgreSQL: {what} failed: {output}")]
    Program {
        /// The program.
        what: &'static str,
        /// What it said.
        output: String,
    },
    /// The server does not do what it is asked.
    #[error("private PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
}

/// A running server. Dropping it stops the server (without waiting for that).
#[derive(Debug)]
pub struct PrivatePostgres {
    watchdog: Child,
    socket_dir: PathBuf,
}

impl PrivatePostgres {
    /// Makes the data folder if it is missing, starts the server and waits until it answers.
    ///
    /// # Errors
    /// No PostgreSQL on the system, or it does not start.
    pub async fn start(options: PrivatePostgresOptions) -> Result<Self, PrivatePostgresError> {
        let launched = tokio::task::spawn_blocking(move || launch(&options)).await;
        let (mut server, log) = launched.map_err(|error| failed("start", io::Error::other(error)))??;
        server.wait_until_ready(&log).await?;
        Ok(server)
    }

    /// The URL of `database` on this server.
    pub fn url(&self, database: &str) -> String {
        let folder = self.socket_dir.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@localhost/{database}?host={folder}&sslmode=disable")
    }

    /// Makes `database` unless it is there.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn create_database(&self, database: &str) -> Result<(), PrivatePostgresError> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(database)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            let create = format!("CREATE DATABASE \"{}\"", database.replace('"', "\"\""));
            sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await?;
        }
        connection.close().await?;
        Ok(())
    }

    /// Stops the server (open connections are cut) and waits for its end.
    ///
    /// # Errors
    /// The server's process cannot be waited for.
    pub async fn stop(mut self) -> io::Result<()> {
        drop(self.watchdog.stdin.take());
        tokio::task::spawn_blocking(move || self.watchdog.wait()).await.map_err(io::Error::other)??;
        Ok(())
    }

    async fn wait_until_ready(&mut self, log: &Path) -> Result<(), PrivatePostgresError> {
        let url = self.url("postgres");
        let ready = async {
            loop {
                if let Ok(connection) = PgConnection::connect(&url).await {
                    let _ = connection.close().await;
                    return true;
                }
                // The watchdog goes on after the server gave up, so the log is asked too.
                if matches!(self.watchdog.try_wait(), Ok(Some(_))) || gave_up(log) {
                    return false;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        match tokio::time::timeout(START_LIMIT, ready).await {
            Ok(true) => Ok(()),
            _ => {
                let output = fs::read_to_string(log).unwrap_or_default();
                Err(PrivatePostgresError::Program { what: "postgres", output })
            }
        }
    }
}

fn gave_up(log: &Path) -> bool {
    let log = fs::read_to_string(log).unwrap_or_default();
    // Before logging works, `postgres` complains under its own name.
    log.lines().any(|line| {
        line.starts_with("postgres: ") || (line.contains("FATAL:") && !line.contains("starting up"))
    })
}

fn launch(options: &PrivatePostgresOptions) -> Result<(PrivatePostgres, PathBuf), PrivatePostgresError> {
    let binaries = binaries()?;
    let user = ServerUser::choose()?;
    // Socket paths are limited to 107 bytes, so the socket is never below a long data folder.
    let folder = tempfile::Builder::new()
        .prefix("staffetta-postgres-")
        .tempdir_in("/tmp")
        .map_err(|source| failed("temporary folder", source))?;
    let run_dir = folder.path().to_owned();
    user.own(&run_dir)?;
    let data_dir = options.data_dir.clone().unwrap_or_else(|| run_dir.join("data"));
    if !data_dir.join("PG_VERSION").exists() {
        fs::create_dir_all(&data_dir).map_err(|source| failed(data_dir.display(), source))?;
        user.own(&data_dir)?;
        initialise(&binaries, &data_dir, user)?;
    }
    let log = run_dir.join("postgres.log");
    let log_file = fs::File::create(&log).map_err(|source| failed(log.display(), source))?;
    let log_too = log_file.try_clone().map_err(|source| failed(log.display(), source))?;
    // Data that is thrown away need not be shut down in order.
    let signal = if options.data_dir.is_some() { "INT" } else { "QUIT" };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCHDOG, "sh", signal]).arg(&run_dir).arg(binaries.join("postgres"));
    command.arg("-D").arg(&data_dir).arg("-k").arg(&run_dir);
    command.args(["-c", "listen_addresses=", "-c", "max_connections=300"]);
    if !options.fsync {
        command.args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"]);
    }
    user.set(&mut command);
    let watchdog = command
        .current_dir(&run_dir)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(log_too)
        .stderr(log_file)
        .spawn()
        .map_err(|source| failed("postgres", source))?;
    // From here on the watchdog removes it.
    let _ = folder.keep();
    Ok((PrivatePostgres { watchdog, socket_dir: run_dir }, log))
}

fn initialise(binaries: &Path, data_dir: &Path, user: ServerUser) -> Result<(), PrivatePostgresError> {
    let mut command = Command::new(binaries.join("initdb"));
    command.args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", "-D"]);
    command.arg(data_dir).current_dir("/tmp").stdin(Stdio::null());
    user.set(&mut command);
    let output = command.output().map_err(|source| failed("initdb", source))?;
    if output.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(PrivatePostgresError::Program { what: "initdb", output })
}

/// The folder with `initdb` and `postgres`: on the PATH, or where Debian puts them, newest version first.
fn binaries() -> Result<PathBuf, PrivatePostgresError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort();
    let debian = versions.into_iter().rev().map(|(_, path)| path);
    std::env::split_paths(&path)
        .chain(debian)
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .ok_or(PrivatePostgresError::NotInstalled)
}

/// PostgreSQL refuses to run as root.
#[derive(Debug, Clone, Copy)]
enum ServerUser {
    Same,
    Other { uid: u32, gid: u32 },
}

impl ServerUser {
    fn choose() -> Result<Self, PrivatePostgresError> {
        let own = fs::metadata("/proc/self").map_err(|source| failed("/proc/self", source))?.uid();
        if own != 0 {
            return Ok(Self::Same);
        }
        let passwd = fs::read_to_string("/etc/passwd").map_err(|source| failed("/etc/passwd", source))?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| {
                let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
                let mut ids = line.split(':').skip(2).map(|id| id.parse().ok());
                Some(Self::Other { uid: ids.next()??, gid: ids.next()?? })
            })
            .ok_or_else(|| failed("user postgres", io::ErrorKind::NotFound.into()))
    }

    fn own(self, folder: &Path) -> Result<(), PrivatePostgresError> {
        let failed = |source| failed(folder.display(), source);
        if let Self::Other { uid, gid } = self {
            chown(folder, Some(uid), Some(gid)).map_err(failed)?;
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)
    }

    fn set(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }
}

fn failed(what: impl ToString, source: io::Error) -> PrivatePostgresError {
    PrivatePostgresError::Io { what: what.to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn kept_data_is_there_after_a_restart_and_the_socket_is_gone_after_a_stop() {
        let folder = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let options = PrivatePostgresOptions { data_dir: Some(folder.path().join("data")), fsync: true };
        let server = PrivatePostgres::start(options.clone()).await.unwrap();
        server.create_database("kept").await.unwrap();
        server.create_database("kept").await.unwrap();
        let run_dir = server.socket_dir.clone();
        server.stop().await.unwrap();
        assert!(!run_dir.exists());

        let server = PrivatePostgres::start(options).await.unwrap();
        PgConnection::connect(&server.url("kept")).await.unwrap().close().await.unwrap();
        server.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_used_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("PG_VERSION"), "1\n").unwrap();
        let options = PrivatePostgresOptions { data_dir: Some(folder.path().to_owned()), fsync: false };
        let error = PrivatePostgres::start(options).await.unwrap_err();
        assert!(matches!(error, PrivatePostgresError::Program { what: "postgres", .. }), "{error}");
    }
}
