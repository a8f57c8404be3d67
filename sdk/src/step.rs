//! What an answer means and what to do next: the dialect of `202` + `Location`, as a pure function.

use std::time::{Duration, SystemTime};

use raincheck_openapi::{Problem, Status, StatusView};
use url::Url;

use crate::answer::{Answer, Observed};
use crate::{Error, RetryPolicy};

/// The caller's settings that a decision depends on.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) retry: RetryPolicy,
    /// No pause is longer than this, whatever the server says.
    pub(crate) max_pause: Duration,
}

/// What a decision depends on beside the answer: the time, what went before, and chance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) wall: SystemTime,
    /// Answers in a row that gave no pace.
    pub(crate) silent: u32,
    /// Polls in a row that failed.
    pub(crate) failures: u32,
    /// Between 0 and 1, for jitter.
    pub(crate) random: f64,
}

impl Moment {
    pub(crate) fn now(silent: u32, failures: u32) -> Self {
        Self { wall: SystemTime::now(), silent, failures, random: crate::pace::random() }
    }
}

/// What to do after a poll.
#[derive(Debug)]
pub(crate) enum Step {
    /// The operation is still at work: ask again after the pause, at the newest location.
    Again { view: Option<Box<StatusView>>, location: Option<Url>, pause: Duration, paced: bool },
    /// The poll failed, which says nothing about the operation: ask again after the pause.
    Retry { pause: Duration },
    /// The answer is elsewhere: ask there at once.
    Follow(Url),
    /// The operation has ended.
    Ended(Box<Ended>),
    /// There will be no answer to this poll.
    Stop(Error),
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) view: StatusView,
    pub(crate) problem: Option<Problem>,
    pub(crate) status: u16,
}

/// Decides what follows from what was seen.
pub(crate) fn next_step(seen: &Observed, policy: &Policy, now: &Moment) -> Step {
    let answer = match seen {
        Observed::Answer(answer) => answer,
        Observed::Lost(_) => return retry(None, policy, now),
    };
    match answer.status {
        202 => again(answer, answer.view(), policy, now),
        200 => match answer.json::<StatusView>() {
            Ok(view) if view.status.is_terminal() => ended(answer, view, None),
            // The status monitor answers 200 while the operation runs; an unknown status may still change.
            Ok(view) => again(answer, Some(view), policy, now),
            Err(error) => Step::Stop(error),
        },
        301 | 302 | 303 | 307 | 308 => match answer.location() {
            Some(url) => Step::Follow(url),
            None => Step::Stop(Error::unexpected("a redirect that leads nowhere").with_status(answer.status)),
        },
        _ if answer.is_temporary() => retry(answer.hints.pause(now.wall), policy, now),
        400..=499 => refused(answer),
        _ => Step::Stop(answer.refusal()),
    }
}

fn again(answer: &Answer, view: Option<StatusView>, policy: &Policy, now: &Moment) -> Step {
    let hint = answer.hints.pause(now.wall);
    let pause = hint.unwrap_or_else(|| policy.retry.back_off(now.silent, now.random)).min(policy.max_pause);
    // A Location on a 200 names the resource, not the next poll.
    let location = (answer.status == 202).then(|| answer.location()).flatten();
    Step::Again { view: view.map(Box::new), location, pause, paced: hint.is_some() }
}

fn retry(hint: Option<Duration>, policy: &Policy, now: &Moment) -> Step {
    Step::Retry { pause: policy.retry.after_failure(hint, now.failures, now.random).min(policy.max_pause) }
}

/// A 4xx is the end of the operation only if it brings the operation along; else it is about the request.
fn refused(answer: &Answer) -> Step {
    let problem = answer.problem();
    match problem.as_ref().and_then(|problem| problem.operation.clone()) {
        Some(view) if view.status.is_terminal() => ended(answer, view, problem),
        _ => Step::Stop(answer.refusal()),
    }
}

fn ended(answer: &Answer, view: StatusView, problem: Option<Problem>) -> Step {
    Step::Ended(Box::new(Ended { view, problem, status: answer.status }))
}

impl Ended {
    /// The error of an operation that ended without an output; `None` if it succeeded.
    pub(crate) fn error(&self) -> Option<Error> {
        let error = match self.view.status {
            Status::Succeeded => return None,
            Status::Canceled => Error::canceled(),
            _ => Error::failed(),
        };
        Some(
            error
                .with_status(self.status)
                .with_problem(self.problem.clone())
                .with_view(Some(self.view.clone())),
        )
    }
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
