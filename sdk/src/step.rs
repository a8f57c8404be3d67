//! What an answer to a poll means and what to do next: each dialect as a pure function.

use std::time::{Duration, SystemTime};

use raincheck_openapi::{Problem, Status};
use url::Url;

use crate::address::Routes;
use crate::answer::{Answer, Observed};
use crate::dialect::{Course, Dialect, ResultAt};
use crate::pace::FREE_RETRIES;
use crate::view::{Body, View, Words};
use crate::{Error, RetryPolicy};

/// The caller's settings that a decision depends on.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) retry: RetryPolicy,
    /// No pause is longer than this, whatever the server says.
    pub(crate) max_pause: Duration,
    pub(crate) routes: Routes,
}

/// What a decision depends on beside the answer: the time, what went before, and chance. Time and chance are
/// there to be asked, because most answers name a pause in seconds and need neither.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) clock: fn() -> SystemTime,
    /// What the last answer that had a view has shown.
    pub(crate) shown: Option<&'a View>,
    /// Answers in a row that gave no pace.
    pub(crate) silent: u32,
    /// Polls in a row that failed.
    pub(crate) failures: u32,
    /// Nothing has been seen yet at the place that is asked, and an answer of this very run has named it.
    pub(crate) fresh: bool,
    /// Between 0 and 1, for jitter.
    pub(crate) random: fn() -> f64,
}

impl Moment<'_> {
    pub(crate) fn now(silent: u32, failures: u32) -> Self {
        Self {
            clock: SystemTime::now,
            shown: None,
            silent,
            failures,
            fresh: false,
            random: crate::pace::random,
        }
    }
}

/// What to do after a poll.
#[derive(Debug)]
pub(crate) enum Step {
    /// The operation is still at work: ask again after the pause.
    Again(Again),
    /// The poll failed, which says nothing about the operation: ask again after the pause.
    Retry { pause: Duration },
    /// The answer is elsewhere: ask there at once.
    Follow(Url),
    /// The work has ended well, and its result is elsewhere: ask there from now on, beginning at once.
    Fetch { view: Option<Box<View>>, at: Url },
    /// The operation has ended.
    Ended(Ended),
    /// There will be no answer to this poll.
    Stop(Error),
}

/// What a poll of an operation that is still at work has brought.
#[derive(Debug)]
pub(crate) struct Again {
    /// None if the answer shows no state, or none that differs.
    pub(crate) view: Option<Box<View>>,
    /// Where to ask from now on, if the server says so.
    pub(crate) at: Option<Url>,
    /// Where the result will be, if the server says so.
    pub(crate) result: Option<Url>,
    pub(crate) pause: Duration,
    /// The server has asked for this pause.
    pub(crate) paced: bool,
}

/// How an operation ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Status,
    pub(crate) view: Option<Box<View>>,
    pub(crate) problem: Option<Box<Problem>>,
    /// The HTTP status of the last answer.
    pub(crate) code: u16,
    /// Where in that answer's body the result is.
    pub(crate) output: Output,
}

/// Where the result is in the last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// The body is the result.
    Whole,
    /// A member of the body, as servers with these words have it.
    Member(Words),
}

