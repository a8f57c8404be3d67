//! What has ended of an action of a raincheck server: from now on.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;

use raincheck_openapi::subscription::Outcome;
use raincheck_openapi::{StatusView, paths};
use serde_json::Value;

use super::{Trigger, TriggerState};
use crate::{Client, Error, address};

/// Follows what ends of an action, from [`Client::finished`]: awaited, it gives a [`Trigger`] that tells
/// everything that ends from then on.
///
/// ```no_run
/// # async fn run(client: raincheck::Client) -> Result<(), raincheck::Error> {
/// use raincheck::Outcome;
///
/// let mut broken = client
///     .finished::<serde_json::Value>("submit-talk")
///     .outcomes([Outcome::Failed, Outcome::Canceled])
///     .of_everybody()
///     .await?;
/// let view = broken.next().await?.read()?;
/// println!("{} {:?}", view.id, view.error);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::is_unauthorized`] without a key, [`Error::is_not_found`] if there is no such action or the key
/// may not follow everybody's; [`Error::is_unavailable`] or [`Error::is_transport`] once the attempts are
/// used up.
///
/// # Cancel safety
/// Dropping the future has no effect.
#[must_use = "nothing is asked until this is awaited"]
pub struct Finished<T> {
    client: Client,
    action: String,
    outcomes: Vec<Outcome>,
    everybodys: bool,
    output: PhantomData<fn() -> T>,
}

impl<T> Finished<T> {
    pub(crate) fn new(client: Client, action: &str) -> Self {
        Self {
            client,
            action: action.to_owned(),
            outcomes: Vec::new(),
            everybodys: false,
            output: PhantomData,
        }
    }

    /// Only those that ended in one of these ways; default: in whatever way.
    pub fn outcomes(mut self, outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        self.outcomes.extend(outcomes);
        self
    }

    /// Everybody's operations, not only those that the same key started. The key needs the role `observe`
    /// or `operate`.
    pub fn of_everybody(mut self) -> Self {
        self.everybodys = true;
        self
    }

    async fn begin(self) -> Result<Trigger<StatusView<Value, T>>, Error> {
        let mut url = address::join(&self.client.0.base, &paths::finished(&self.action));
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("mode", "batch");
            for outcome in self.outcomes {
                query.append_pair("outcome", word(outcome));
            }
            if self.everybodys {
                query.append_pair("scope", "all");
            }
        }
        let mut trigger = Trigger::new(self.client, TriggerState::new(url));
        trigger.begin().await?;
        Ok(trigger)
    }
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "Succeeded",
        Outcome::Failed => "Failed",
        Outcome::Canceled => "Canceled",
    }
}

impl<T: Send + 'static> IntoFuture for Finished<T> {
    type Output = Result<Trigger<StatusView<Value, T>>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.begin())
    }
}

impl<T> fmt::Debug for Finished<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finished")
            .field("action", &self.action)
            .field("outcomes", &self.outcomes)
            .field("everybodys", &self.everybodys)
            .finish_non_exhaustive()
    }
}
