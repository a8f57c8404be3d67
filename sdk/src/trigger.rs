//! A polling trigger as a sequence without an end: whatever an API tells by the contract of Logic Apps.
//!
//! 202 says that there is nothing new, 200 brings what is; `Location` is what to ask next, and
//! `Retry-After` when. That URL is all there is to remember, so whoever keeps it goes on where they were.

mod finished;
mod page;
mod state;
mod step;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::Instant;
use url::Url;

use self::page::Page;
use self::step::{Step, next_step};
use crate::client::pause_until;
use crate::follow::MAX_REDIRECTS;
use crate::pace::after;
use crate::step::Moment;
use crate::trace::debug;
use crate::transport::Method;
use crate::{Client, Error};

pub use finished::Finished;
pub use state::TriggerState;

/// What a trigger tells, one by one and in its order: `T` is what one item is read as.
///
/// It comes from [`Client::finished`], [`Client::trigger`], or, in another process or on another day,
/// [`Client::attach_trigger`]. Each item brings the [state](Triggered::state) after it. Store that once the
/// item is dealt with, and nothing is lost and nothing comes twice, however often the consumer is killed in
/// between: what is told after a restart begins with the first item whose state was not stored.
///
/// Nothing is asked until [`next`](Self::next) is, and not before everything that has been answered is
/// given out: a consumer that is slow is not sent more.
///
/// ```no_run
/// # #[derive(serde::Deserialize)] struct Decision { outcome: String }
/// # async fn run(client: raincheck::Client, stored: Option<String>) -> Result<(), Box<dyn std::error::Error>> {
/// # fn store(state: &str) {}
/// let mut talks = match stored {
///     Some(stored) => client.attach_trigger(serde_json::from_str(&stored)?),
///     None => client.finished::<Decision>("submit-talk").await?,
/// };
/// loop {
///     let finish = talks.next().await?;
///     let view = finish.read()?;
///     println!("{} {} {:?}", view.id, view.status, view.output.map(|decision| decision.outcome));
///     store(&serde_json::to_string(finish.state())?);
/// }
/// # }
/// ```
#[must_use = "nothing is asked until `next` is awaited"]
pub struct Trigger<T> {
    client: Client,
    /// After the last item that was given out.
    state: TriggerState,
    /// What was answered and not given out yet.
    page: Page,
    /// Not to be asked before this.
    due: Instant,
    /// Answers in a row that gave no pace.
    silent: u32,
    /// Polls in a row that failed.
    failures: u32,
    item: PhantomData<fn() -> T>,
}

/// One thing that a trigger has told.
pub struct Triggered<T> {
    body: Box<RawValue>,
    state: TriggerState,
    item: PhantomData<fn() -> T>,
}

impl<T> Trigger<T> {
    pub(crate) fn new(client: Client, state: TriggerState) -> Self {
        Self {
            client,
            state,
            page: Page::default(),
            due: Instant::now(),
            silent: 0,
            failures: 0,
            item: PhantomData,
        }
    }

    /// The next item, as soon as there is one.
    ///
    /// Polls that fail (no answer, 408, 429, 5xx) are repeated for as long as it takes, under the client's
    /// [`RetryPolicy`](crate::RetryPolicy). Others are at the pace that the server asks for, or held by it
    /// ([`prefer_wait`](crate::ClientBuilder::prefer_wait)).
    ///
    /// # Errors
    /// [`Error::is_refused`] if the server does not tell it: 401 without a credential, 404 for no such
    /// trigger, or none for this caller, 410 for a link that has expired. [`Error::is_unexpected`] and
    /// [`Error::is_decode`] for answers that no trigger gives. Called again after an error, it asks again.
    ///
    /// # Cancel safety
    /// Nothing is lost: the next call gives the same item.
    pub async fn next(&mut self) -> Result<Triggered<T>, Error> {
        loop {
            if let Some(item) = self.given() {
                return Ok(item);
            }
            pause_until(self.due).await;
            // Boxed, so that a trigger that is asleep keeps no room for a request.
            Box::pin(self.look(true)).await?;
        }
    }

    /// The next item if there is one already; `None` if there is nothing new. Asks at once, and once at most.
    ///
    /// For whoever comes by from time to time. Leave [`pause`](Self::pause) after a `None`.
    ///
    /// # Errors
    /// Those of [`next`](Self::next), and [`Error::is_transport`] or [`Error::is_unavailable`] if this poll
    /// failed.
    ///
    /// # Cancel safety
    /// Nothing is lost: the next call gives the same item.
    pub async fn poll(&mut self) -> Result<Option<Triggered<T>>, Error> {
        if self.page.is_empty()
            && let Some(failed) = Box::pin(self.look(false)).await?
        {
            return Err(failed);
        }
        Ok(self.given())
    }