/// Decides what follows from what was seen.
pub(crate) fn next_step(seen: &Observed, course: &Course, policy: &Policy, now: &Moment<'_>) -> Step {
    let answer = match seen {
        Observed::Answer(answer) => answer,
        Observed::Lost(_) => return retry(None, policy, now),
    };
    match answer.status {
        301 | 302 | 303 | 307 | 308 => match answer.location(&policy.routes) {
            // RFC 9110: the pause before the redirected request. Servers that redirect until they are done
            // set their pace like this, and following at once would look like a circle.
            Some(url) if answer.hint(now.clock).is_some_and(|pause| !pause.is_zero()) => {
                again(answer, None, Links { at: Some(url), result: None }, policy, now)
            }
            Some(url) => Step::Follow(url),
            None => Step::Stop(
                Error::unexpected("a redirect that leads nowhere, or out of https")
                    .with_status(answer.status),
            ),
        },
        // Only asked for with an `If-None-Match`: nothing has changed.
        304 => again(answer, None, Links::default(), policy, now),
        200..=299 if course.fetching => fetched(answer, policy, now),
        200..=299 => match course.dialect {
            Some(Dialect::Location) => location(answer, course, policy, now),
            Some(Dialect::StatusMonitor) => monitor(answer, course, policy, now),
            Some(Dialect::BodyState) => body_state(answer, policy, now),
            Some(Dialect::DurableFunctions) => durable_functions(answer, policy, now),
            None => by_its_looks(answer, course, policy, now),
        },
        _ if answer.is_temporary() => match failed_orchestration(answer, course) {
            Some(view) => ended(answer, view.status, Some(view), Output::Whole),
            None => retry(answer.hint(now.clock), policy, now),
        },
        // A server with replicas may not know everywhere yet what it has just promised.
        404 if now.fresh && now.failures < FREE_RETRIES => retry(answer.hint(now.clock), policy, now),
        400..=499 => refused(answer),
        _ => Step::Stop(answer.refusal()),
    }
}

/// 202 until another code.
fn location(answer: &Answer, course: &Course, policy: &Policy, now: &Moment<'_>) -> Step {
    if answer.status == 202 {
        // Most servers say the same until the end, and that need not be read again.
        let differs = now.shown.is_none_or(|view| view.body().as_bytes() != answer.json_text());
        let view = differs.then(|| any_view(&answer.members()?)).flatten();
        return again(answer, view, newest_location(answer, policy), policy, now);
    }
    // A result may be large, and as a rule it is nothing but the result.
    let is_read = course.about_resource || answer.may_be_status_view();
    let body = is_read.then(|| answer.members()).flatten().unwrap_or_default();
    if let Some(view) = body.is_status_view().then(|| body.view(Words::Monitor)).flatten() {
        return by_state(answer, &body, view, course, policy, now);
    }
    // A resource that this operation is about tells how it ended, although the code is a 200.
    let view = course.about_resource.then(|| body.view(Words::Provisioning)).flatten();
    match view {
        Some(view) if matches!(view.status, Status::Failed | Status::Canceled) => {
            ended(answer, view.status, Some(view), Output::Whole)
        }
        view => match &course.result {
            ResultAt::Resource(at) => Step::Fetch { view: view.map(Box::new), at: (**at).clone() },
            _ => ended(answer, Status::Succeeded, view, Output::Whole),
        },
    }
}

/// A URL of its own whose body has a `status`.
fn monitor(answer: &Answer, course: &Course, policy: &Policy, now: &Moment<'_>) -> Step {
    let body = match Body::read(&answer.body) {
        Ok(body) => body,
        Err(cause) => return Step::Stop(Error::decode(cause).with_status(answer.status)),
    };
    if let Some(view) = body.view(Words::Monitor) {
        return by_state(answer, &body, view, course, policy, now);
    }
    match answer.status {
        202 => again(answer, None, newest_links(answer, course, policy), policy, now),
        204 => ended(answer, Status::Succeeded, None, Output::Whole),
        _ => Step::Stop(Error::unexpected("a status monitor without a status").with_status(answer.status)),
    }
}

/// The resource itself, with a `provisioningState`; without one it is finished.
fn body_state(answer: &Answer, policy: &Policy, now: &Moment<'_>) -> Step {
    let body = match Body::read(&answer.body) {
        Ok(body) => body,
        Err(cause) => return Step::Stop(Error::decode(cause).with_status(answer.status)),
    };
    match body.view(Words::Provisioning) {
        Some(view) if view.status.is_terminal() => ended(answer, view.status, Some(view), Output::Whole),
        None if answer.status != 202 => ended(answer, Status::Succeeded, None, Output::Whole),
        view => again(answer, view, Links::default(), policy, now),
    }
}

