//! The loop behind every way to follow an operation: wait until it is due, ask, take over what the step says.

use std::borrow::Cow;
use std::time::Duration;

use raincheck_openapi::Status;
use tokio::time::{Instant, sleep_until};
use url::{Position, Url};

use crate::answer::{Answer, Observed, names};
use crate::dialect::{Course, ResultAt};
use crate::pace::{Plan, in_a_while, plan};
use crate::step::{Again, Ended, Moment, Step, next_step};
use crate::trace::{self, debug};
use crate::transport::{Method, Request, set_header};
use crate::{Dialect, Error, Operation, View};

/// Redirects that one poll follows before they count as a circle.
pub(crate) const MAX_REDIRECTS: usize = 10;

/// Whether a dialect expects a state in every answer. Behind the 303 of a monitor lies another thing, the
/// result, which is taken for what it looks like.
fn knows_its_answers(course: &Course) -> bool {
    course.dialect.is_some_and(|dialect| dialect != Dialect::Location)
}

fn is_see_other(seen: &Observed) -> bool {
    matches!(seen, Observed::Answer(answer) if answer.status == 303)
}

fn comes_from_elsewhere(seen: &Observed, url: &Url) -> bool {
    let Observed::Answer(answer) = seen else { return false };
    // The query may have grown by what the client carries along.
    answer.asked[..Position::AfterPath] != url[..Position::AfterPath]
}

/// The end of a poll that has no answer and would have none the next time.
fn stopped(error: Error) -> (Step, Observed) {
    (Step::Stop(error), Observed::Lost(Error::transport(false)))
}

impl<T> Operation<T> {
    /// Waits until the next poll is due, asks, and gives the status that the answer shows. Failed polls are
    /// repeated; an operation that has ended is not asked for again.
    ///
    /// This is one turn of awaiting the operation. In contrast to [`updates`](Self::updates), a server that
    /// answers with a bare 202 is reported too, and between two turns there is a place for work of your own,
    /// such as storing a [`token`](Self::token) that has changed.
    ///
    /// ```no_run
    /// # async fn run(mut operation: raincheck::Operation<String>) -> Result<(), raincheck::Error> {
    /// while operation.last_answer().is_none() {
    ///     println!("{}", operation.advance().await?);
    /// }
    /// println!("{}", operation.await?); // known by now, so nothing is sent
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of awaiting the operation, except that one that failed or was canceled is a status here.
    ///
    /// # Cancel safety
    /// Nothing is lost: the next call asks anew, at the pace that the server asked for.
    pub async fn advance(&mut self) -> Result<Status, Error> {
        while !self.has_ended() {
            let now = Instant::now();
            let last = match plan(self.due.unwrap_or(now), self.deadline.as_ref(), self.looked_last, now) {
                Plan::Ask { at, last } => {
                    // Sleeping for nothing would take more than a millisecond.
                    if at > now {
                        sleep_until(at).await;
                    }
                    last
                }
                Plan::Expired(patience) => return Err(self.signed(Error::timeout(patience))),
            };
            // Boxed, so that the many operations that are asleep do not each keep room for a request.
            let (step, seen) = Box::pin(self.look(!last)).await;
            self.looked_last = last;
            let goes_on = matches!(step, Step::Retry { .. } | Step::Fetch { .. });
            self.take(step, seen)?;
            if !goes_on {
                break;
            }
        }
        Ok(self.status())
    }

    /// How long the server may hold a poll that has its turn. Asked before that, many that wait for their
    /// turns would all see free places, and then take them for as long as they are held.
    fn hold(&self) -> Duration {
        let scarce = self.client.0.transport.limiter.is_busy();
        if self.holds && !scarce { self.client.0.hold } else { Duration::ZERO }
    }

    /// The request of a poll.
    fn question(&self, url: &Url) -> Request {
        let mut request = self.client.0.transport.request(Method::GET, url, self.carried.as_deref());
        if let Some(etag) = &self.etag {
            set_header(&mut request, "if-none-match", etag);
        }
        request
    }

    /// One poll, redirects included.
    pub(crate) async fn look(&self, may_be_held: bool) -> (Step, Observed) {
        let moment =
            || Moment { shown: self.view(), fresh: self.fresh, ..Moment::now(self.silent, self.failures) };
        let mut redirected = None;
        let mut course = Cow::Borrowed(&*self.course);
        let carried = self.carried.as_deref();
        for _ in 0..=MAX_REDIRECTS {
            let url = redirected.as_ref().unwrap_or(&self.course.at);
            let Some(_turn) = self.client.enter(url, self.deadline).await else {
                let seen = Observed::Lost(Error::transport(false).because("no turn before the deadline"));
                return (next_step(&seen, &self.course, &self.client.0.policy, &moment()), seen);
            };
            let hold = if may_be_held { self.hold() } else { Duration::ZERO };
            let seen = match self.client.ask(self.question(url), carried, hold, self.deadline).await {
                // Larger than any result, or no URL to ask: it would be the same every time.
                Observed::Lost(error) if !error.is_transport() => return stopped(error),
                seen => seen,
            };
            // A caller's own HTTP client may have followed a redirect by itself.
            if knows_its_answers(&course) && comes_from_elsewhere(&seen, url) {
                course = Cow::Owned(Course { dialect: None, ..(*self.course).clone() });
            }
            match next_step(&seen, &course, &self.client.0.policy, &moment()) {
                Step::Follow(next) => {
                    redirected = Some(next);
                    if is_see_other(&seen) && knows_its_answers(&course) {
                        course = Cow::Owned(Course { dialect: None, ..(*self.course).clone() });
                    }
                }
                // Rare, and boxed for that.
                Step::Ended(ended) if self.wants_reason(&ended) => {
                    return Box::pin(self.explained(ended, seen)).await;
                }
                step => return (step, seen),
            }
        }
        stopped(Error::unexpected("redirects that lead in a circle"))
    }