    /// Where this is: after the last item that was given out, or at the beginning.
    #[must_use]
    pub fn state(&self) -> &TriggerState {
        &self.state
    }

    /// How long the server wants to be left alone. Zero while there are items that it has told already.
    #[must_use]
    pub fn pause(&self) -> Duration {
        if self.page.is_empty() { self.due.saturating_duration_since(Instant::now()) } else { Duration::ZERO }
    }

    /// The same as a [`Stream`], for combinators. It ends after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Triggered<T>, Error>> + Send + Unpin
    where
        T: 'static,
    {
        // Boxed, so that callers need not pin it themselves.
        Box::pin(stream::unfold(Some(self), async |trigger| {
            let mut trigger = trigger?;
            match trigger.next().await {
                Ok(item) => Some((Ok(item), Some(trigger))),
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    /// Asks for the first time, so that everything is told that comes from now on. Gives up as a start does.
    async fn begin(&mut self) -> Result<(), Error> {
        while let Some(failed) = Box::pin(self.look(true)).await? {
            if self.failures >= self.client.0.policy.retry.attempts {
                return Err(failed);
            }
            pause_until(self.due).await;
        }
        Ok(())
    }

    fn given(&mut self) -> Option<Triggered<T>> {
        let (body, state) = self.page.next()?;
        self.state = state.clone();
        Some(Triggered { body, state, item: PhantomData })
    }

    /// One poll, redirects included. Gives back why it failed, if another one may not.
    async fn look(&mut self, may_be_held: bool) -> Result<Option<Error>, Error> {
        let mut redirected: Option<Url> = None;
        for _ in 0..=MAX_REDIRECTS {
            let url = redirected.as_ref().unwrap_or_else(|| self.state.url());
            let _turn = self.client.enter(url, None).await;
            let request = self.client.0.transport.request(Method::GET, url, None);
            // Servers that do not know the wish pass it by.
            let scarce = self.client.0.transport.limiter.is_busy();
            let hold = if may_be_held && !scarce { self.client.0.hold } else { Duration::ZERO };
            let seen = self.client.ask(request, None, hold, None).await;
            let moment = Moment::now(self.silent, self.failures);
            match next_step(seen, &self.client.0.policy, &moment) {
                Step::Follow(next) => redirected = Some(next),
                Step::Told { items, next, pause, paced } => {
                    self.failures = 0;
                    self.silent = if paced { 0 } else { self.silent.saturating_add(1) };
                    self.due = after(Instant::now(), pause);
                    let next = next.map_or_else(|| Arc::clone(self.state.url()), Arc::new);
                    debug!(items = items.len(), pause_ms = pause.as_millis() as u64, "trigger answered");
                    (self.state, self.page) = Page::turn(&self.state, items, next);
                    return Ok(None);
                }
                Step::Retry { error, pause } => {
                    self.failures = self.failures.saturating_add(1);
                    self.due = after(Instant::now(), pause);
                    debug!(
                        failures = self.failures,
                        pause_ms = pause.as_millis() as u64,
                        "trigger poll failed"
                    );
                    return Ok(Some(error));
                }
                Step::Stop(error) => return Err(error),
            }
        }
        Err(Error::unexpected("redirects that lead in a circle"))
    }
}

impl<T: DeserializeOwned> Triggered<T> {
    /// The item. What cannot be read is told all the same, so that it need not be in the way of what follows.
    ///
    /// # Errors
    /// [`Error::is_decode`] if it is no `T`.
    pub fn read(&self) -> Result<T, Error> {
        serde_json::from_str(self.body()).map_err(Error::decode)
    }
}

impl<T> Triggered<T> {
    /// The item as the server wrote it: JSON.
    #[must_use]
    pub fn body(&self) -> &str {
        self.body.get()
    }

    /// The state after this item: what to store once it is dealt with.
    #[must_use]
    pub fn state(&self) -> &TriggerState {
        &self.state
    }
}

impl<T> fmt::Debug for Trigger<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trigger").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Triggered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the body: who knows what an API tells.
        f.debug_struct("Triggered").field("state", &self.state).finish_non_exhaustive()
    }
}
