//! The problem codes that the server itself uses. Actions choose other words for their failures.

/// A server problem: its code, HTTP status, title, and the text of its page at `/problems/{code}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each variant is documented by its row in `facts`, which is also its public page"
)]
pub enum ProblemCode {
    MalformedJson,
    InvalidIdempotencyKey,
    InvalidParameter,
    Unauthenticated,
    Forbidden,
    NotFound,
    UnknownAction,
    UnknownEvent,
    MethodNotAllowed,
    RequestTimeout,
    AlreadyTerminal,
    EventAlreadySent,
    OperationCanceled,
    Terminated,
    OperationGone,
    LinkExpired,
    BodyTooLarge,
    UriTooLong,
    UnsupportedMediaType,
    InvalidInput,
    InvalidCallbackUrl,
    IdempotencyKeyReused,
    OperationFailed,
    DeadlineExceeded,
    TooManyActive,
    TooManyEvents,
    TooManySubscriptions,
    TooManyStreams,
    RateLimited,
    HeadersTooLarge,
    InternalError,
    Draining,
    StoreUnavailable,
}

use ProblemCode as P;

impl ProblemCode {
    /// Every code, in the order of their HTTP statuses.
    pub const ALL: [Self; 33] = [
        P::MalformedJson,
        P::InvalidIdempotencyKey,
        P::InvalidParameter,
        P::Unauthenticated,
        P::Forbidden,
        P::NotFound,
        P::UnknownAction,
        P::UnknownEvent,
        P::MethodNotAllowed,
        P::RequestTimeout,
        P::AlreadyTerminal,
        P::EventAlreadySent,
        P::OperationCanceled,
        P::Terminated,
        P::OperationGone,
        P::LinkExpired,
        P::BodyTooLarge,
        P::UriTooLong,
        P::UnsupportedMediaType,
        P::InvalidInput,
        P::InvalidCallbackUrl,
        P::IdempotencyKeyReused,
        P::OperationFailed,
        P::DeadlineExceeded,
        P::TooManyActive,
        P::TooManyEvents,
        P::TooManySubscriptions,
        P::TooManyStreams,
        P::RateLimited,
        P::HeadersTooLarge,
        P::InternalError,
        P::Draining,
        P::StoreUnavailable,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.facts().0
    }

