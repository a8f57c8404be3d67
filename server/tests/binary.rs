//! The binary as scripts and service managers see it: its lines, its files, its exit codes.

#![expect(clippy::unwrap_used, reason = "this is a test")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use tempfile::TempDir;

/// `raincheck-server` in a directory of its own, without the surroundings of this test.
fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raincheck-server"));
    command.args(arguments).current_dir(directory).env_clear().stdin(Stdio::null());
    command
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server on free ports. Killed when the test is over, however it ends.
struct Server {
    process: Child,
    out: BufReader<ChildStdout>,
}

const FREE_PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

impl Server {
    fn start(directory: &Path) -> Self {
        let mut command = command(directory, &FREE_PORTS);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        Self { process, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Its exit code, and what it still had to say.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.process.wait().unwrap().code(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_server_says_where_it_is_and_ends_in_good_order_when_told_to() {
    for signal in ["-TERM", "-INT"] {
        let directory = directory();
        let mut server = Server::start(directory.path());

        let (public, management) = (server.line(), server.line());
        let (code, _) = server.end(signal);

        assert!(public.starts_with("listening on http://127.0.0.1:") && !public.ends_with(":0"), "{public}");
        assert!(management.starts_with("management on http://127.0.0.1:"), "{management}");
        assert_eq!(code, Some(0), "{signal}");
    }
}

#[test]
fn the_first_start_shows_a_development_key_and_later_ones_only_where_it_is() {
    let directory = directory();
    let mut first = Server::start(directory.path());
    first.line();
    let (_, introduction) = first.end("-TERM");
    let file = directory.path().join("raincheck-data/development-key");
    let key = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert!(introduction.contains(&key) && introduction.contains("curl "), "{introduction}");

    let mut second = Server::start(directory.path());
    second.line();
    let (_, introduction) = second.end("-TERM");

    assert!(!introduction.contains(&key), "{introduction}");
    assert!(introduction.contains("raincheck-data/development-key"), "{introduction}");
}

#[test]
fn a_second_server_on_one_data_directory_is_told_so() {
    let directory = directory();
    let mut first = Server::start(directory.path());
    first.line();

    let second = run(directory.path(), &FREE_PORTS);

    assert_eq!(second.status.code(), Some(1));
    assert!(
        errors(&second).contains("another raincheck server is running on ./raincheck-data"),
        "{second:?}"
    );
}

#[test]
fn keys_are_made_and_revoked_beside_a_running_server() {
    let directory = directory();
    let mut server = Server::start(directory.path());
    server.line();
    let keys = |arguments: &[&str]| run(directory.path(), &[&["keys"], arguments].concat());

    let made = keys(&["create", "--name", "flow", "--role", "start"]);
    let again = keys(&["create", "--name", "flow", "--role", "start"]);
    let listed = String::from_utf8(keys(&["list"]).stdout).unwrap();
    let revoked = keys(&["revoke", "flow"]);

    let key = String::from_utf8(made.stdout).unwrap();
    assert!(key.starts_with("rck_") && key.trim_end().len() == 47, "one line, for scripts: {key:?}");
    assert_eq!(again.status.code(), Some(1));
    assert!(listed.contains("flow") && !listed.contains(key.trim_end()), "{listed}");
    assert!(revoked.status.success());
}

#[test]
fn an_address_in_use_is_an_error_that_says_what_to_do() {
    let directory = directory();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let output = run(directory.path(), &["--listen", &address, "--admin-listen", "127.0.0.1:0"]);

    assert_eq!(output.status.code(), Some(1));
    let errors = errors(&output);
    assert!(
        errors.contains(&format!("cannot listen on {address}: something listens there already")),
        "{errors}"
    );
}

#[test]
fn a_wrong_usage_or_configuration_exits_with_2_and_touches_nothing() {
    let directory = directory();
    std::fs::write(directory.path().join("raincheck.toml"), "listn = \"127.0.0.1:0\"").unwrap();

    let configuration = run(directory.path(), &["check"]);
    let usage = run(directory.path(), &["keys", "create", "--name", "flow"]);

    assert_eq!((configuration.status.code(), usage.status.code()), (Some(2), Some(2)));
    let errors = errors(&configuration);
    assert!(
        errors.contains("raincheck.toml:1: `listn`: no such setting; allowed here: listen, "),
        "{errors}"
    );
    assert!(!directory.path().join("raincheck-data").exists());
}

#[test]
fn a_good_configuration_is_told_to_be_good() {
    let directory = directory();
    std::fs::write(directory.path().join("mine.toml"), include_str!("../raincheck.toml")).unwrap();

    let output = run(directory.path(), &["check", "--config", "mine.toml"]);

    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "mine.toml: the configuration is good\n");
}

#[test]
fn the_document_is_printed_without_a_store() {
    let directory = directory();

    let output = run(directory.path(), &["openapi"]);

    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/v1/actions/submit-talk"]["post"].is_object());
    assert!(!directory.path().join("raincheck-data").exists());
}
