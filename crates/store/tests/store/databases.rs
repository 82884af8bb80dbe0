//! Databases for tests: a SQLite file each, or a database each of a real PostgreSQL, which lives as long as these tests.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use store::Store;
use tempfile::TempDir;

/// The name that tests open databases by.
pub const NODE: &str = "edge-1";
/// `nobody` and `nogroup`: PostgreSQL refuses to be root.
const NOBODY: u32 = 65534;

/// Makes a PostgreSQL in the folder `$2`, says `ready`, and takes it away when nobody holds the other end of its input:
/// so it ends with the tests however they end. No signal of a terminal keeps it from that. It sorts by the rules of
/// English, so that a column that should be compared by bytes is noticed.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
exec 2>>"$2/log"
"$1/initdb" -D "$2/data" -U offhook --auth=trust --no-sync --encoding=UTF8 --locale=C \
    --locale-provider=icu --icu-locale=en >&2 || exit 1
cat >>"$2/data/postgresql.conf" <<END
unix_socket_directories = '$2'
listen_addresses = ''
max_connections = 200
shared_buffers = '32MB'
fsync = off
synchronous_commit = off
full_page_writes = off
END
"$1/pg_ctl" -D "$2/data" -l "$2/log" -w start >&2 || exit 1
echo ready
read -r line
"$1/pg_ctl" -D "$2/data" -m immediate stop >&2
rm -rf "$2"
"#;

/// A database with the tables of this version and nothing in them.
pub struct Fresh {
    pub store: Store,
    pub url: String,
    _directory: Option<TempDir>,
}

impl Fresh {
    pub async fn sqlite() -> Self {
        let directory = TempDir::new().unwrap();
        let url = format!("sqlite://{}/offhook.db", directory.path().display());
        Self { store: Store::connect(&url, NODE).await.unwrap(), url, _directory: Some(directory) }
    }

    pub async fn postgres() -> Self {
        let url = Server::shared().database().await;
        Self { store: Store::connect(&url, NODE).await.unwrap(), url, _directory: None }
    }
}

/// A PostgreSQL of our own, reached by a socket in its folder.
pub struct Server {
    binaries: PathBuf,
    directory: PathBuf,
    keeper: Child,
}

impl Server {
    /// The one that tests share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub fn start() -> Self {
        let binaries = binaries().expect("PostgreSQL is not installed: run `make deps`");
        let directory = tempfile::Builder::new().prefix("offhook-pg-").tempdir().unwrap().keep();
        if is_root() {
            chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut keeper = as_nobody(Command::new("sh").arg("-c").arg(SCRIPT).arg("sh").args([&binaries, &directory]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let log = || std::fs::read_to_string(directory.join("log")).unwrap_or_default();
        assert_eq!(line, "ready\n", "PostgreSQL does not start:\n{}", log());
        Self { binaries, directory, keeper }
    }

    /// The URL of a new database.
    pub async fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        self.url(&name)
    }

    pub fn stop(&self) {
        self.control(&["-m", "fast", "stop"]);
    }

    pub fn start_again(&self) {
        self.control(&["start"]);
    }

    fn control(&self, what: &[&str]) {
        let mut command = Command::new(self.binaries.join("pg_ctl"));
        command
            .arg("-D")
            .arg(self.directory.join("data"))
            .arg("-l")
            .arg(self.directory.join("log"))
            .arg("-w")
            .args(what);
        assert!(as_nobody(&mut command).stdout(Stdio::null()).status().unwrap().success(), "{command:?}");
    }

    fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=offhook", self.directory.display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Nothing depends on how it ended.
        let _ = self.keeper.wait();
    }
}

fn as_nobody(command: &mut Command) -> &mut Command {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/").env("LC_ALL", "C")
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The folder of the newest PostgreSQL: Debian's own folders, then the PATH.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    debian.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has_it = |folder: &Path| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file());
    debian.into_iter().rev().map(|(_, folder)| folder).chain(std::env::split_paths(&path)).find(|folder| has_it(folder))
}
