//! The one error type: opaque, with predicates that say what to do.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use raincheck_openapi::Problem;

use crate::answer::Answer;
use crate::{LastAnswer, ResumeToken, View, address};

/// Why an operation gave no output, or why a request could not be made or was not granted.
///
/// Ask the predicates what happened; each says what to do about it. Neither `Display` nor `Debug` ever shows
/// an API key, a status URL or its token, so an error may be logged as it is.
///
/// ```no_run
/// # async fn run(operation: raincheck::Operation<String>) -> Result<(), raincheck::Error> {
/// match operation.await {
///     Ok(output) => println!("{output}"),
///     Err(error) if error.is_failed() => println!("it failed for good: {error}"),
///     Err(error) if error.is_timeout() => println!("still at work; keep {:?}", error.token()),
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    status: Option<u16>,
    problem: Option<Problem>,
    view: Option<View>,
    token: Option<ResumeToken>,
    answer: Option<Answer>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Failed,
    Canceled,
    Timeout(Duration),
    Refused,
    Unavailable,
    Transport { connect: bool },
    Decode,
    Unexpected(&'static str),
    Usage(&'static str),
}

impl Error {
    fn new(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            status: None,
            problem: None,
            view: None,
            token: None,
            answer: None,
            source: None,
        }))
    }

    pub(crate) fn failed() -> Self {
        Self::new(Kind::Failed)
    }

    pub(crate) fn canceled() -> Self {
        Self::new(Kind::Canceled)
    }

    pub(crate) fn timeout(patience: Duration) -> Self {
        Self::new(Kind::Timeout(patience))
    }

    pub(crate) fn refused(status: u16) -> Self {
        Self::new(Kind::Refused).with_status(status)
    }

    pub(crate) fn unavailable(status: u16) -> Self {
        Self::new(Kind::Unavailable).with_status(status)
    }

    pub(crate) fn transport(connect: bool) -> Self {
        Self::new(Kind::Transport { connect })
    }

    pub(crate) fn decode(cause: serde_json::Error) -> Self {
        let error = Self::new(Kind::Decode);
        // It repeats a string that it did not expect, and any URL may be a status URL.
        if cause.to_string().contains("://") {
            let (line, column) = (cause.line(), cause.column());
            return error.because(format!("a value of another type at line {line} column {column}"));
        }
        error.because(cause)
    }

    pub(crate) fn unexpected(what: &'static str) -> Self {
        Self::new(Kind::Unexpected(what))
    }

    pub(crate) fn usage(what: &'static str) -> Self {
        Self::new(Kind::Usage(what))
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_problem(mut self, problem: Option<Problem>) -> Self {
        self.0.problem = problem;
        self
    }

    pub(crate) fn with_view(mut self, view: Option<View>) -> Self {
        self.0.view = view;
        self
    }

    pub(crate) fn with_token(mut self, token: ResumeToken) -> Self {
        self.0.token = Some(token);
        self
    }

    pub(crate) fn with_answer(mut self, answer: Answer) -> Self {
        self.0.answer = Some(answer);
        self
    }

    pub(crate) fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(cause.into());
        self
    }

    /// The operation ran and ended as `Failed`.
    ///
    /// Polling again gives the same answer. [`problem`](Self::problem) has the code that the action chose and
    /// [`view`](Self::view) the last status; mend the input or the cause, then start a new operation.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.0.kind == Kind::Failed
    }

    /// The operation ended as `Canceled`, because somebody asked for it.
    ///
    /// Polling again gives the same answer; start a new operation to run the action after all.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        self.0.kind == Kind::Canceled
    }

    /// The caller's own deadline passed first.
    ///
    /// If there is a [`token`](Self::token), the operation goes on at the server: attach to it again later,
    /// or cancel it. Without one the start was not answered in time; repeat it with the same idempotency key.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, Kind::Timeout(_))
    }

    /// The server knew the operation, or the link, but keeps it no longer (410).
    ///
    /// The outcome cannot be had any more. Ask sooner, or have the action's retention made longer.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.kind == Kind::Refused && self.0.status == Some(410)
    }

    /// The server does not accept the credential (401), or it does not allow this (403).
    ///
    /// Check the API key, or ask for one with the right role. The key is sent only to the origin that the
    /// client was built for; a status URL elsewhere must carry its own token. A credential that expired while
    /// the operation was at work ends only the following: attach with the [`token`](Self::token) and a client
    /// that has a new one.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.0.kind == Kind::Refused && matches!(self.0.status, Some(401 | 403))
    }

    /// There is no such action or operation, or not for this caller (404).
    ///
    /// Check the name and the server's URL. An operation of somebody else looks the same as none. The first
    /// polls of an operation that was accepted a moment ago are repeated three times when they find nothing,
    /// and so is the request for a result that was just promised: replicas may lag.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.kind == Kind::Refused && self.0.status == Some(404)
    }

    /// The server answered and said no: any 4xx that does not come from an ended operation.
    ///
    /// On a start this means that nothing was accepted. [`problem`](Self::problem) says what to mend; sending
    /// the same again gives the same answer. True as well whenever one of [`is_gone`](Self::is_gone),
    /// [`is_unauthorized`](Self::is_unauthorized), [`is_not_found`](Self::is_not_found) is.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.0.kind == Kind::Refused
    }

    /// The server answered, but could not serve: 408, 429 or 5xx until the attempts were used up. (A 501 and a
    /// 505 say that it never will, and are [`is_unexpected`](Self::is_unexpected).)
    ///
    /// Try again later; a start is safe to repeat with the same idempotency key.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.0.kind == Kind::Unavailable
    }

    /// No connection to the server could be made, so it has seen nothing of the request.
    ///
    /// Check the URL, the network, and that the server runs.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.0.kind == Kind::Transport { connect: true }
    }

    /// There was no answer: no connection, a broken one, or a request that took longer than the request
    /// timeout.
    ///
    /// Try again; if the error has a [`token`](Self::token), attach with it.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        matches!(self.0.kind, Kind::Transport { .. })
    }

    /// An answer, or the operation's output, is not of the shape that was expected.
    ///
    /// [`source`](StdError::source) says where. For an output: compare the type given to `Operation<T>` with
    /// the action's schema in `/openapi.json`; the output itself is in [`view`](Self::view).
    #[must_use]
    pub fn is_decode(&self) -> bool {
        self.0.kind == Kind::Decode
    }

    /// The answer is none that a server of asynchronous operations gives, such as a 202 that leads nowhere.
    ///
    /// Check that the URL is the server's, and not that of a page or gateway in front of it.
    #[must_use]
    pub fn is_unexpected(&self) -> bool {
        matches!(self.0.kind, Kind::Unexpected(_))
    }

    /// The caller gave something that cannot be sent: a URL, key or input that is not one.
    ///
    /// Nothing was sent. Mend what the message names.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self.0.kind, Kind::Usage(_))
    }

    /// The HTTP status of the answer that led to this error.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What the server says about it (RFC 9457).
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        self.0.problem.as_ref()
    }

    /// The last status that was seen of the operation.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.0.view.as_ref()
    }

    /// What to [attach](crate::Client::attach) with to go on, if the operation was accepted.
    #[must_use]
    pub fn token(&self) -> Option<&ResumeToken> {
        self.0.token.as_ref()
    }

    /// A server's text without the status URL, which some like to repeat.
    fn legible(&self, text: &str) -> String {
        let known = self.token().map(|token| token.taken_out_of(text));
        address::without_queries(known.as_deref().unwrap_or(text))
    }

    /// The answer that refused, as it came, for what [`problem`](Self::problem) does not have: a request id in
    /// a header, or a body of the server's own kind. `None` if the operation ended; then it has the
    /// [last answer](crate::Operation::last_answer).
    #[must_use]
    pub fn answer(&self) -> Option<LastAnswer<'_>> {
        self.0.answer.as_ref().map(LastAnswer)
    }

    /// The reason as the problem or the view gives it: a sentence and a code.
    fn reason(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(problem) = self.problem() {
            let text = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
            if !text.is_empty() {
                write!(f, ": {}", self.legible(text))?;
            }
            if !problem.code.is_empty() {
                write!(f, " ({})", problem.code)?;
            }
            for field in &problem.errors {
                write!(f, "; {}: {}", field.place(), field.detail)?;
            }
        } else if let Some(error) = self.view().and_then(|view| view.error.as_ref()) {
            write!(f, ": {} ({})", self.legible(&error.message), error.code)?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.0.status.unwrap_or_default();
        match self.0.kind {
            Kind::Failed => f.write_str("the operation failed").and_then(|()| self.reason(f)),
            Kind::Canceled => f.write_str("the operation was canceled").and_then(|()| self.reason(f)),
            Kind::Timeout(patience) if self.0.token.is_some() => {
                write!(f, "the operation did not end within {patience:?} and goes on at the server")
            }
            Kind::Timeout(patience) => write!(f, "the server did not answer within {patience:?}"),
            Kind::Refused => write!(f, "the server refused with {status}").and_then(|()| self.reason(f)),
            Kind::Unavailable => {
                write!(f, "the server cannot serve this now, it says {status}").and_then(|()| self.reason(f))
            }
            Kind::Transport { connect: true } => f.write_str("no connection to the server"),
            Kind::Transport { connect: false } => f.write_str("no answer from the server"),
            Kind::Decode => f.write_str("the answer is not of the expected shape"),
            Kind::Unexpected(what) if self.0.status.is_some() => {
                write!(f, "unexpected answer {status}: {what}")
            }
            Kind::Unexpected(what) => write!(f, "unexpected answer: {what}"),
            Kind::Usage(what) => f.write_str(what),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Named one by one: a new field must not find its way into logs by itself.
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &format_args!("{self}"))
            .field("operation", &self.view().map(|view| (&view.id, view.status)))
            .field("request_id", &self.problem().map(|problem| &problem.request_id))
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
