//! What the first answer means: whether there is an operation, and how its server tells how it stands.

use raincheck_openapi::Status;
use url::Url;

use crate::Error;
use crate::answer::{Answer, names};
use crate::dialect::{Course, Dialect, FinalStateVia, ResultAt};
use crate::step::{Again, Ended, Moment, Output, Policy, any_view, end, pace};
use crate::transport::Method;
use crate::view::{Body, Words};

/// What was sent, as far as the answer's meaning depends on it, and what the caller has chosen.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) final_state_via: Option<FinalStateVia>,
}

/// How an accepted operation is followed, and how it stands.
pub(crate) struct Begun {
    pub(crate) course: Course,
    pub(crate) step: Begin,
}

/// The two ways in which a start can go well.
#[derive(Debug)]
pub(crate) enum Begin {
    AtWork(Again),
    Ended(Ended),
}

/// Decides what the first answer means.
///
/// # Errors
/// That of the answer, if nothing was accepted or the operation cannot be followed.
pub(crate) fn recognise(
    answer: &Answer,
    asked: &Asked<'_>,
    policy: &Policy,
    now: &Moment<'_>,
) -> Result<Begun, Error> {
    match answer.status {
        200..=299 => accepted(answer, asked, policy, now),
        303 => match answer.location(&policy.routes) {
            Some(at) => {
                // The answer is elsewhere, and may be there already, unless the server says when.
                let pause = answer.hint(now.clock).unwrap_or_default().min(policy.max_pause);
                let again = Again { view: None, at: None, result: None, pause, paced: true };
                Ok(Begun { course: Course::unknown(at), step: Begin::AtWork(again) })
            }
            None => Err(Error::unexpected("a redirect that leads nowhere").with_status(answer.status)),
        },
        // Accepted, and ended without a result before the answer left.
        400..=499 => match answer.ended_view() {
            Some(view) => {
                let course =
                    Course::unknown(answer.location(&policy.routes).unwrap_or_else(|| asked.url.clone()));
                let ended = end(answer, view.status, Some(view), Output::Whole);
                Ok(Begun { course, step: Begin::Ended(ended) })
            }
            None => Err(answer.refusal()),
        },
        _ => Err(answer.refusal()),
    }
}

fn accepted(answer: &Answer, asked: &Asked<'_>, policy: &Policy, now: &Moment<'_>) -> Result<Begun, Error> {
    let body = answer.members().unwrap_or_default();
    let course = course(answer, &body, asked, policy)?;
    let Some(course) = course else {
        let at = answer.location(&policy.routes).unwrap_or_else(|| asked.url.clone());
        return Ok(Begun { course: Course::unknown(at), step: Begin::Ended(inline(answer, &body)) });
    };
    // A 202 with a last word in its body is still a 202.
    let view = any_view(&body).filter(|view| !view.status.is_terminal()).map(Box::new);
    let (pause, paced) = pace(answer, policy, now);
    let step = Begin::AtWork(Again { view, at: None, result: None, pause, paced });
    Ok(Begun { course, step })
}