    /// The HTTP status that goes with it. An ended operation's problem may carry another, chosen by its action.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.facts().1
    }

    /// The kind of problem in a few words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.facts().2
    }

    /// What happened and what to do about it, for the page at `/problems/{code}`.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        self.facts().3
    }

    /// The code that a word stands for.
    ///
    /// ```
    /// use raincheck_openapi::ProblemCode;
    /// assert_eq!(ProblemCode::from_word("draining"), Some(ProblemCode::Draining));
    /// assert_eq!(ProblemCode::from_word("approval-timeout"), None);
    /// ```
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    #[rustfmt::skip]
    const fn facts(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            P::MalformedJson => ("malformed-json", 400, "The body is not JSON",
                "The request body could not be read as one JSON value in UTF-8, or an object in it names a member twice. \
                 Nothing was accepted. Mend the body and send it again."),
            P::InvalidIdempotencyKey => ("invalid-idempotency-key", 400, "The Idempotency-Key is not usable",
                "Idempotency-Key must be one header of 1 to 255 visible ASCII characters, bare or in double quotes. \
                 Nothing was accepted."),
            P::InvalidParameter => ("invalid-parameter", 400, "A parameter of the URL is not usable",
                "A parameter in the query of the URL has a value that this path does not know. 'detail' says which \
                 one, and what it may be. Use a URL that the server gave exactly as it is."),
            P::Unauthenticated => ("unauthenticated", 401, "No valid credential",
                "The request has neither a key that this server knows nor a link that grants this. Send an API key as \
                 'Authorization: Bearer rck_…' or 'X-API-Key', or use the status URL exactly as it was given."),
            P::Forbidden => ("forbidden", 403, "Not allowed",
                "The key is known, but neither its roles nor its actions, nor the action's own settings, allow this. Ask \
                 the operator of this server for a key with the right role."),
            P::NotFound => ("not-found", 404, "Not found",
                "There is nothing here that this caller may see. An operation that belongs to somebody else looks the same \
                 as one that never was."),
            P::UnknownAction => ("unknown-action", 404, "No such action",
                "This server has no action of that name. The list of actions is in /openapi.json."),
            P::UnknownEvent => ("unknown-event", 404, "No such event",
                "The action of this operation does not declare an event of that name."),
            P::MethodNotAllowed => ("method-not-allowed", 405, "Method not allowed",
                "The path exists, but not with this method. The Allow header lists those that it takes."),
            P::RequestTimeout => ("request-timeout", 408, "The request came too slowly",
                "The body did not arrive in time and the connection was closed. Nothing was accepted; send it again."),
            P::AlreadyTerminal => ("already-terminal", 409, "The operation has ended",
                "The operation ended before this request, so it can neither be canceled nor take events. Its status URL \
                 has the outcome."),
            P::EventAlreadySent => ("event-already-sent", 409, "This link has delivered its event",
                "An event link delivers once, and it has delivered another body already. The first one stands."),
            P::OperationCanceled => ("operation-canceled", 409, "The operation was canceled",
                "The operation ended because somebody asked for it. The member 'operation' has its last status. Asking \
                 again gives the same answer; start a new operation to run the action again."),
            P::Terminated => ("terminated", 409, "The operation was terminated",
                "An operator ended the operation at once, without clean-up. The member 'operation' has its last status."),
            P::OperationGone => ("operation-gone", 410, "The operation is no longer kept",
                "The operation ended and its retention is over. Its outcome is no longer available."),
            P::LinkExpired => ("link-expired", 410, "The link has expired",
                "The link was genuine, but its time is over. Ask whoever gave it to you for a new one."),
            P::BodyTooLarge => ("body-too-large", 413, "The body is too large",
                "The request body is larger than this server takes. The member 'limit' has the limit in bytes. Send a \
                 reference to large data instead of the data."),
            P::UriTooLong => ("uri-too-long", 414, "The URL is too long",
                "The URL is longer than this server takes. Status URLs are far below the limit; check what was added."),
            P::UnsupportedMediaType => ("unsupported-media-type", 415, "The body is not application/json",
                "Send application/json (or another +json type) in UTF-8, without a Content-Encoding."),
            P::InvalidInput => ("invalid-input", 422, "The input does not fit the action",
                "The body is JSON, but not what this action takes. The member 'errors' says where and why. The shape is in \
                 /openapi.json. Nothing was accepted."),
            P::InvalidCallbackUrl => ("invalid-callback-url", 422, "The X-Callback-Url is not usable",
                "X-Callback-Url must be one header with an https URL of a public host, without a user name and a password. Other \
                 places are for the operator of this server to allow. Nothing was accepted."),
            P::IdempotencyKeyReused => ("idempotency-key-reused", 422, "The Idempotency-Key was used for other content",
                "This key has already started this action with another body. Use a new key for new work, and the same body \
                 for a repetition."),
            P::OperationFailed => ("operation-failed", 422, "The operation failed",
                "The operation was accepted, ran, and failed. The members 'code' and 'detail' are the action's own; \
                 'operation' has its last status. Asking again gives the same answer."),
            P::DeadlineExceeded => ("deadline-exceeded", 422, "The operation did not end in time",
                "The operation reached its deadline before it ended. What it had done until then stays done."),
            P::TooManyActive => ("too-many-active", 429, "Too many active operations",
                "The limit of operations that have not ended yet is reached, for this server, this action or this caller. \
                 Nothing was accepted. Try again after Retry-After."),
            P::TooManyEvents => ("too-many-events", 429, "Too many events wait for the operation",
                "The operation has as many unconsumed events as it may have. Try again after Retry-After."),
            P::TooManySubscriptions => ("too-many-subscriptions", 429, "Too many subscriptions",
                "This server has as many subscriptions as it may have. End those that nobody needs, or ask its operator."),
            P::TooManyStreams => ("too-many-streams", 429, "Too many streams of updates",
                "The limit of open streams is reached, for this server or this caller. Poll the status URL instead, or try \
                 again after Retry-After."),
            P::RateLimited => ("rate-limited", 429, "Too many requests",
                "Requests come faster than this server takes them from this caller. Try again after Retry-After."),
            P::HeadersTooLarge => ("headers-too-large", 431, "The headers are too large",
                "The request has more header lines, or longer ones, than this server takes."),
            P::InternalError => ("internal-error", 500, "Something went wrong here",
                "The server, or the action's code, met a condition that nobody foresaw. The request id leads the operator \
                 to the cause."),
            P::Draining => ("draining", 503, "The server is shutting down",
                "This process finishes what it has and takes nothing new. Try again after Retry-After."),
            P::StoreUnavailable => ("store-unavailable", 503, "The store cannot be reached",
                "Nothing was accepted, because it could not be made durable. Try again after Retry-After."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_and_found_by_its_word() {
        for code in ProblemCode::ALL {
            assert_eq!(ProblemCode::from_word(code.as_str()), Some(code));
            assert_eq!(ProblemCode::ALL.iter().filter(|other| other.as_str() == code.as_str()).count(), 1);
        }
    }

    #[test]
    fn codes_are_listed_by_ascending_status() {
        assert!(ProblemCode::ALL.windows(2).all(|pair| pair[0].status() <= pair[1].status()));
    }
}
