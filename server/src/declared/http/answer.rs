//! What the other server's answer means: an output, or a failure with a code, which may be worth another attempt.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use raincheck_openapi::ProblemCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::follow::{Outcome, State};
use crate::action::Failure;
use crate::declared::kind::{Mistake, check_code, with_details};
use crate::declared::secret::Secrets;
use crate::declared::template::{Expression, Place, Shape, Template};
use crate::outbound::SendError;

/// What is said about answers.
pub(super) struct Judge {
    success: Option<Expression>,
    fail: Vec<Fail>,
    retry_statuses: Vec<u16>,
    result: Option<Wanted>,
}

/// A failure that an answer may mean.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailKeys {
    when: String,
    code: String,
    message: Option<String>,
    #[serde(default)]
    retry: bool,
}

struct Fail {
    when: Expression,
    code: String,
    message: Option<Template>,
    retry: bool,
}

/// Which part of an answer is the output.
enum Wanted {
    /// What a JSON Pointer (RFC 6901) into the body leads to.
    Pointer(String),
    /// A value made of it.
    Shape(Shape),
}

/// An answer that has been read.
pub(super) struct Read {
    pub(super) status: u16,
    headers: BTreeMap<String, String>,
    pub(super) body: Value,
    /// How long the other server wants to be left alone.
    pub(super) pause: Option<Duration>,
}

/// How long another server's word and sentence for a failure may be.
const LONGEST_CODE: usize = 64;
const LONGEST_MESSAGE: usize = 500;

/// How much of a body operators see of a failure.
const SHOWN: usize = 2 << 10;

impl Read {
    pub(super) fn of(
        (status, headers, body): (StatusCode, HeaderMap, Bytes),
        limit: usize,
    ) -> Result<Self, Failure> {
        if body.len() > limit {
            let message = format!("the other server answered with more than {limit} bytes");
            return Err(Failure::new("output-too-large", message));
        }
        let named = headers.iter().filter_map(|(name, value)| {
            Some((name.as_str().replace('-', "_"), value.to_str().ok()?.to_owned()))
        });
        Ok(Self {
            status: status.as_u16(),
            headers: named.collect(),
            body: value(&body),
            pause: pause_of(&headers),
        })
    }
}

impl Read {
    /// An answer that was read by others.
    pub(super) fn refusal(status: u16, pause: Option<&str>, body: &[u8]) -> Self {
        let pause = pause.and_then(pause_in);
        Self { status, headers: BTreeMap::new(), body: value(body), pause }
    }
}