/// Durable Functions' own status, with a `runtimeStatus`.
fn durable_functions(answer: &Answer, policy: &Policy, now: &Moment<'_>) -> Step {
    let body = match Body::read(&answer.body) {
        Ok(body) => body,
        Err(cause) => return Step::Stop(Error::decode(cause).with_status(answer.status)),
    };
    match body.view(Words::Runtime) {
        Some(view) if view.status.is_terminal() => {
            ended(answer, view.status, Some(view), Output::Member(Words::Runtime))
        }
        None if answer.status != 202 => Step::Stop(
            Error::unexpected("an orchestration without a runtimeStatus").with_status(answer.status),
        ),
        // The Location of a poll is that of the start again.
        view => again(answer, view, newest_location(answer, policy), policy, now),
    }
}

/// A URL that came without its dialect: each answer is taken for what it looks like.
fn by_its_looks(answer: &Answer, course: &Course, policy: &Policy, now: &Moment<'_>) -> Step {
    let body = match Body::read(&answer.body) {
        Ok(body) => body,
        Err(_) if answer.status == 202 => return location(answer, course, policy, now),
        Err(cause) => return Step::Stop(Error::decode(cause).with_status(answer.status)),
    };
    let has = |words| body.state(words).is_some();
    match body.view(Words::Monitor) {
        _ if has(Words::Runtime) => durable_functions(answer, policy, now),
        _ if answer.status == 202 => location(answer, course, policy, now),
        Some(view) => by_state(answer, &body, view, course, policy, now),
        None if has(Words::Provisioning) => body_state(answer, policy, now),
        None => ended(answer, Status::Succeeded, None, Output::Whole),
    }
}

/// A monitor's word for the state decides, whatever the code.
fn by_state(
    answer: &Answer,
    body: &Body<'_>,
    view: View,
    course: &Course,
    policy: &Policy,
    now: &Moment<'_>,
) -> Step {
    match view.status {
        Status::Succeeded => match result_url(answer, body, course, policy) {
            Some(at) => Step::Fetch { view: Some(Box::new(view)), at },
            None => ended(answer, Status::Succeeded, Some(view), Output::Member(Words::Monitor)),
        },
        Status::Failed | Status::Canceled => ended(answer, view.status, Some(view), Output::Whole),
        _ => again(answer, Some(view), newest_links(answer, course, policy), policy, now),
    }
}

/// Where the result of a monitor that says `Succeeded` is; `None` if it is in the monitor.
fn result_url(answer: &Answer, body: &Body<'_>, course: &Course, policy: &Policy) -> Option<Url> {
    // Our own servers put the output into every view.
    if body.is_status_view() {
        return None;
    }
    let offered = || policy.routes.resolve(&answer.asked, &body.resource_location()?);
    match &course.result {
        ResultAt::OnlyHere => None,
        ResultAt::Here => offered(),
        ResultAt::Resource(url) => offered().or_else(|| Some((**url).clone())),
        ResultAt::Location(url) => {
            offered().or_else(|| answer.location(&policy.routes)).or_else(|| Some((**url).clone()))
        }
    }
}

/// The answer at the place of the result.
fn fetched(answer: &Answer, policy: &Policy, now: &Moment<'_>) -> Step {
    match answer.status {
        // Some servers need a moment between the two.
        202 => again(answer, None, newest_location(answer, policy), policy, now),
        _ => ended(answer, Status::Succeeded, None, Output::Whole),
    }
}

/// New places that an answer names.
#[derive(Default)]
struct Links {
    at: Option<Url>,
    result: Option<Url>,
}

fn newest_location(answer: &Answer, policy: &Policy) -> Links {
    Links { at: answer.location(&policy.routes), result: None }
}

