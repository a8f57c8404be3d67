//! The server under load, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::client::Client;

const CONFIG: &str = "raincheck.toml";
const KEY: &str = "rck_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(crate) struct Server {
    child: Child,
    data: Option<TempDir>,
    pub(crate) url: String,
    admin: Option<String>,
}

impl Server {
    pub(crate) async fn raincheck() -> Self {
        Self::raincheck_on(TempDir::new().expect("a temporary directory")).await
    }

    /// With this configuration.
    pub(crate) async fn raincheck_with(toml: &str) -> Self {
        let data = TempDir::new().expect("a temporary directory");
        std::fs::write(data.path().join(CONFIG), toml).expect("a configuration file");
        Self::raincheck_on(data).await
    }

    pub(crate) async fn raincheck_on(data: TempDir) -> Self {
        let mut child = Command::new(binary("raincheck-server"))
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            // Where it looks for its configuration.
            .current_dir(data.path())
            .env("RAINCHECK_ROOT_KEY", KEY)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut after = |intro: &str| {
            let line = lines.next().expect("a line").expect("text");
            line.strip_prefix(intro).unwrap_or_else(|| panic!("{line}")).to_owned()
        };
        let url = after("listening on ");
        let admin = after("management on ");
        Self { child, data: Some(data), url, admin: Some(admin) }
    }

    /// A bare warp route that answers with `body`.
    pub(crate) async fn bare(body: &str) -> Self {
        let mut child = Command::new(binary("bare-warp"))
            .arg(body)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the bare route starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Self { child, data: None, url: line.trim().to_owned(), admin: None }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.url.strip_prefix("http://").expect("http"), KEY).await
    }

    /// What the server has spent in user and kernel mode.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
        let ticks = |place: usize| fields[place].parse::<u64>().expect("a number");
        // In hundredths of a second, on every Linux there is.
        Duration::from_millis(10 * (ticks(11) + ticks(12)))
    }

    /// Resident bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line");
        line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") * 1024
    }

    /// How many transactions the store has committed, each with one sync.
    pub(crate) async fn commits(&self) -> f64 {
        let Some(admin) = &self.admin else { return 0.0 };
        let mut client = Client::connect(admin.strip_prefix("http://").expect("http"), KEY).await;
        let text = client.admin("/metrics").await.body;
        let line =
            text.lines().find(|line| line.starts_with("raincheck_store_commit_duration_seconds_count"));
        line.map_or(0.0, |line| line.split(' ').next_back().expect("a value").parse().expect("a number"))
    }

    /// Kills it, and gives its data to another.
    pub(crate) fn kill(mut self) -> TempDir {
        self.data.take().expect("it has data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A binary beside this one's folder; cargo builds only those of this crate.
fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("it has a path");
    let path = own.ancestors().nth(2).map(|release| release.join(name)).unwrap_or_default();
    assert!(
        Path::new(&path).exists(),
        "{} is not there: cargo build --release --workspace --bins",
        path.display()
    );
    path
}
