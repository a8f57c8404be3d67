//! A server in a process of its own, that can be killed.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use raincheck_server::auth::ApiKey;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::server::{PATIENCE, STOPPED, absolute, client};

/// A program of this workspace, next to the tests in the target directory.
pub(crate) fn binary(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("this program has a path");
    let directory = tests.ancestors().nth(2).expect("tests are in target/PROFILE/deps");
    let path = directory.join(name);
    assert!(
        path.exists(),
        "{} is missing: `tests/run` builds it, and so does `cargo build -p raincheck-server -p raincheck-cli`",
        path.display()
    );
    path
}

/// How a server is started, again and again, on one data directory and with one root key.
pub(crate) struct Launch {
    /// The root key, with every role.
    pub(crate) key: String,
    program: PathBuf,
    before: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: Arc<TempDir>,
}

impl Launch {
    /// The real server, with the samples, on a fresh directory.
    pub(crate) fn new() -> Self {
        Self::of(binary("raincheck-server"))
    }

    /// Another program that prints the same two lines.
    pub(crate) fn of(program: PathBuf) -> Self {
        Self {
            key: ApiKey::generate().reveal().to_owned(),
            program,
            before: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: Arc::new(TempDir::new().expect("a temporary directory")),
        }
    }

    /// Writes a configuration file for it.
    pub(crate) fn config(self, toml: &str) -> Self {
        let path = self.directory().join("raincheck.toml");
        File::create(path)
            .and_then(|mut file| file.write_all(toml.as_bytes()))
            .expect("a configuration file");
        self
    }

    /// Adds an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Adds arguments.
    pub(crate) fn args<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.extend(arguments.map(str::to_owned));
        self
    }

    /// Runs it under another program.
    pub(crate) fn under<const N: usize>(mut self, before: [&str; N]) -> Self {
        self.before = before.map(str::to_owned).to_vec();
        self
    }

    /// The working directory: configuration, log and data are here.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory().join("data")
    }

    /// What it wrote to standard error, over all its starts.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.directory().join("stderr.log")
    }

    /// The command, for those who want to run it in another way. No variable of the tests' own gets through.
    pub(crate) fn command(&self) -> Command {
        let mut words = self.before.iter().map(PathBuf::from).chain([self.program.clone()]);
        let mut command = Command::new(words.next().expect("there is a program"));
        command
            .args(words)
            .args(&self.arguments)
            .current_dir(self.directory())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("RAINCHECK_LISTEN", "127.0.0.1:0")
            .env("RAINCHECK_ADMIN_LISTEN", "127.0.0.1:0")
            .env("RAINCHECK_DATA_DIR", self.data_dir())
            .env("RAINCHECK_ROOT_KEY", &self.key)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Starts it and waits until it says where it listens.
    pub(crate) async fn start(&self) -> ServerProcess {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut child =
            self.command().stdout(Stdio::piped()).stderr(log).spawn().expect("a program that starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let addresses = timeout(PATIENCE, async {
            let mut addresses = Vec::new();
            for prefix in ["listening on ", "management on "] {
                let line = lines.next_line().await.expect("readable").unwrap_or_default();
                addresses.push(line.strip_prefix(prefix)?.to_owned());
            }
            Some(addresses)
        });
        let Some(addresses) = addresses.await.expect("the server starts in time") else {
            panic!("the server does not say where it listens; its log:\n{}", self.log());
        };
        let [public, management] = addresses.try_into().expect("two lines");
        ServerProcess {
            http: client(),
            key: self.key.clone(),
            public,
            management,
            child,
            output: lines.into_inner(),
            log: self.log_path(),
            _directory: Arc::clone(&self.directory),
        }
    }
}

/// A server in a process of its own. Dropped, it is killed.
pub(crate) struct ServerProcess {
    /// A client without redirects, with connections of its own.
    pub(crate) http: reqwest::Client,
    /// The root key, with every role.
    pub(crate) key: String,
    public: String,
    management: String,
    child: Child,
    output: BufReader<ChildStdout>,
    log: PathBuf,
    _directory: Arc<TempDir>,
}

impl ServerProcess {
    /// The real server, with the samples, on a fresh directory.
    pub(crate) async fn start() -> Self {
        Launch::new().start().await
    }

    /// A URL of the public listener. An absolute one stays as it is.
    pub(crate) fn url(&self, path: &str) -> String {
        absolute(&self.public, path)
    }

    /// A URL of the management listener.
    pub(crate) fn admin(&self, path: &str) -> String {
        absolute(&self.management, path)
    }

    /// The SDK, with the root key.
    pub(crate) fn client(&self) -> raincheck::Client {
        raincheck::Client::builder(&*self.public).api_key(self.key.as_str()).build().expect("a client")
    }

    /// The id of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The memory that it has, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line of its memory");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
        kib << 10
    }

    /// What it prints after the first two lines.
    pub(crate) fn output(&mut self) -> &mut BufReader<ChildStdout> {
        &mut self.output
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) async fn kill9(mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// `kill -9` for a server that runs [under](Launch::under) another program, which sees that and ends by itself. The
    /// other way round, the server would live on.
    pub(crate) async fn kill9_under(self) {
        let pid = self.pid();
        let server = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it runs");
        let killed = Command::new("kill").arg("-KILL").args(server.split_whitespace()).status().await;
        assert!(killed.expect("`kill` is there").success());
        self.exited().await;
    }

    /// Sends SIGTERM.
    pub(crate) async fn signal_terminate(&self) {
        let sent = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status().await;
        assert!(sent.expect("`kill` is there").success());
    }

    /// Sends SIGTERM and waits until it is gone.
    pub(crate) async fn terminate(self) -> ExitStatus {
        self.signal_terminate().await;
        self.exited().await
    }

    /// Waits until it is gone.
    pub(crate) async fn exited(mut self) -> ExitStatus {
        timeout(STOPPED, self.child.wait()).await.expect("the server stops").expect("its status")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // A test that failed has said why.
        if !std::thread::panicking() {
            let log = std::fs::read(&self.log).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            assert!(!log.contains("panicked at"), "the server panicked:\n{log}");
        }
    }
}
