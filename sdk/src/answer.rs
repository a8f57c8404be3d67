//! One answer of a server, taken apart: all that the decisions look at, and no I/O.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use raincheck_openapi::{Problem, StatusView};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use url::Url;

use crate::address::Routes;
use crate::pace::Hints;
use crate::transport::{HeaderMap, HeaderName};
use crate::view::{Body, View, Words};
use crate::{Error, address};

/// The headers that are looked at, parsed once and not for each answer.
pub(crate) mod names {
    use crate::transport::HeaderName;

    pub(crate) const LOCATION: HeaderName = HeaderName::from_static("location");
    pub(crate) const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");
    /// Azure Resource Manager's older name for `Operation-Location`.
    pub(crate) const AZURE_ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
    pub(crate) const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");
    /// Milliseconds, as some of Azure's services write it.
    pub(crate) const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
    pub(crate) const X_MS_RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");
    pub(crate) const DATE: HeaderName = HeaderName::from_static("date");
    pub(crate) const ETAG: HeaderName = HeaderName::from_static("etag");
    pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
    pub(crate) const REPEATABILITY_REQUEST_ID: HeaderName =
        HeaderName::from_static("repeatability-request-id");
    pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
}

/// What came of one request.
#[derive(Debug)]
pub(crate) enum Observed {
    /// An answer, whatever its status.
    Answer(Box<Answer>),
    /// None: no connection, a broken one, or not in time.
    Lost(Error),
}

