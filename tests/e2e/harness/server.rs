//! A server in this process, on free ports and a directory of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use raincheck_server::auth::ApiKey;
use raincheck_server::config::Config;
use raincheck_server::samples::{Countdown, RequestApproval, SubmitTalk};
use raincheck_server::store::keys::{KeyStore, StoredKey};
use raincheck_server::store::sqlite::{SqliteOptions, SqliteStore};
use raincheck_server::{Listeners, ServeError, Server, ServerBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Answer;

/// How long anything here may take before a test gives up, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a server may take to stop when nothing is under way: less than its drain time, or it waits for nothing.
pub(crate) const STOPPED: Duration = Duration::from_secs(20);

/// A server in this process. Dropped, it is stopped as by a crash, and its data is deleted.
pub(crate) struct TestServer {
    /// A client without redirects, with connections of its own.
    pub(crate) http: reqwest::Client,
    /// The root key, with every role.
    pub(crate) key: String,
    public: String,
    management: String,
    running: Option<Running>,
    directory: Arc<TempDir>,
}

struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

/// Registers actions, as the configuration says.
type Register = Box<dyn FnOnce(ServerBuilder, &Config) -> ServerBuilder + Send>;

/// A server that is about to start.
pub(crate) struct Setup {
    config: Config,
    actions: Register,
    directory: Arc<TempDir>,
}

impl Setup {
    /// The default configuration and the samples.
    pub(crate) fn new() -> Self {
        Self {
            config: Config::default(),
            actions: Box::new(|builder, config| {
                if !config.samples.enabled {
                    return builder;
                }
                let talk = SubmitTalk::from(&config.samples.submit_talk);
                builder
                    .license("MIT OR Apache-2.0")
                    .action(talk)
                    .action(RequestApproval::default())
                    .action(Countdown)
            }),
            directory: Arc::new(TempDir::new().expect("a temporary directory")),
        }
    }

    /// The same on the data of another server, which must have stopped when this one starts, and with its key.
    pub(crate) fn after(server: &TestServer) -> Self {
        let directory = Arc::clone(&server.directory);
        let key = ApiKey::parse(&server.key).expect("a key");
        Self { directory, ..Self::new() }.config(|config| config.root_key = Some(key))
    }

    /// Changes the configuration.
    pub(crate) fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Adds actions to the samples, or anything else to the builder.
    pub(crate) fn builder(
        mut self,
        change: impl FnOnce(ServerBuilder) -> ServerBuilder + Send + 'static,
    ) -> Self {
        let before = self.actions;
        self.actions = Box::new(|builder, config| change(before(builder, config)));
        self
    }

    /// Starts the server.
    pub(crate) async fn start(self) -> TestServer {
        let Self { mut config, actions, directory } = self;
        let key = config.root_key.get_or_insert_with(ApiKey::generate).reveal().to_owned();
        config.data_dir = data_dir(directory.path());
        let public = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let management = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("bound"));
        let (public_url, management_url) = (address(&public), address(&management));
        let server = actions(Server::builder(), &config)
            .config(config)
            .build()
            .await
            .expect("a server that can be built");
        let (stop, stopped) = oneshot::channel();
        let listeners = Listeners { public, management };
        let task = tokio::spawn(server.run(listeners, async { drop(stopped.await) }));
        TestServer {
            http: client(),
            key,
            public: public_url,
            management: management_url,
            running: Some(Running { stop, task }),
            directory,
        }
    }
}

impl TestServer {
    /// A server with the samples and the default configuration.
    pub(crate) async fn start() -> Self {
        Setup::new().start().await
    }

    /// The same with more actions.
    pub(crate) async fn with(change: impl FnOnce(ServerBuilder) -> ServerBuilder + Send + 'static) -> Self {
        Setup::new().builder(change).start().await
    }

    /// The same with another configuration.
    pub(crate) async fn with_config(change: impl FnOnce(&mut Config)) -> Self {
        Setup::new().config(change).start().await
    }

    /// A URL of the public listener. An absolute one, such as a `Location`, stays as it is.
    pub(crate) fn url(&self, path: &str) -> String {
        absolute(&self.public, path)
    }

    /// A URL of the management listener.
    pub(crate) fn admin(&self, path: &str) -> String {
        absolute(&self.management, path)
    }