/// A body as a value: JSON, else text; nothing is null.
pub(super) fn value(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

impl Judge {
    pub(super) fn new(
        success: Option<String>,
        fail: Vec<FailKeys>,
        retry_statuses: Vec<u16>,
        result: Option<Value>,
    ) -> Result<Self, Mistake> {
        let success = success.map(|text| Expression::new(&text)).transpose();
        let fail = fail.into_iter().map(|FailKeys { when, code, message, retry }| {
            check_code(&code)?;
            let message = message.map(|text| Template::new(&text, Place::Text)).transpose();
            Ok(Fail { when: Expression::new(&when)?, code, message: message?, retry })
        });
        let result = match result {
            None => None,
            Some(Value::String(pointer)) if pointer.is_empty() || pointer.starts_with('/') => {
                Some(Wanted::Pointer(pointer))
            }
            Some(shape) => Some(Wanted::Shape(Shape::new(&shape).map_err(|problem| ("result", problem))?)),
        };
        Ok(Self {
            success: success.map_err(|problem| ("success", problem))?,
            fail: fail.collect::<Result<_, String>>().map_err(|problem| ("fail", problem))?,
            retry_statuses,
            result,
        })
    }

    /// The output, or the failure.
    pub(super) fn judge(&self, answer: &Read, input: &Value, secrets: &Secrets) -> Result<Value, Failure> {
        let Read { status, headers, body, pause } = answer;
        // Answers are large, and most declarations look at none of this.
        let data =
            LazyCell::new(|| json!({ "status": status, "headers": headers, "body": body, "input": input }));
        let details = || {
            let text = match body {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let shown: String = secrets.taken_out_of(&text).chars().take(SHOWN).collect();
            json!({ "status": status, "body": shown })
        };
        let unfit = |key: &str, what: &dyn std::fmt::Display| {
            let message = "the answer of the other server is not as expected";
            let details = json!({ "status": status, "key": key, "problem": what.to_string() });
            with_details(Failure::new("unexpected-answer", message), &details)
        };
        for Fail { when, code, message, retry } in &self.fail {
            if !when.holds(&*data).map_err(|error| unfit("fail", &error))? {
                continue;
            }
            let message = match message {
                Some(message) => message.render(&*data).map_err(|error| unfit("fail", &error))?,
                None => format!("the other server answered with {status}"),
            };
            let message = secrets.taken_out_of(&message);
            let failure =
                if *retry { Failure::retryable(code, message) } else { Failure::new(code, message) };
            return Err(with_details(failure.retry_after(*pause), &details()));
        }
        let succeeded = match &self.success {
            Some(success) => success.holds(&*data).map_err(|error| unfit("success", &error))?,
            None => (200..300).contains(status),
        };
        if !succeeded {
            let message = format!("the other server answered with {status}");
            let failure = if self.retry_statuses.contains(status) {
                Failure::retryable("target-unavailable", message).retry_after(*pause)
            } else {
                Failure::new("target-refused", message)
            };
            return Err(with_details(failure, &details()));
        }
        match &self.result {
            None => Ok(body.clone()),
            Some(Wanted::Pointer(pointer)) => {
                let found = body.pointer(pointer).cloned();
                found.ok_or_else(|| unfit("result", &format!("there is nothing at `{pointer}`")))
            }
            Some(Wanted::Shape(shape)) => shape.fill(&*data).map_err(|error| unfit("result", &error)),
        }
    }

    /// What the end of followed work comes to.
    pub(super) fn followed(
        &self,
        outcome: Outcome,
        input: &Value,
        secrets: &Secrets,
    ) -> Result<Value, Failure> {
        let Outcome { state, status, body, told } = outcome;
        // However the other server tells it, the work is done well or not.
        let status = match state {
            State::Succeeded => 200,
            _ if (400..600).contains(&status) => status,
            _ => 422,
        };
        let answer = Read { status, headers: BTreeMap::new(), body, pause: None };
        let failure = match self.judge(&answer, input, secrets) {
            Err(failure) if state != State::Succeeded => failure,
            other => return other,
        };
        // What the declaration calls by a name of its own goes before the other server's word.
        let is_named = self.fail.iter().any(|fail| fail.code == failure.code());
        if is_named {
            return Err(failure.into_final());
        }
        let (code, message) = told.unwrap_or_default();
        let is_word = !code.is_empty()
            && code.len() <= LONGEST_CODE
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
            && ProblemCode::from_word(&code).is_none();
        let usual = match state {
            State::Canceled => "target-canceled",
            _ => "target-failed",
        };
        let message = match &*message {
            "" if state == State::Canceled => "the work was canceled at the other server".to_owned(),
            "" => "the other server did not succeed with the work".to_owned(),
            told => secrets.taken_out_of(told).chars().take(LONGEST_MESSAGE).collect(),
        };
        let mapped = Failure::new(if is_word { &code } else { usual }, message);
        Err(match failure.details() {
            Some(details) => mapped.with_details(details.clone()),
            None => mapped,
        })
    }

    /// What an answer means that is a refusal to the client that follows. `None` if it would be an output.
    pub(super) fn refusal(&self, answer: &Read, input: &Value, secrets: &Secrets) -> Option<Failure> {
        self.judge(answer, input, secrets).err()
    }
}

/// Why no answer came. The cause is for the log; it names hosts only.
pub(in crate::declared) fn unreachable(error: SendError) -> Failure {
    let failure = match &error {
        SendError::Refused(_) => {
            Failure::new("target-not-allowed", "the other server is none that this server may call")
        }
        SendError::TimedOut { .. } => {
            Failure::retryable("timed-out", "the other server did not answer in time")
        }
        SendError::TooLarge { limit, .. } => Failure::new(
            "output-too-large",
            format!("the other server answered with more than {limit} bytes"),
        ),
        _ => Failure::retryable("target-unreachable", "the other server cannot be reached"),
    };
    failure.with_source(error)
}

/// How long a server wants to be left alone: whole seconds, or a date (RFC 9110 §10.2.3).
pub(in crate::declared) fn pause_of(headers: &HeaderMap) -> Option<Duration> {
    pause_in(headers.get(RETRY_AFTER)?.to_str().ok()?)
}

fn pause_in(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    at.duration_since(SystemTime::now()).ok()
}
