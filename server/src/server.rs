//! A server: actions, a configuration, and two listeners.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use raincheck_openapi::connector::{ConnectorError, ConnectorFile, ConnectorSettings, connector};
use raincheck_openapi::document::{DocumentError, DocumentSettings};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::action::{Action, Actions, Registered, RegistryError};
use crate::auth::Authenticator;
use crate::capability::{BadSecrets, Right, Signer};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError, ConnectorConfig, WebhooksConfig};
use crate::content::ContentSecret;
use crate::declared;
use crate::document;
use crate::engine::{Engine, HandlerLimits, Parts};
use crate::http::{self, App, HttpLimits, HttpSettings, RenderMetrics};
use crate::operations::{Limits, Operations};
use crate::outbound::{NoClient, Outbound};
use crate::store::keys::KeyStore;
use crate::store::sqlite::{OpenError, SqliteOptions, SqliteStore};
use crate::store::{Store, StoreError};
use crate::watch::Watchers;
use crate::webhooks::{self, WebhookSettings, Webhooks};

mod reload;
mod trial;

pub use reload::Reloader;
use reload::{Offer, Prepared, Reloads};
pub use trial::{Glimpse, Tried, TryError};

/// A server that is ready to run.
///
/// ```no_run
/// use raincheck_server::samples::Countdown;
/// use raincheck_server::{Listeners, Server};
/// use tokio::net::TcpListener;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::builder().action(Countdown).build().await?;
/// let listeners = Listeners {
///     public: TcpListener::bind("127.0.0.1:8080").await?,
///     management: TcpListener::bind("127.0.0.1:8081").await?,
/// };
/// server.run(listeners, async { let _ = tokio::signal::ctrl_c().await; }).await?;
/// # Ok(())
/// # }
/// ```
pub struct Server {
    config: Config,
    actions: Arc<Actions>,
    reloads: Reloads,
    store: Arc<SqliteStore>,
    signer: Arc<Signer>,
    content_secret: ContentSecret,
    document: Arc<ArcSwap<Bytes>>,
    metrics: RenderMetrics,
    clock: Arc<dyn Clock>,
    outbound: Outbound,
}

/// Where a server listens. Bound by whoever runs it, so that port 0 and inherited sockets work alike.
#[derive(Debug)]
pub struct Listeners {
    /// The public API.
    pub public: TcpListener,
    /// The management API.
    pub management: TcpListener,
}

/// Puts a server together; made by [`Server::builder`].
#[must_use = "a builder does nothing until it builds"]
pub struct ServerBuilder {
    config: Config,
    actions: Vec<Arc<Registered>>,
    license: Option<String>,
    metrics: RenderMetrics,
    clock: Arc<dyn Clock>,
    store: Option<SqliteOptions>,
}