    /// A raincheck server's monitor says that an operation failed; its `Location` says why, as a problem.
    fn wants_reason(&self, ended: &Ended) -> bool {
        self.course.home.is_some() && ended.status != Status::Succeeded && ended.problem.is_none()
    }

    /// Asks for the reason once. If it cannot be had, the monitor's word will do.
    async fn explained(&self, ended: Ended, seen: Observed) -> (Step, Observed) {
        let carried = self.carried.as_deref();
        let request = self.client.0.transport.request(Method::GET, self.course.url(), carried);
        let told = self.client.ask(request, carried, Duration::ZERO, self.deadline).await;
        let moment = Moment::now(self.silent, self.failures);
        match next_step(&told, &self.course, &self.client.0.policy, &moment) {
            Step::Ended(better) if better.status == ended.status => (Step::Ended(better), told),
            _ => (Step::Ended(ended), seen),
        }
    }

    /// Takes over what a step says, and gives back why the poll failed if it did.
    pub(crate) fn take(&mut self, step: Step, seen: Observed) -> Result<Option<Error>, Error> {
        if let Observed::Answer(answer) = &seen {
            self.learn(answer);
        }
        match (step, seen) {
            (Step::Again(again), _) => self.go_on(again),
            (Step::Retry { pause }, seen) => {
                self.failures = self.failures.saturating_add(1);
                self.due = in_a_while(pause);
                debug!(
                    operation.id = self.id.as_deref(),
                    failures = self.failures,
                    pause_ms = pause.as_millis() as u64,
                    "poll failed"
                );
                if let Observed::Lost(error) = seen {
                    return Ok(Some(error));
                }
            }
            (Step::Fetch { view, at }, _) => {
                debug!(operation.id = self.id.as_deref(), "succeeded, and its result is fetched");
                self.show(view);
                self.course.at = at;
                self.course.fetching = true;
                self.etag = None;
                self.failures = 0;
                // A result that is one request away beats the deadline too.
                self.looked_last = false;
                self.fresh = true;
                self.due = None;
            }
            (Step::Ended(ended), Observed::Answer(answer)) => self.end(ended, answer),
            (Step::Stop(error), _) => return Err(self.signed(error)),
            (Step::Ended(_), Observed::Lost(_)) | (Step::Follow(_), _) => {
                return Err(self.signed(Error::unexpected("a redirect where none can be followed")));
            }
        }
        Ok(None)
    }

    /// What every answer tells beside the state.
    pub(crate) fn learn(&mut self, answer: &Answer) {
        if !answer.is_success() && answer.status != 304 {
            return;
        }
        let applied = answer.header(&names::PREFERENCE_APPLIED);
        // Its own servers know it; `go_on` finds out whether this is one.
        self.holds = answer.status == 304 || applied.is_some_and(|applied| applied.contains("wait"));
        // Only a monitor's tag is one of the status; elsewhere it may be of anything.
        if self.course.dialect == Some(Dialect::StatusMonitor) && answer.status == 200 {
            self.etag = answer.header(&names::ETAG).map(Into::into);
        }
    }

    pub(crate) fn go_on(&mut self, again: Again) {
        let Again { view, at, result, pause, paced } = again;
        self.failures = 0;
        self.fresh = false;
        self.silent = if paced { 0 } else { self.silent.saturating_add(1) };
        self.due = in_a_while(pause);
        if let Some(newest) = at
            && newest != self.course.at
        {
            self.course.at = newest;
            // Tags of two URLs may be equal, and then a 304 would hide a change.
            self.etag = None;
        }
        if let (Some(newest), ResultAt::Location(result)) = (result, &mut self.course.result) {
            **result = newest;
        }
        self.show(view);
        self.holds |= self.view().is_some_and(|view| view.action.is_some());
        debug!(
            operation.id = self.id.as_deref(),
            status = %self.status(),
            pause_ms = pause.as_millis() as u64,
            "still at work"
        );
    }

    pub(crate) fn end(&mut self, mut ended: Ended, answer: Box<Answer>) {
        debug!(operation.id = self.id.as_deref(), status = %ended.status, "ended");
        trace::ended(ended.status);
        self.show(ended.view.take());
        self.ended = Some((ended, answer));
    }

    /// Takes over what an answer shows; one without a view leaves the last one.
    fn show(&mut self, view: Option<Box<View>>) {
        if let Some(view) = view {
            if let Some(id) = view.id.as_deref() {
                self.id = Some(id.into());
            }
            self.view = Some(view);
        }
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
        let view = error.view().or(self.view.as_deref()).cloned();
        error.with_view(view).with_token(self.token())
    }
}

#[cfg(test)]
#[path = "sequence_tests.rs"]
mod tests;