fn newest_links(answer: &Answer, course: &Course, policy: &Policy) -> Links {
    let location = || answer.location(&policy.routes);
    // Without a dialect the monitor is not known to be one, so a 202's Location is the next poll.
    let at = match course.dialect {
        None if answer.status == 202 => location(),
        _ => answer.monitor(&policy.routes),
    };
    Links { at, result: location().filter(|_| matches!(course.result, ResultAt::Location(_))) }
}

fn again(answer: &Answer, view: Option<View>, links: Links, policy: &Policy, now: &Moment<'_>) -> Step {
    let (pause, paced) = pace(answer, policy, now);
    let Links { at, result } = links;
    Step::Again(Again { view: view.map(Box::new), at, result, pause, paced })
}

/// The pause before the next poll, and whether the server has asked for it.
pub(crate) fn pace(answer: &Answer, policy: &Policy, now: &Moment<'_>) -> (Duration, bool) {
    let hint = answer.hint(now.clock);
    let pause = hint.unwrap_or_else(|| policy.retry.back_off(now.silent, (now.random)()));
    (pause.min(policy.max_pause), hint.is_some())
}

fn retry(hint: Option<Duration>, policy: &Policy, now: &Moment<'_>) -> Step {
    Step::Retry {
        pause: policy.retry.after_failure(hint, now.failures, (now.random)()).min(policy.max_pause),
    }
}

/// A 4xx is the end of the operation only if it brings the operation along; else it is about the request.
fn refused(answer: &Answer) -> Step {
    match answer.ended_view() {
        Some(view) => ended(answer, view.status, Some(view), Output::Whole),
        None => Step::Stop(answer.refusal()),
    }
}

/// Durable Functions can be told to answer 500 for an orchestration that failed
/// (`returnInternalServerErrorOnFailure`); every other 5xx is about the poll.
fn failed_orchestration(answer: &Answer, course: &Course) -> Option<View> {
    if answer.status != 500 || !matches!(course.dialect, None | Some(Dialect::DurableFunctions)) {
        return None;
    }
    answer.members()?.view(Words::Runtime).filter(|view| view.status == Status::Failed)
}

/// The state in whatever words the body has; only for show.
pub(crate) fn any_view(body: &Body<'_>) -> Option<View> {
    [Words::Runtime, Words::Monitor, Words::Provisioning].into_iter().find_map(|words| body.view(words))
}

fn ended(answer: &Answer, status: Status, view: Option<View>, output: Output) -> Step {
    Step::Ended(end(answer, status, view, output))
}

pub(crate) fn end(answer: &Answer, status: Status, view: Option<View>, output: Output) -> Ended {
    // The `error` in a monitor's 200 is the operation's, and in the view.
    let problem = if answer.status >= 400 { answer.problem() } else { None };
    Ended { status, view: view.map(Box::new), problem: problem.map(Box::new), code: answer.status, output }
}

impl Ended {
    /// The error of an operation that ended without a result; `None` if it succeeded. Its view is added by the
    /// operation, which shows it too.
    pub(crate) fn error(&self) -> Option<Error> {
        let error = match self.status {
            Status::Succeeded => return None,
            Status::Canceled => Error::canceled(),
            _ => Error::failed(),
        };
        Some(error.with_status(self.code).with_problem(self.problem.as_deref().cloned()))
    }

    /// The result in the last answer, as JSON text; an answer without a body has the result `null`.
    pub(crate) fn output<'a>(&self, answer: &'a Answer) -> &'a [u8] {
        let whole = || match answer.json_text().trim_ascii() {
            b"" => b"null",
            body => body,
        };
        match self.output {
            Output::Whole => whole(),
            Output::Member(words) => {
                answer.members().and_then(|body| body.output(words)).map_or_else(whole, str::as_bytes)
            }
        }
    }
}

#[cfg(test)]
#[path = "step_tests.rs"]
pub(crate) mod tests;