/// Why a server cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An action.
    #[error(transparent)]
    Action(#[from] RegistryError),
    /// The OpenAPI document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The connector.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The data directory.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client for outgoing calls.
    #[error(transparent)]
    Outbound(#[from] NoClient),
    /// The keys that sign links.
    #[error("the keys that sign links: {0}")]
    LinkKeys(#[from] BadSecrets),
}

/// Why a server stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread or a listener.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Server {
    /// Begins a server with the default configuration, without actions.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            config: Config::default(),
            actions: Vec::new(),
            license: None,
            metrics: Box::new(String::new),
            clock: Arc::new(SystemClock),
            store: None,
        }
    }

    /// What gives this server other declared actions while it runs.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        self.reloads.reloader().clone()
    }

    /// Takes up what an earlier process left, then serves until `shutdown`: stops accepting, answers what is under way,
    /// lets running steps end, and leaves every operation that has not ended to the next process.
    ///
    /// # Errors
    /// If the store cannot be read, or a thread cannot be started.
    ///
    /// # Cancel safety
    /// Dropping it is like a crash: nothing that was accepted is lost, and steps may run again.
    pub async fn run(
        self,
        listeners: Listeners,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let Self {
            config,
            actions,
            reloads,
            store,
            signer,
            content_secret,
            document,
            metrics,
            clock,
            outbound,
        } = self;
        let public = listeners.public.local_addr()?;
        let settings = http_settings(&config);
        let watchers = Watchers::default();
        let engine = Engine::new(Parts {
            store: store.clone(),
            actions: Arc::clone(&actions),
            watchers: watchers.clone(),
            clock: Arc::clone(&clock),
            event_url: event_url(&settings, public, &signer),
            limits: handler_limits(&config),
        })?;
        let recovered = engine.recover().await?;
        tracing::info!(operations = recovered, store.name = "sqlite", "ready");
        let operations = Operations::new(
            store.clone(),
            engine.clone(),
            Arc::clone(&actions),
            watchers,
            Arc::clone(&clock),
            operation_limits(&config),
            signer.newest(),
        );
        let authenticator =
            Arc::new(Authenticator::new(store.clone(), Arc::clone(&clock), config.root_key.as_ref()));
        let webhooks = Webhooks::start(webhooks::Parts {
            store: store.clone(),
            subscriptions: store.clone(),
            actions,
            authenticator: Arc::clone(&authenticator),
            clock,
            outbound,
            present: http::present(http::own_base(&settings, public)),
            settings: webhook_settings(&config),
            link_key: signer.newest(),
        })
        .await?;
        let app = Arc::new(App::new(http::Parts {
            public,
            operations,
            signer,
            authenticator,
            webhooks,
            content_secret,
            settings,
            document: Arc::clone(&document),
            metrics,
        }));

        let (stop, stopping) = watch::channel(());
        let stopped = || {
            let mut stopping = stopping.clone();
            // An error says that the sender is gone, which stops the listeners as well.
            async move { drop(stopping.changed().await) }
        };
        let public = http::serve_public(listeners.public, Arc::clone(&app), stopped());
        let management = http::serve_management(listeners.management, Arc::clone(&app), stopped());
        let ending = async {
            shutdown.await;
            app.operations.drain();
            let _ = stop.send(());
        };
        let serving = async { tokio::join!(public, management, ending) };
        tokio::select! {
            _ = serving => {}
            () = reloads.carry_out(&engine, &document) => {}
        }
        engine.shut_down(config.drain_time).await;
        app.webhooks.stop();
        store.close().await?;
        Ok(())
    }
}

impl ServerBuilder {
    /// Adds an action.
    pub fn action<A: Action>(mut self, action: A) -> Self {
        self.actions.push(Arc::new(Registered::new(action)));
        self
    }

    /// Takes everything else from `config`. Its listening addresses are for whoever binds the listeners.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The licence of the API, an SPDX expression, for its documents.
    pub fn license(mut self, expression: impl Into<String>) -> Self {
        self.license = Some(expression.into());
        self
    }

    /// What `/metrics` shows.
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Box::new(render);
        self
    }

    /// Goes by another clock: for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens the store like this, instead of in the configuration's data directory with the store's defaults.
    pub fn store(mut self, options: SqliteOptions) -> Self {
        self.store = Some(options);
        self
    }

    /// The OpenAPI document of these actions, without opening a store.
    ///
    /// # Errors
    /// If the configuration or an action is not usable.
    pub fn document(self) -> Result<Bytes, BuildError> {
        self.config.check()?;
        let config = self.config.clone();
        Ok(self.offer().with(&config.actions)?.document)
    }

    /// The names of these actions, each with its summary.
    ///
    /// # Errors
    /// If the configuration or an action is not usable.
    pub fn actions(self) -> Result<Vec<(String, String)>, BuildError> {
        self.config.check()?;
        let config = self.config.clone();
        let registry = self.offer().with(&config.actions)?.registry;
        let named = |action: &Arc<Registered>| (action.name().to_string(), action.settings().summary.clone());
        Ok(registry.iter().map(named).collect())
    }

    /// The connector of these actions for Logic Apps and Power Automate, file by file, without opening a store. Its
    /// definition names `host`, else that of the public URL; each connection names its own.
    ///
    /// # Errors
    /// If the configuration or an action is not usable, or Microsoft would refuse the connector.
    pub fn connector(self, host: Option<String>) -> Result<Vec<ConnectorFile>, BuildError> {
        self.config.check()?;
        let config = self.config.clone();
        let settings = connector_settings(&config, host);
        let offer = self.offer();
        let Prepared { registry, document: _ } = offer.with(&config.actions)?;
        Ok(connector(&settings, &offer.settings, &document::describe(&registry))?)
    }

    /// Checks everything and opens the store in the data directory.
    ///
    /// # Errors
    /// If the configuration or an action is not usable, or another server has the data directory.
    pub async fn build(self) -> Result<Server, BuildError> {
        self.config.check()?;
        let Self { config, actions, license, metrics, clock, store } = self;
        let reloads = Reloads::new(offer(&config, actions, license));
        let Prepared { registry, document } = reloads.prepare(&config.actions)?;
        let outbound = Outbound::new(config.outbound.clone())?;
        let options = store.unwrap_or_else(|| SqliteOptions::new(&config.data_dir));
        let store = Arc::new(SqliteStore::open(options)?);
        // The data directory is this process's alone now, so nobody works there.
        if let Err(error) = declared::clear(&config.work_dir()) {
            tracing::warn!(%error, "cannot remove what an earlier process has left of working directories");
        }
        let secrets = match &config.link_keys {
            Some(keys) => keys.reveal().to_vec(),
            None => store.link_secrets().await?,
        };
        let signer = Arc::new(Signer::new(secrets)?);
        let content_secret = ContentSecret::new(store.content_secret().await?);
        Ok(Server {
            config,
            actions: Arc::new(Actions::new(registry)),
            reloads,
            store,
            signer,
            content_secret,
            document: Arc::new(ArcSwap::from_pointee(document)),
            metrics,
            clock,
            outbound,
        })
    }

    fn offer(self) -> Offer {
        offer(&self.config, self.actions, self.license)
    }
}