/// How to go on; `None` if the work has ended with the first answer.
fn course(
    answer: &Answer,
    body: &Body<'_>,
    asked: &Asked<'_>,
    policy: &Policy,
) -> Result<Option<Course>, Error> {
    let routes = &policy.routes;
    let location = answer.location(routes);
    let about_resource = *asked.method != Method::POST;
    let unusable = |what| Err(Error::unexpected(what).with_status(answer.status));
    let dialect = match asked.dialect.or_else(|| dialect(answer, body, asked.method)) {
        Some(dialect) => dialect,
        None if answer.status == 202 => {
            return unusable("it leads nowhere: no usable Location, so nothing can be followed");
        }
        None if answer.status == 201 && about_resource && answer.body.trim_ascii().is_empty() => {
            return unusable("a 201 without a body or a Location does not tell how the work stands");
        }
        None => return Ok(None),
    };
    if asked.dialect.is_some() && has_ended(answer, body, dialect) {
        return Ok(None);
    }
    let resource = || Box::new(asked.url.clone());
    let result = match (asked.final_state_via, &location) {
        (Some(FinalStateVia::OperationLocation), _) => ResultAt::OnlyHere,
        (Some(FinalStateVia::OriginalUri), _) => ResultAt::Resource(resource()),
        (Some(FinalStateVia::Location), Some(url)) => ResultAt::Location(Box::new(url.clone())),
        (Some(FinalStateVia::Location), None) => ResultAt::Here,
        (None, _) if dialect != Dialect::StatusMonitor => ResultAt::Here,
        (None, _) if matches!(*asked.method, Method::PUT | Method::PATCH) => ResultAt::Resource(resource()),
        (None, Some(url)) if *asked.method == Method::POST => ResultAt::Location(Box::new(url.clone())),
        (None, _) => ResultAt::Here,
    };
    let ours = dialect == Dialect::StatusMonitor && body.is_status_view();
    let home = location.as_ref().filter(|_| ours).map(|url| Box::new(url.clone()));
    let at = match dialect {
        Dialect::StatusMonitor => answer.monitor(routes),
        Dialect::Location => location,
        Dialect::BodyState => Some(asked.url.clone()),
        Dialect::DurableFunctions => {
            location.or_else(|| routes.resolve(&answer.asked, &body.status_query_get_uri()?))
        }
    };
    let Some(at) = at else { return unusable("its status URL is missing or cannot be used") };
    let terminate = || routes.resolve(&answer.asked, &body.terminate_post_uri()?).map(Box::new);
    Ok(Some(Course {
        dialect: Some(dialect),
        at,
        result,
        fetching: false,
        about_resource,
        // A 201 names what was created, a 202 where to ask.
        resource: answer.status == 201 && dialect == Dialect::Location,
        home,
        terminate: (dialect == Dialect::DurableFunctions).then(terminate).flatten(),
    }))
}

/// The dialect that the first answer speaks; `None` if it says nothing of an operation that goes on.
fn dialect(answer: &Answer, body: &Body<'_>, method: &Method) -> Option<Dialect> {
    let located = answer.header(&names::LOCATION).is_some();
    let provisioning = body.status(Words::Provisioning);
    // A resource that is finished is finished, whatever headers a gateway leaves on it.
    let finished = provisioning.is_some_and(Status::is_terminal);
    let view_ended = body.is_status_view() && body.status(Words::Monitor).is_some_and(Status::is_terminal);
    if answer.status != 202 && (finished || view_ended || answer.status == 204) {
        return None;
    }
    if answer.monitor_header().is_some() {
        return Some(Dialect::StatusMonitor);
    }
    if answer.status == 202 && body.status_query_get_uri().is_some() {
        return Some(Dialect::DurableFunctions);
    }
    if answer.status == 202 && located {
        return Some(Dialect::Location);
    }
    // What a POST gives back is a result, not the thing that is being worked on.
    if provisioning.is_some() && *method != Method::POST {
        return Some(Dialect::BodyState);
    }
    let bare = answer.body.trim_ascii().is_empty();
    (answer.status == 201 && bare && located).then_some(Dialect::Location)
}

/// Whether the first answer is already the last one, in a dialect that the caller has chosen.
fn has_ended(answer: &Answer, body: &Body<'_>, dialect: Dialect) -> bool {
    let terminal = |words| body.status(words).is_some_and(Status::is_terminal);
    match dialect {
        _ if answer.status == 202 => false,
        _ if answer.status == 204 => true,
        Dialect::Location => answer.header(&names::LOCATION).is_none(),
        Dialect::StatusMonitor => answer.monitor_header().is_none(),
        Dialect::BodyState => {
            terminal(Words::Provisioning)
                || (answer.status == 200 && body.state(Words::Provisioning).is_none())
        }
        Dialect::DurableFunctions => terminal(Words::Runtime),
    }
}

/// The end of an operation whose work was done with the first answer, well or not.
fn inline(answer: &Answer, body: &Body<'_>) -> Ended {
    let words = if body.is_status_view() { Words::Monitor } else { Words::Provisioning };
    let view = body.view(words).filter(|view| view.status.is_terminal());
    let status = view.as_ref().map_or(Status::Succeeded, |view| view.status);
    let output = if words == Words::Monitor { Output::Member(words) } else { Output::Whole };
    end(answer, status, view, output)
}

#[cfg(test)]
#[path = "recognise_tests.rs"]
mod tests;
