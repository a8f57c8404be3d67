//! What callers see, over a real store and engine, without sockets; and what connections may do, with them.

mod access;
mod choices;
mod connections;
mod cors;
mod errors;
mod events;
mod idempotency;
mod management;
mod order;
mod shield;
mod start;
mod status;
mod trigger;
mod updates;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tempfile::TempDir;

use super::call::loopback;
use super::front::Front;
use super::{App, HttpSettings};
use crate::action::{Actions, Registry};
use crate::auth::{ApiKey, Authenticator};
use crate::capability::Signer;
use crate::clock::{Clock, ManualClock};
use crate::content::ContentSecret;
use crate::engine::{Engine, HandlerLimits, Parts};
use crate::operations::{Limits, Operations};
use crate::outbound::{Outbound, OutboundConfig};
use crate::samples::{Countdown, RequestApproval};
use crate::store::Store;
use crate::store::keys::{KeyStore, StoredKey};
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::watch::Watchers;
use crate::webhooks::{WebhookSettings, Webhooks};

/// A server without its sockets, at a time that stands still.
struct World {
    clock: ManualClock,
    app: Arc<App>,
    store: Arc<SqliteStore>,
    engine: Engine,
    public: Front,
    management: Front,
    key: String,
    _directory: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl World {
    async fn new() -> Self {
        Self::with(HttpSettings::default(), Limits::default()).await
    }

    async fn with(settings: HttpSettings, limits: Limits) -> Self {
        Self::on(settings, limits, |options| options).await
    }

    async fn on(
        settings: HttpSettings,
        limits: Limits,
        change: impl FnOnce(SqliteOptions) -> SqliteOptions,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let clock = ManualClock::at("2026-11-24T08:00:00Z".parse().unwrap());
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let store = Arc::new(SqliteStore::open(change(SqliteOptions::new(directory.path()))).unwrap());
        let signer = Arc::new(Signer::new(store.link_secrets().await.unwrap()).unwrap());
        let mut registry = Registry::default();
        registry.register(Countdown, Duration::ZERO).unwrap();
        registry.register(RequestApproval::default(), Duration::ZERO).unwrap();
        registry.register(shield::Shielded::<false>, Duration::ZERO).unwrap();
        registry.register(shield::Shielded::<true>, Duration::ZERO).unwrap();
        let registry = Arc::new(Actions::new(registry));
        let watchers = Watchers::default();
        let engine = Engine::new(Parts {
            store: store.clone(),
            actions: Arc::clone(&registry),
            watchers: watchers.clone(),
            clock: Arc::clone(&time),
            event_url: Box::new(|_, _| String::new()),
            limits: HandlerLimits::default(),
        })
        .unwrap();
        engine.recover().await.unwrap();
        let key = ApiKey::generate();
        let operations = Operations::new(
            store.clone(),
            engine.clone(),
            Arc::clone(&registry),
            watchers,
            Arc::clone(&time),
            limits,
            signer.newest(),
        );
        let authenticator = Arc::new(Authenticator::new(store.clone(), Arc::clone(&time), Some(&key)));
        let webhooks = Webhooks::start(crate::webhooks::Parts {
            store: store.clone(),
            subscriptions: store.clone(),
            actions: registry,
            authenticator: Arc::clone(&authenticator),
            clock: time,
            outbound: Outbound::new(OutboundConfig::default()).unwrap(),
            present: super::present("http://127.0.0.1:8080".to_owned()),
            settings: WebhookSettings { pauses: vec![], patience: Duration::ZERO, most: 3 },
            link_key: signer.newest(),
        })
        .await
        .unwrap();
        let app = Arc::new(App::new(super::Parts {
            public: "127.0.0.1:8080".parse().unwrap(),
            operations,
            signer,
            webhooks,
            authenticator,
            content_secret: ContentSecret::new(store.content_secret().await.unwrap()),
            settings,
            document: Arc::new(ArcSwap::from_pointee(Bytes::from_static(b"{\"openapi\":\"3.1.0\"}"))),
            metrics: Box::new(|| "up 1\n".to_owned()),
        }));
        Self {
            public: Front::public(Arc::clone(&app)),
            management: Front::management(Arc::clone(&app)),
            clock,
            app,
            store,
            engine,
            key: key.reveal().to_owned(),
            _directory: directory,
        }
    }

    /// Makes a key with these roles.
    async fn key_with(&self, roles: &[&str], name: &str) -> String {
        let key = ApiKey::generate();
        let stored = StoredKey {
            hash: key.hash(),
            name: name.to_owned(),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            actions: Vec::new(),
            created_at: self.clock.now(),
            revoked_at: None,
        };
        assert!(self.store.add_key(stored).await.unwrap());
        self.clock.advance(Duration::from_secs(1));
        key.reveal().to_owned()
    }

    async fn get(&self, url: &str) -> Answer {
        self.send(request(Method::GET, url, &[], "")).await
    }

    /// A request with the key that has every role.
    async fn call(&self, method: Method, url: &str, headers: &[(&str, &str)], body: &'static str) -> Answer {
        let mut all = vec![("x-api-key", &*self.key)];
        all.extend_from_slice(headers);
        self.send(request(method, url, &all, body)).await
    }

    async fn post(&self, url: &str, headers: &[(&str, &str)], body: &'static str) -> Answer {
        self.call(Method::POST, url, headers, body).await
    }

    async fn admin(&self, method: Method, url: &str, body: &'static str) -> Answer {
        let request = request(method, url, &[("x-api-key", &self.key)], body);
        Answer::read(self.management.answer(request, loopback()).await).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        Answer::read(self.public.answer(request, loopback()).await).await
    }

    /// Starts an approval, which runs until it is decided. Its status URL.
    async fn approval(&self) -> String {
        let answer = self.post("/v1/actions/request-approval", &[], r#"{"subject":"x"}"#).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.header("location").to_owned()
    }

    /// Starts a countdown without waits, and waits until it has ended. Its status URL.
    async fn countdown(&self, input: &'static str) -> String {
        let answer = self.post("/v1/actions/countdown", &[("prefer", "wait=30")], input).await;
        assert!(answer.status != 202, "{answer:?}");
        answer.header("location").to_owned()
    }

    /// Waits until a request is held.
    async fn held(&self) {
        let waiting = async {
            while self.app.holds.total_held() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
    }

    /// Asks the monitor until the operation has gone so far. The clock stands still meanwhile.
    async fn until(&self, location: &str, enough: impl Fn(&Value) -> bool) -> Value {
        let (url, token) = location.split_once('?').unwrap();
        let monitor = format!("{url}/status?{token}");
        let waiting = async {
            loop {
                let view = self.get(&monitor).await.json();
                if enough(&view) {
                    return view;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it gets there")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let (engine, store) = (self.engine.clone(), Arc::clone(&self.store));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                engine.shut_down(Duration::ZERO).await;
                let _ = store.close().await;
            });
        });
    }
}

impl Answer {
    async fn read(answer: warp::reply::Response) -> Self {
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Self {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        };
        answer.check();
        answer
    }

    // What is true of every answer.
    fn check(&self) {
        assert!(self.headers.contains_key("x-request-id"), "{self:?}");
        let retry_after = self.headers.contains_key("retry-after");
        assert!(!retry_after || matches!(self.status.as_u16(), 200 | 202 | 304 | 429 | 503), "{self:?}");
        if self.status.is_client_error() || self.status.is_server_error() {
            let problem: raincheck_openapi::Problem = serde_json::from_str(&self.text).unwrap();
            assert_eq!(problem.status, self.status.as_u16());
            assert_eq!(problem.request_id, self.header("x-request-id"));
            assert_eq!((&problem.error.code, &problem.error.message), (&problem.code, &problem.detail));
            assert!(!problem.instance.contains('?'), "{self:?}");
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("{name}: {self:?}")).to_str().unwrap()
    }

    /// Whether it asks to come back at the pace of `request-approval`, which is two seconds, more or less.
    fn is_paced(&self) -> bool {
        ["1", "2", "3"].contains(&self.header("retry-after"))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn request(method: Method, url: &str, headers: &[(&str, &str)], body: &'static str) -> Request<Full<Bytes>> {
    let target = url.strip_prefix("http://127.0.0.1:8080").unwrap_or(url);
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body)).unwrap()
}

/// A status URL's path and token.
fn parts(location: &str) -> (String, String) {
    let (url, token) = location.split_once("?token=").unwrap();
    (url.to_owned(), token.to_owned())
}
