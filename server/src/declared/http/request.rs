//! The request: its parts as templates, and what they come to.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use serde_json::Value;
use url::Url;

use crate::action::Failure;
use crate::declared::kind::Mistake;
use crate::declared::template::{Place, Shape, Template, Unfit};
use crate::outbound::{Call, Outbound, Target};

/// A request that has to be filled in.
pub(super) struct Request {
    method: Method,
    url: Template,
    /// Scheme, host and port, which no input changes.
    origin: String,
    query: Vec<(String, Template)>,
    headers: Vec<(HeaderName, Template)>,
    body: Body,
    idempotency_header: Option<HeaderName>,
}

enum Body {
    /// None at all.
    None,
    /// The input.
    Input,
    /// A JSON value.
    Shape(Shape),
    /// A text.
    Text(Template),
}

pub(super) struct Parts {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<Value>,
    pub(super) idempotency_header: String,
}

/// Headers that belong to the connection or to the client, and not to a request.
const NOT_YOURS: [&str; 7] =
    ["connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"];

impl Request {
    pub(super) fn new(parts: Parts) -> Result<Self, Mistake> {
        let Parts { method, url, query, headers, body, idempotency_header } = parts;
        let origin = origin(&url).map_err(|problem| ("url", problem))?;
        let url = Template::new(&url, Place::Url).map_err(|problem| ("url", problem))?;
        let query = query.into_iter().map(|(name, value)| Ok((name, Template::new(&value, Place::Url)?)));
        let query = query.collect::<Result<_, String>>().map_err(|problem| ("query", problem))?;
        let mut json = true;
        let headers = headers.into_iter().map(|(name, value)| {
            let header: HeaderName = name.parse().map_err(|_| format!("`{name}` is no name of a header"))?;
            if NOT_YOURS.contains(&header.as_str()) {
                return Err(format!("`{name}` is set by the server itself"));
            }
            if header == CONTENT_TYPE {
                json = value.contains("json");
            }
            Ok((header, Template::new(&value, Place::Text).map_err(|problem| format!("`{name}` {problem}"))?))
        });
        let headers = headers.collect::<Result<_, String>>().map_err(|problem| ("headers", problem))?;
        let has_body = !matches!(method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS);
        let body = match body {
            None if has_body => Body::Input,
            None => Body::None,
            Some(Value::String(text)) => {
                let place = if json { Place::Json } else { Place::Text };
                Body::Text(Template::new(&text, place).map_err(|problem| ("body", problem))?)
            }
            Some(shape) => Body::Shape(Shape::new(&shape).map_err(|problem| ("body", problem))?),
        };
        let idempotency_header = match &*idempotency_header {
            "" => None,
            name => Some(
                name.parse()
                    .map_err(|_| ("idempotency_header", format!("`{name}` is no name of a header")))?,
            ),
        };
        Ok(Self { method, url, origin, query, headers, body, idempotency_header })
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(super) const fn method(&self) -> &Method {
        &self.method
    }

    /// Where it goes, with this data.
    pub(super) fn target(&self, data: &Value, outbound: &Outbound) -> Result<Target, Failure> {
        let unfit = |what: String| {
            Failure::new("invalid-request", "the input does not make a request to the other server")
                .with_source(what)
        };
        let mut text = self.url.render(data).map_err(|error| unfit(format!("url: {error}")))?;
        for (index, (name, value)) in self.query.iter().enumerate() {
            let value = value.render(data).map_err(|error| unfit(format!("query, {name}: {error}")))?;
            let separator = if index == 0 && !text.contains('?') { '?' } else { '&' };
            text.push(separator);
            text.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
            text.push('=');
            text.push_str(&value);
        }
        // `..` means a step up however it is written, and an input must not take one.
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let is_dots = |segment: &str| {
            let plain = segment.to_ascii_lowercase().replace("%2e", ".");
            plain == "." || plain == ".."
        };
        if path.split('/').skip(3).any(is_dots) {
            return Err(unfit("url: the input makes a step up or nowhere of it (`.` or `..`)".to_owned()));
        }
        let is_here = Url::parse(&text).is_ok_and(|url| url.origin().ascii_serialization() == self.origin);
        if !is_here {
            return Err(unfit("url: the input leads to another host".to_owned()));
        }
        outbound.target(&text).map_err(|refused| unfit(refused.to_string()))
    }

    /// Its header, with this data. `key`: for the other server to recognise a repetition by.
    pub(super) fn headers(&self, data: &Value, key: Option<&str>) -> Result<HeaderMap, Failure> {
        let unfit = |name: &HeaderName, what: &str| {
            Failure::new("invalid-request", "the input does not make a request to the other server")
                .with_source(format!("header {name}: {what}"))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let text = value.render(data).map_err(|error: Unfit| unfit(name, &error.to_string()))?;
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| unfit(name, "it has a line break, or something else that no header can have"))?;
            // Who knows what it is.
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        if !matches!(self.body, Body::None) && !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let (Some(name), Some(key)) = (&self.idempotency_header, key)
            && let Ok(value) = HeaderValue::from_str(key)
        {
            headers.entry(name).or_insert(value);
        }
        Ok(headers)
    }

    /// Its body, with this data.
    pub(super) fn body(&self, data: &Value, input: &Value) -> Result<Bytes, Failure> {
        let unfit = |error: Unfit| {
            Failure::new("invalid-request", "the input does not make a request to the other server")
                .with_source(format!("body: {error}"))
        };
        Ok(match &self.body {
            Body::None => Bytes::new(),
            Body::Input => serde_json::to_vec(input)?.into(),
            Body::Shape(shape) => serde_json::to_vec(&shape.fill(data).map_err(unfit)?)?.into(),
            Body::Text(text) => text.render(data).map_err(unfit)?.into(),
        })
    }

    /// All of it.
    pub(super) fn call(
        &self,
        data: &Value,
        input: &Value,
        key: &str,
        time_limit: Option<Duration>,
        outbound: &Outbound,
    ) -> Result<Call, Failure> {
        let mut call = Call::get(self.target(data, outbound)?);
        call.method = self.method.clone();
        call.headers = self.headers(data, Some(key))?;
        call.body = self.body(data, input)?;
        call.time_limit = time_limit;
        Ok(call)
    }
}

/// Scheme, host and port of a URL, which must stand there as they are.
fn origin(url: &str) -> Result<String, String> {
    if url.is_empty() {
        return Err("is missing: the URL of the other server, such as \"https://api.example/reports/{{ input.year }}\"".into());
    }
    let literal = url.split("{{").next().unwrap_or_default().split("{%").next().unwrap_or_default();
    let rest = literal.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    if literal.len() < url.len() && !rest.contains('/') {
        return Err(
            "must name its host without a template, up to the first `/`: no input may choose whom to call"
                .into(),
        );
    }
    let parsed = Url::parse(literal).map_err(|error| format!("is no URL: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err("is no web address; allowed: https://HOST[:PORT]/PATH".into());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("has a credential in it; put that into `headers`, by way of `secrets`".into());
    }
    Ok(parsed.origin().ascii_serialization())
}