fn offer(config: &Config, actions: Vec<Arc<Registered>>, license: Option<String>) -> Offer {
    let settings = document_settings(config, license);
    Offer { actions, shortest_retention: config.shortest_retention, settings }
}

fn event_url(settings: &HttpSettings, public: SocketAddr, signer: &Arc<Signer>) -> crate::engine::EventUrl {
    let base = http::own_base(settings, public);
    let signer = Arc::clone(signer);
    Box::new(move |operation, name| signer.link_url(&base, operation, &Right::Event(name.into())))
}

fn document_settings(config: &Config, license: Option<String>) -> DocumentSettings {
    DocumentSettings {
        contact: config.connector.publisher.clone(),
        license,
        server_url: config.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
        error_media_type: config.error_media_type.as_str().to_owned(),
        longest_wait: u32::try_from(config.polling.longest_wait.as_secs()).unwrap_or(u32::MAX),
        ..DocumentSettings::default()
    }
}

fn connector_settings(config: &Config, host: Option<String>) -> ConnectorSettings {
    // Without `..`: a new key has to find its place.
    let ConnectorConfig { title, description, color, publisher, triggers } = config.connector.clone();
    let public = config.public_url.as_ref();
    let own_host = || {
        let url = public?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{}{port}", url.host_str()?))
    };
    ConnectorSettings {
        title,
        description,
        color,
        publisher,
        host: host.or_else(own_host).unwrap_or_else(|| ConnectorSettings::default().host),
        base_path: public.map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default(),
        triggers,
    }
}

fn http_settings(config: &Config) -> HttpSettings {
    let limits = &config.limits;
    HttpSettings {
        public_url: config.public_url.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        trusted_gateways: config.trusted_gateways.clone(),
        cors_origins: config.cors_origins.clone(),
        docs: config.docs,
        error_media_type: config.error_media_type,
        wait_cap: config.polling.longest_wait,
        shortest_retry_after: config.polling.shortest_retry_after,
        longest_retry_after: config.polling.longest_retry_after,
        heartbeat: config.polling.heartbeat,
        trigger_retry_after: config.polling.trigger_retry_after,
        limits: HttpLimits {
            body: size(limits.request_body),
            event: size(limits.event),
            uri: size(limits.uri),
            headers: size(limits.header_count),
            header_bytes: size(limits.header_bytes),
            connections: size(limits.connections),
            held: size(limits.held_requests),
            held_per_caller: size(limits.held_requests_per_caller),
            streams: size(limits.streams),
            streams_per_caller: size(limits.streams_per_caller),
            header_time: limits.header_time,
            idle_time: limits.idle_time,
            body_time: limits.body_time,
            connection_age: limits.connection_age,
            drain_time: config.drain_time,
        },
    }
}

fn handler_limits(config: &Config) -> HandlerLimits {
    let limits = &config.limits;
    HandlerLimits {
        result_bytes: size(limits.result),
        status_bytes: size(limits.custom_status),
        journal_entries: size(limits.journal_entries),
    }
}

fn webhook_settings(config: &Config) -> WebhookSettings {
    // Without `..`: a new key has to find its place.
    let WebhooksConfig { pauses, patience, subscriptions } = config.webhooks.clone();
    WebhookSettings { pauses, patience, most: subscriptions }
}

fn operation_limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        active: limits.active_operations,
        active_per_caller: limits.active_operations_per_caller,
        waiting_events: limits.waiting_events,
    }
}

/// The checked configuration stays far below what a `usize` holds.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