/// One answer, read to its end.
#[derive(Clone)]
pub(crate) struct Answer {
    /// What was asked; relative URLs in the answer start from here.
    pub(crate) asked: Url,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header as text. Servers send UTF-8 in `Location` at times; reading it loses nothing.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        // An answer has a handful of headers: looking at each is cheaper than hashing the name.
        let (_, value) = self.headers.iter().find(|(known, _)| *known == name)?;
        std::str::from_utf8(value.as_bytes()).ok()
    }

    /// Whether the server could not serve just now, so that the same request may be sent again. A 501 and a
    /// 505 are about the request, and would be the same for ever.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502..=504 | 506..=599)
    }

    pub(crate) fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The pause that the server asks for.
    pub(crate) fn hint(&self, clock: fn() -> SystemTime) -> Option<Duration> {
        Hints::of(self).pause(clock)
    }

    /// Where the answer leads, by its `Location`.
    pub(crate) fn location(&self, routes: &Routes) -> Option<Url> {
        routes.resolve(&self.asked, self.header(&names::LOCATION)?)
    }

    /// What names a status monitor, whether or not it can be used.
    pub(crate) fn monitor_header(&self) -> Option<&str> {
        self.header(&names::OPERATION_LOCATION).or_else(|| self.header(&names::AZURE_ASYNC_OPERATION))
    }

    /// The status monitor that the answer names, by either of its headers.
    pub(crate) fn monitor(&self, routes: &Routes) -> Option<Url> {
        let text = self.monitor_header()?;
        routes.resolve(&self.asked, text)
    }

    /// The body without a byte order mark, which some servers put before their JSON.
    pub(crate) fn json_text(&self) -> &[u8] {
        self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body)
    }

    /// The body as the type that this answer should have.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(self.json_text())
            .map_err(|cause| Error::decode(cause).with_status(self.status))
    }

    /// The body as far as it tells a state; `None` if it is no JSON.
    pub(crate) fn members(&self) -> Option<Body<'_>> {
        Body::read(&self.body).ok()
    }

    /// Whether the body can be a raincheck server's view, as far as that shows without reading it: those write
    /// the names of members as they are.
    pub(crate) fn may_be_status_view(&self) -> bool {
        let name = br#""createdAt""#;
        self.body.windows(name.len()).any(|window| window == name)
    }

    /// The view of an operation that ended, if this answer is a problem that brings it along.
    pub(crate) fn ended_view(&self) -> Option<View> {
        #[derive(Deserialize)]
        struct Members<'a> {
            #[serde(borrow)]
            operation: &'a RawValue,
        }
        let members: Members<'_> = serde_json::from_slice(self.json_text()).ok()?;
        let body = Body::read(members.operation.get().as_bytes()).ok()?;
        body.view(Words::Monitor).filter(|view| body.is_status_view() && view.status.is_terminal())
    }

    /// The problem in the body. Gateways and other servers write problems with fewer members; what is missing
    /// is filled, so that a caller need not care who refused.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let text = address::without_secrets(std::str::from_utf8(self.json_text()).ok()?, &self.asked);
        let members: Map<String, Value> = serde_json::from_str(&text).ok()?;
        let known = ["type", "title", "status", "detail", "code", "error", "message"];
        if !known.iter().any(|name| members.contains_key(*name)) {
            return None;
        }
        serde_json::from_value(Value::Object(members.clone()))
            .or_else(|_| serde_json::from_value(self.completed(&members)))
            .ok()
    }

    fn completed(&self, members: &Map<String, Value>) -> Value {
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
        let inner =
            |name: &str| members.get("error").and_then(|error| error.get(name)).and_then(Value::as_str);
        let code =
            Some(text("code")).filter(|code| !code.is_empty()).or_else(|| inner("code")).unwrap_or_default();
        let detail = [Some(text("detail")), inner("message"), Some(text("message"))]
            .into_iter()
            .flatten()
            .find(|it| !it.is_empty())
            .unwrap_or_default();
        let kind = Some(text("type")).filter(|kind| !kind.is_empty()).unwrap_or("about:blank");
        let mut problem = json!({
            "type": kind, "title": text("title"), "status": self.status, "detail": detail, "code": code,
            "instance": text("instance"), "requestId": text("requestId"),
            "error": {"code": code, "message": detail},
        });
        // Only a view that reads as one: half of one must not hide that this is a refusal.
        if let Some(view) = members.get("operation")
            && serde_json::from_value::<StatusView>(view.clone()).is_ok()
        {
            problem["operation"] = view.clone();
        }
        problem
    }

    /// The error of an answer that grants nothing.
    pub(crate) fn refusal(&self) -> Error {
        let error = match self.status {
            _ if self.is_temporary() => Error::unavailable(self.status),
            400..=499 => Error::refused(self.status),
            300..=399 => {
                Error::unexpected("a redirect, which is not followed here; use the address that it leads to")
                    .with_status(self.status)
            }
            501 | 505 => {
                Error::unexpected("the server will never serve such a request").with_status(self.status)
            }
            _ => Error::unexpected("no asynchronous operation answers like this").with_status(self.status),
        };
        error.with_problem(self.problem()).with_answer(self.clone())
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither URL nor Location nor body: each may hold a secret.
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn answer(status: u16, body: &str) -> Answer {
        Answer {
            asked: Url::parse("http://h/v1/actions/a/operations/1?token=abcdefghijklmnop").unwrap(),
            status,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    /// The same answer with one header more.
    pub(crate) fn with(mut answer: Answer, name: &'static str, value: &str) -> Answer {
        answer.headers.insert(name, value.parse().unwrap());
        answer
    }

    #[test]
    fn a_problem_of_another_server_is_completed() {
        let problem = answer(404, r#"{"title":"Nope"}"#).problem().unwrap();
        let plain = answer(400, r#"{"message":"no way"}"#).problem().unwrap();
        let azure = answer(400, r#"{"error":{"code":"Bad","message":"no"}}"#).problem().unwrap();

        assert_eq!((problem.title.as_str(), problem.status), ("Nope", 404));
        assert_eq!(plain.detail, "no way");
        assert_eq!((azure.code.as_str(), azure.detail.as_str()), ("Bad", "no"));
    }

    #[test]
    fn a_byte_order_mark_hides_neither_a_problem_nor_the_operation_in_it() {
        let view = r#"{"id":"1","action":"a","status":"Failed","createdAt":"c","deadline":"d"}"#;
        let told = answer(422, &format!("\u{feff}{{\"detail\":\"no\",\"operation\":{view}}}"));

        assert_eq!(told.problem().unwrap().detail, "no");
        assert!(told.ended_view().is_some());
    }

    #[test]
    fn a_body_that_is_no_problem_is_none() {
        assert_eq!(answer(404, "<html>").problem(), None);
        assert_eq!(answer(404, r#"{"hello":1}"#).problem(), None);
    }

    #[test]
    fn a_problem_that_repeats_the_status_url_loses_its_token() {
        let problem = answer(404, r#"{"detail":"no /a?token=abcdefghijklmnop"}"#).problem().unwrap();

        assert_eq!(problem.detail, "no /a?token=…");
    }
}