    /// Where the data is.
    pub(crate) fn data_dir(&self) -> std::path::PathBuf {
        data_dir(self.directory.path())
    }

    /// The SDK, with the root key.
    pub(crate) fn client(&self) -> raincheck::Client {
        raincheck::Client::builder(self.url("")).api_key(self.key.as_str()).build().expect("a client")
    }

    /// Makes a key with these roles, as `keys create` does beside a running server, and waits until it is known.
    pub(crate) async fn key_with(&self, roles: &[&str], name: &str) -> String {
        let key = ApiKey::generate();
        let stored = StoredKey {
            hash: key.hash(),
            name: name.to_owned(),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            actions: Vec::new(),
            created_at: jiff::Timestamp::now(),
            revoked_at: None,
        };
        let keys = SqliteStore::open_keys(&SqliteOptions::new(self.data_dir())).expect("the keys");
        assert!(keys.add_key(stored).await.expect("the keys"), "there is a key `{name}` already");
        // The server reads its keys again after a second, and only when one is looked up.
        let unknown = self.url("/v1/actions/countdown/operations/00000000-0000-7000-8000-000000000000");
        let known = async {
            while Answer::to(self.http.get(&unknown).bearer_auth(key.reveal())).await.status == 401 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, known).await.expect("the server notices a new key");
        key.reveal().to_owned()
    }

    /// Revokes the keys of that name, as `keys revoke` does beside a running server, and waits until that is known.
    pub(crate) async fn revoke(&self, name: &str, key: &str) {
        let keys = SqliteStore::open_keys(&SqliteOptions::new(self.data_dir())).expect("the keys");
        assert_eq!(keys.revoke_keys(name, jiff::Timestamp::now()).await.expect("the keys"), 1);
        let unknown = self.url("/v1/actions/countdown/operations/00000000-0000-7000-8000-000000000000");
        let revoked = async {
            while Answer::to(self.http.get(&unknown).bearer_auth(key)).await.status != 401 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, revoked).await.expect("the server notices that a key is gone");
    }

    /// `GET`, with the root key.
    pub(crate) async fn get(&self, url: &str) -> Answer {
        Answer::to(self.http.get(self.url(url)).bearer_auth(&self.key)).await
    }

    /// `GET`, with nothing but what the URL has.
    pub(crate) async fn get_bare(&self, url: &str) -> Answer {
        Answer::to(self.http.get(self.url(url))).await
    }

    /// `POST` of JSON, with the root key.
    pub(crate) async fn post(&self, url: &str, body: Value) -> Answer {
        Answer::to(self.http.post(self.url(url)).bearer_auth(&self.key).json(&body)).await
    }

    /// `POST` of JSON with more headers, with the root key.
    pub(crate) async fn post_with(&self, url: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let request = self.http.post(self.url(url)).bearer_auth(&self.key).json(&body);
        Answer::to(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    /// Polls a status URL, held by the server until something changes, until the operation has ended.
    pub(crate) async fn ended(&self, location: &str) -> Answer {
        let ended = async {
            loop {
                let answer = Answer::to(self.http.get(location).header("prefer", "wait=10")).await;
                if answer.status != 202 {
                    return answer;
                }
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("the operation ends")
    }

    /// Stops the server in good order.
    pub(crate) async fn stop(mut self) {
        let Running { stop, task } = self.running.take().expect("it runs");
        drop(stop);
        let ended = tokio::time::timeout(STOPPED, task).await.expect("the server stops");
        ended.expect("the server does not panic").expect("the server does not fail");
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let Some(Running { stop: _, task }) = self.running.take() else { return };
        let ended = task.is_finished();
        task.abort();
        // A test that failed has said why.
        if !std::thread::panicking() {
            assert!(!ended, "the server ended by itself");
        }
    }
}

/// A client without redirects and proxies, with connections of its own.
pub(crate) fn client() -> reqwest::Client {
    let none = reqwest::redirect::Policy::none();
    reqwest::Client::builder().redirect(none).no_proxy().timeout(PATIENCE).build().expect("a client")
}

pub(crate) fn absolute(base: &str, path: &str) -> String {
    if path.starts_with("http://") { path.to_owned() } else { format!("{base}{path}") }
}

fn data_dir(directory: &Path) -> std::path::PathBuf {
    directory.join("data")
}
