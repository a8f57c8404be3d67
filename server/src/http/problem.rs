//! Errors as answers: problem details (RFC 9457) for everything that is not a success.
//!
//! A handler returns a [`Problem`]; what only the request knows (its id, its path, the base of URLs) is added where
//! all answers pass, in [`front`](super::front).

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use raincheck_openapi::{InvalidField, ProblemCode, paths};
use serde::Serialize;
use warp::reply::{Reply, Response};

use super::call::Call;
use super::page::{self, Page};
use super::view::{self, View};
use super::{App, dice};
use crate::content::Malformed;
use crate::operation::{Operation, State};
use crate::store::StoreError;

/// An error answer, without what only its request knows.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    code: ProblemCode,
    detail: Cow<'static, str>,
    errors: Vec<InvalidField>,
    limit: Option<u64>,
    retry_after: Option<u32>,
    allow: Option<&'static str>,
    closes: bool,
    as_page: bool,
    ended: Option<Arc<Operation>>,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What only the request knows of its problem.
pub(crate) struct Occurrence<'a> {
    pub(crate) base: &'a str,
    pub(crate) instance: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) media_type: &'static str,
}

impl Problem {
    /// A problem of this kind; `detail` says what was wrong this time, and how to mend it.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            limit: None,
            retry_after: None,
            allow: None,
            closes: false,
            as_page: false,
            ended: None,
            cause: None,
        }
    }

    /// The answer for an operation that this caller may not see, and for one that never was: the same text.
    pub(crate) fn not_found() -> Self {
        Self::new(ProblemCode::NotFound, "there is no such operation")
    }

    /// The answer to an event that the action does not declare.
    pub(crate) fn unknown_event() -> Self {
        Self::new(ProblemCode::UnknownEvent, "the action declares no event of that name")
    }

    /// The answer to an event that has no room.
    pub(crate) fn too_many_events(app: &App, operation: &Operation) -> Self {
        Self::new(ProblemCode::TooManyEvents, "too many events wait to be taken")
            .with_retry_after(app.paced(&operation.action).max(1))
    }

    /// The answer without a credential that grants.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(ProblemCode::Unauthenticated, "the request has no credential that is valid here")
    }

    /// The answer for an operation that failed or was canceled.
    pub(crate) fn ended(operation: Arc<Operation>) -> Self {
        let code = if operation.state == State::Canceled {
            ProblemCode::OperationCanceled
        } else {
            ProblemCode::OperationFailed
        };
        Self { ended: Some(operation), ..Self::new(code, "") }
    }

    /// The answer to a signal for an operation that has ended.
    pub(crate) fn already_terminal(operation: &Operation) -> Self {
        let status = view::status(operation.state);
        Self::new(ProblemCode::AlreadyTerminal, format!("the operation has ended as {status}"))
    }

    /// The answer of a process that is going down.
    pub(crate) fn draining() -> Self {
        Self::new(ProblemCode::Draining, "this process takes nothing new")
            .with_retry_after(crate::retry_after::busy(dice::throw()))
    }

    /// A bug, or something that nobody foresaw. The caller learns nothing but the request's id.
    pub(crate) fn internal() -> Self {
        Self::new(
            ProblemCode::InternalError,
            "the request could not be answered; its id leads the operator to the cause",
        )
    }

    /// The answer to an input in which these places do not fit. The detail is about the first.
    pub(crate) fn invalid(errors: Vec<InvalidField>) -> Self {
        let told = |error: &InvalidField| format!("{}: {}", error.place(), error.detail);
        let detail = errors.first().map_or_else(String::new, told);
        Self { errors, ..Self::new(ProblemCode::InvalidInput, detail) }
    }

    /// The answer to a query parameter with a value that is none.
    pub(crate) fn parameter(name: &str, expected: impl std::fmt::Display) -> Self {
        Self::new(ProblemCode::InvalidParameter, format!("{name}: expected {expected}"))
    }

    pub(crate) const fn with_limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(crate) const fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) const fn with_allow(mut self, allow: &'static str) -> Self {
        self.allow = Some(allow);
        self
    }

    /// Ends the connection with this answer.
    pub(crate) const fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// Shows it as a page, if it is a browser that asked.
    pub(crate) fn for_reader(mut self, call: &Call) -> Self {
        self.as_page = call.accepts_html();
        self
    }

    pub(crate) fn caused_by(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// What only the log may know.
    pub(crate) fn cause(&self) -> Option<&(dyn StdError + Send + Sync)> {
        self.cause.as_deref()
    }

    /// Fills in the answer that stands for this problem: status, headers and body. Headers that it has, stay.
    pub(crate) fn complete(&self, answer: &mut Response, at: &Occurrence<'_>) {
        let status = self.status();
        *answer.status_mut() = status;
        if self.as_page {
            let (title, text) = self.in_plain_words();
            let notice = format!("{} · request {}", self.code.as_str(), at.request_id);
            let page = Page { title, text, notice: &notice, buttons: &[] };
            *answer.body_mut() = page.html().into();
            page::protect(answer.headers_mut());
        } else {
            *answer.body_mut() = view::json(&self.wire(status, at)).into();
            let media_type = HeaderValue::from_static(at.media_type);
            answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
        }
        let headers = answer.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.code == ProblemCode::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"raincheck\""));
        }
        if self.closes {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// The problem for somebody who was given a link and knows nothing of requests.
    fn in_plain_words(&self) -> (&str, &str) {
        match self.code {
            ProblemCode::Unauthenticated | ProblemCode::NotFound => (
                "This link does not work",
                "It is not complete, or it was not made here. Open it exactly as it was given to you.",
            ),
            ProblemCode::LinkExpired => {
                ("This link has expired", "Ask whoever gave it to you for a new one.")
            }
            ProblemCode::OperationGone => {
                ("This is no longer kept", "It ended some time ago, and there is nothing left to decide.")
            }
            _ => (self.code.title(), &self.detail),
        }
    }

    fn status(&self) -> StatusCode {
        let ended = self.ended.as_ref().and_then(|operation| operation.problem.as_ref());
        let status = ended.map_or(self.code.status(), |problem| problem.http_status);
        // What is stored was checked when the action was registered; a damaged record must not become a success.
        StatusCode::from_u16(status)
            .ok()
            .filter(|status| status.is_client_error() || self.ended.is_none())
            .unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
    }

    fn wire<'a>(&'a self, status: StatusCode, at: &Occurrence<'a>) -> Wire<'a> {
        let ended = self.ended.as_deref();
        let own = ended.and_then(|operation| operation.problem.as_ref());
        let (code, detail) = match own {
            Some(problem) => (&*problem.code, &*problem.message),
            None => (self.code.as_str(), &*self.detail),
        };
        Wire {
            kind: format!("{}/problems/{}", at.base, self.code.as_str()),
            title: self.code.title(),
            status: status.as_u16(),
            detail,
            // An operation's end is one occurrence, whichever request is told of it.
            instance: ended.map_or(Cow::Borrowed(at.instance), |operation| {
                paths::operation(&operation.action, &operation.id.to_string()).into()
            }),
            code,
            request_id: at.request_id,
            error: view::Error { code, message: detail },
            errors: &self.errors,
            limit: self.limit,
            operation: ended.map(View::new),
        }
    }
}

/// The members of [`raincheck_openapi::Problem`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: Cow<'a, str>,
    code: &'a str,
    request_id: &'a str,
    error: view::Error<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [InvalidField],
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<View<'a>>,
}

impl Reply for Problem {
    /// An answer that carries the problem until [`Problem::complete`] fills it in.
    fn into_response(self) -> Response {
        let mut answer = Response::new(Vec::new().into());
        answer.extensions_mut().insert(self);
        answer
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = match &error {
            StoreError::Unreadable { .. } => Self::internal(),
            _ => Self::new(ProblemCode::StoreUnavailable, "the store cannot be reached now")
                .with_retry_after(crate::retry_after::busy(dice::throw())),
        };
        problem.caused_by(error)
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        Self::new(ProblemCode::MalformedJson, malformed.to_string())
    }
}

#[cfg(test)]
mod tests;
