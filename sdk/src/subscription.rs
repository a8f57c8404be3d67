//! Being told instead of asking: a server sends what has ended to a URL.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use raincheck_openapi::paths;
use raincheck_openapi::subscription::{DeliveryFormat, NewSubscription, Outcome, Scope, SubscriptionView};
use url::Url;

use crate::client::{Repeat, Sending};
use crate::transport::{Method, set_json};
use crate::{Client, Error, address};

/// Asks a server to be told, from [`Client::subscribe`]: awaited, it gives a [`Subscription`].
///
/// The same action and URL again, with the same key, replace the earlier subscription without a gap, so
/// this is sent again if its answer is lost.
///
/// ```no_run
/// # async fn run(client: raincheck::Client) -> Result<(), raincheck::Error> {
/// # fn store(secret: &str, link: &str) {}
/// use raincheck::Outcome;
///
/// let told = client
///     .subscribe("submit-talk", "https://hooks.example/talks")
///     .outcomes([Outcome::Succeeded])
///     .await?;
/// store(told.secret(), told.link());
///
/// // Later, from anywhere:
/// client.unsubscribe(told.link()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::is_refused`] with what to mend in [`Error::problem`]: 400 or 422 for an action or a URL that
/// the server does not take (only https URLs of public hosts, as a rule), 403 if the key may not;
/// [`Error::is_unavailable`] or [`Error::is_transport`] once the attempts are used up.
///
/// # Cancel safety
/// If the future is dropped, the server may have heard of it or not; the same again does no harm.
#[must_use = "nothing is sent until this is awaited"]
pub struct Subscribe {
    client: Client,
    new: NewSubscription,
}

/// A subscription that was made.
pub struct Subscription {
    view: SubscriptionView,
    link: Url,
}

impl Subscribe {
    pub(crate) fn new(client: Client, action: &str, url: &str) -> Self {
        let new = NewSubscription {
            action: action.to_owned(),
            outcomes: Vec::new(),
            url: url.to_owned(),
            scope: Scope::Own,
            format: DeliveryFormat::default(),
            secret: None,
        };
        Self { client, new }
    }

    /// Only of those that ended in one of these ways; default: in whatever way.
    pub fn outcomes(mut self, outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        self.new.outcomes.extend(outcomes);
        self
    }

    /// Of everybody's operations, not only of those that the same key started. The key needs the role
    /// `observe` or `operate`.
    pub fn of_everybody(mut self) -> Self {
        self.new.scope = Scope::All;
        self
    }

    /// In which form; default: as a `CloudEvent` in one JSON object.
    pub fn format(mut self, format: DeliveryFormat) -> Self {
        self.new.format = format;
        self
    }

    /// Signed with this secret, `whsec_` and base64 of 24 to 64 random bytes; default: one that the server
    /// makes.
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.new.secret = Some(secret.into());
        self
    }

    async fn send(self) -> Result<Subscription, Error> {
        let Self { client, new } = self;
        let url = address::join(&client.0.base, paths::SUBSCRIPTIONS);
        let body = serde_json::to_vec(&new).expect("a subscription is JSON");
        let mut request = client.0.transport.request(Method::POST, &url, None);
        set_json(&mut request, body);
        let mut sending = Sending { request, carried: None, hold: Duration::ZERO, repeat: Repeat::Safely };
        let answer = client.call(&mut sending, None).await?;
        if !answer.is_success() {
            return Err(answer.refusal());
        }
        let link = answer.location(&client.0.policy.routes).ok_or_else(|| {
            Error::unexpected("a subscription without a Location").with_status(answer.status)
        })?;
        Ok(Subscription { view: answer.json()?, link })
    }
}

/// [`Client::unsubscribe`].
pub(crate) async fn unsubscribe(client: &Client, link: &str) -> Result<(), Error> {
    let request = client.0.transport.request(Method::DELETE, &address::parse(link)?, None);
    let mut sending = Sending { request, carried: None, hold: Duration::ZERO, repeat: Repeat::Safely };
    let answer = client.call(&mut sending, None).await?;
    // 410: it has ended before, perhaps by a first try whose answer was lost.
    if answer.is_success() || answer.status == 410 { Ok(()) } else { Err(answer.refusal()) }
}

impl Subscription {
    /// What the server says about it.
    #[must_use]
    pub fn view(&self) -> &SubscriptionView {
        &self.view
    }

    /// What signs what is sent, for the receiver to [verify](https://www.standardwebhooks.com) it. It is
    /// shown this once.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.view.secret.as_deref().unwrap_or_default()
    }

    /// The URL that ends it, with [`Client::unsubscribe`]. A secret: it takes no key.
    #[must_use]
    pub fn link(&self) -> &str {
        self.link.as_str()
    }
}

impl IntoFuture for Subscribe {
    type Output = Result<Subscription, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the URL nor the secret.
        f.debug_struct("Subscribe").field("action", &self.new.action).finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the link nor the secret.
        let SubscriptionView { id, action, host, .. } = &self.view;
        f.debug_struct("Subscription")
            .field("id", id)
            .field("action", action)
            .field("host", host)
            .finish_non_exhaustive()
    }
}
