//! The wire: HTTP in and out. The only place that knows warp, hyper, and the types of the contract.
//!
//! Reading order: `routes` (the table), one file for each resource (`start`, `status`, `updates`, `cancel`, `events` and
//! `choices`, `trigger`, `management` and the small ones), `access` (who may), `view` and `problem` (domain to wire),
//! `page` (for people), `front` (what every
//! answer has), `listen` and `patience` (connections).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::net::TcpListener;

use crate::auth::{Authenticator, Caller};
use crate::capability::Signer;
use crate::content::ContentSecret;
use crate::operations::Operations;
use crate::retry_after::Bounds;
use crate::store::StoreError;
use crate::webhooks::Webhooks;

mod access;
mod body;
mod call;
mod cancel;
mod choices;
mod cors;
mod dice;
mod document;
mod events;
mod front;
mod gateway;
mod hold;
mod listen;
mod location;
mod management;
mod page;
mod patience;
mod payload;
mod prefer;
mod problem;
mod problems;
mod routes;
mod settings;
mod shield;
mod start;
mod status;
mod subscriptions;
#[cfg(test)]
mod tests;
mod trigger;
mod updates;
mod view;

pub use cors::{CorsOrigin, NotAnOrigin};
pub use gateway::{NotAGateway, TrustedGateway};
pub use settings::{ErrorMediaType, HttpLimits, HttpSettings, LONGEST_WAIT};

use call::Call;
use front::Front;
use hold::Holds;
pub(crate) use payload::present;

/// What handlers work with.
pub(crate) struct App {
    pub(crate) operations: Operations,
    signer: Arc<Signer>,
    authenticator: Arc<Authenticator>,
    pub(crate) webhooks: Webhooks,
    content_secret: ContentSecret,
    settings: HttpSettings,
    public_url: Option<String>,
    links_base: String,
    retry_after: Bounds,
    document: Arc<ArcSwap<Bytes>>,
    metrics: RenderMetrics,
    holds: Arc<Holds>,
    streams: Arc<Holds>,
}

/// Shows what the server measures.
pub(crate) type RenderMetrics = Box<dyn Fn() -> String + Send + Sync>;

/// What an [`App`] is made of.
pub(crate) struct Parts {
    /// The address of the public listener, for links that are made on the other one.
    pub(crate) public: SocketAddr,
    pub(crate) operations: Operations,
    pub(crate) signer: Arc<Signer>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) webhooks: Webhooks,
    pub(crate) content_secret: ContentSecret,
    pub(crate) settings: HttpSettings,
    /// The OpenAPI document's JSON. It changes with the actions.
    pub(crate) document: Arc<ArcSwap<Bytes>>,
    pub(crate) metrics: RenderMetrics,
}

impl App {
    /// Puts together what handlers work with.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            public,
            operations,
            signer,
            authenticator,
            webhooks,
            content_secret,
            settings,
            document,
            metrics,
        } = parts;
        let retry_after = settings.retry_after();
        let limits = &settings.limits;
        let holds = Arc::new(Holds::new(limits.held, limits.held_per_caller));
        let streams = Arc::new(Holds::new(limits.streams, limits.streams_per_caller));
        let public_url = settings.public_url.as_ref().map(location::base_of);
        let links_base = own_base(&settings, public);
        Self {
            operations,
            signer,
            authenticator,
            webhooks,
            content_secret,
            settings,
            retry_after,
            public_url,
            links_base,
            document,
            metrics,
            holds,
            streams,
        }
    }

    fn base<'a>(&'a self, call: &'a Call) -> Cow<'a, str> {
        call.base(&self.settings, self.public_url.as_deref())
    }

    async fn caller(&self, call: &Call) -> Result<Option<Arc<Caller>>, StoreError> {
        match call.key() {
            Some(key) => self.authenticator.authenticate(key).await,
            None => Ok(None),
        }
    }
}

/// The base of this server's URLs where no request says more: the configured one, else the listener's address. For
/// links that are made outside of a request.
pub(crate) fn own_base(settings: &HttpSettings, listener: SocketAddr) -> String {
    match &settings.public_url {
        Some(url) => location::base_of(url),
        None => format!("http://{listener}"),
    }
}

/// Serves the public API until `shutdown`, then finishes what is under way.
pub(crate) async fn serve_public(listener: TcpListener, app: Arc<App>, shutdown: impl Future<Output = ()>) {
    let front = Front::public(Arc::clone(&app));
    listen::serve(listener, front, &app.settings.limits, shutdown).await;
}

/// Serves the management API until `shutdown`, then finishes what is under way.
pub(crate) async fn serve_management(
    listener: TcpListener,
    app: Arc<App>,
    shutdown: impl Future<Output = ()>,
) {
    let front = Front::management(Arc::clone(&app));
    listen::serve(listener, front, &app.settings.limits, shutdown).await;
}
