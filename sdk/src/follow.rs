//! The loop behind every way to follow an operation: wait until it is due, ask, take over what the step says.

use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;

use crate::answer::Observed;
use crate::client::pause_until;
use crate::pace::{Plan, plan};
use crate::step::{Moment, Step, next_step};
use crate::transport::{Ask, Method};
use crate::{Error, Operation};

/// Redirects that one poll follows before they count as a circle.
const MAX_REDIRECTS: usize = 10;

impl<T> Operation<T> {
    /// Waits until the next poll is due, asks, and repeats that while polls fail.
    pub(crate) async fn advance(&mut self) -> Result<(), Error> {
        loop {
            let hold = match plan(self.due, self.deadline.as_ref(), self.looked_last, Instant::now()) {
                Plan::Ask { at, last } => {
                    pause_until(at).await;
                    self.looked_last = last;
                    if last { Duration::ZERO } else { self.client.0.hold }
                }
                Plan::Expired(patience) => return Err(self.signed(Error::timeout(patience))),
            };
            let (step, _) = self.look(hold).await;
            let retried = matches!(step, Step::Retry { .. });
            self.take(step)?;
            if !retried {
                return Ok(());
            }
        }
    }

    /// One poll, redirects included.
    pub(crate) async fn look(&self, hold: Duration) -> (Step, Observed) {
        let mut url = self.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let ask = Ask { method: &Method::GET, url: &url, headers: &[], body: None, hold };
            let seen = self.client.ask(ask, self.deadline).await;
            match next_step(&seen, &self.client.0.policy, &Moment::now(self.silent, self.failures)) {
                Step::Follow(next) => url = next,
                step => return (step, seen),
            }
        }
        let error = Error::unexpected("redirects that lead in a circle");
        (Step::Stop(error), Observed::Lost(Error::transport(false)))
    }

    /// Takes over what a step says.
    pub(crate) fn take(&mut self, step: Step) -> Result<(), Error> {
        match step {
            Step::Again { view, location, pause, paced } => {
                self.failures = 0;
                self.silent = if paced { 0 } else { self.silent.saturating_add(1) };
                self.due = Instant::now() + pause;
                if let Some(newest) = location {
                    self.url = newest;
                }
                if let Some(view) = view {
                    let pause_ms = pause.as_millis();
                    debug!(operation.id = %view.id, status = %view.status, pause_ms, "still at work");
                    self.id = Some(view.id.clone());
                    self.view = Some(*view);
                }
            }
            Step::Retry { pause } => {
                self.failures = self.failures.saturating_add(1);
                self.due = Instant::now() + pause;
                let pause_ms = pause.as_millis();
                debug!(operation.id = self.id, failures = self.failures, pause_ms, "poll failed");
            }
            Step::Ended(ended) => {
                debug!(operation.id = %ended.view.id, status = %ended.view.status, "ended");
                self.id = Some(ended.view.id.clone());
                self.view = Some(ended.view.clone());
                self.ended = Some(ended);
            }
            Step::Stop(error) => return Err(self.signed(error)),
            Step::Follow(_) => {
                return Err(self.signed(Error::unexpected("a redirect where none can be followed")));
            }
        }
        Ok(())
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// The error of a deadline that has passed.
    pub(crate) fn expired(&self, now: Instant) -> Option<Error> {
        let deadline = self.deadline.filter(|deadline| deadline.remaining(now).is_zero())?;
        Some(Error::timeout(deadline.patience))
    }

    /// Gives an error what the caller needs to go on.
    pub(crate) fn signed(&self, error: Error) -> Error {
        let view = error.view().or(self.view.as_ref()).cloned();
        error.with_view(view).with_token(self.token())
    }
}
