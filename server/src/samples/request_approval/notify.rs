//! Telling somebody that a decision is asked for: the message, and how it is sent.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::Failure;
use crate::outbound::{Call, Outbound, Target};

/// Tells somebody that a decision is asked for, through the server's one HTTP client.
#[derive(Debug, Clone)]
pub struct Notifier {
    outbound: Outbound,
    target: Target,
    message: Message,
    key: Option<HeaderValue>,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// What incoming webhooks of Slack take, and of chats that follow it: a text with two links.
    Slack,
    /// The body of `SendGrid`'s v3 mail API: a plain mail with two links, which nobody on its way rewrites.
    SendGrid {
        /// The sender's address.
        from: String,
        /// The address of whoever decides.
        to: String,
    },
    /// Any JSON. In its strings stand `{subject}`, `{approve}`, `{reject}`, `{page}` and `{operation}` for what they say.
    Template(Value),
}

/// A request for a decision, as a message tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) subject: &'a str,
    pub(super) operation: &'a str,
    pub(super) links: &'a Links,
    /// Whether it was told before.
    pub(super) again: bool,
}

/// Links to the page. Each is a secret.
pub(super) struct Links {
    pub(super) page: String,
    pub(super) approve: String,
    pub(super) reject: String,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links(..)")
    }
}

impl Notifier {
    /// Sends `message` to `target`.
    #[must_use]
    pub const fn new(outbound: Outbound, target: Target, message: Message) -> Self {
        Self { outbound, target, message, key: None }
    }

    /// Sends `key` along as a bearer token. `None` if no header can carry it.
    #[must_use]
    pub fn key(self, key: &str) -> Option<Self> {
        let mut key = HeaderValue::from_str(&format!("Bearer {key}")).ok()?;
        key.set_sensitive(true);
        Some(Self { key: Some(key), ..self })
    }

    /// Sends it once.
    pub(super) async fn tell(&self, asked: Asked<'_>, idempotency_key: &str) -> Result<(), Failure> {
        let failed =
            || Failure::retryable("notification-failed", "nobody could be told that a decision is asked for");
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(key) = HeaderValue::from_str(idempotency_key) {
            headers.insert(HeaderName::from_static("idempotency-key"), key);
        }
        if let Some(key) = &self.key {
            headers.insert(header::AUTHORIZATION, key.clone());
        }
        let mut call = Call::post(self.target.clone(), self.message.body(asked).to_string());
        call.headers = headers;
        let answer = self.outbound.send(call).await.map_err(|error| failed().with_source(error))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            // It may take it the next time.
            status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
                Err(failed().with_source(Answered(status)))
            }
            status if status.is_server_error() => Err(failed().with_source(Answered(status))),
            status => Err(failed().with_source(Answered(status)).into_final()),
        }
    }
}

/// What the other side has answered.
#[derive(Debug, thiserror::Error)]
#[error("the answer was {0}")]
struct Answered(StatusCode);

impl Message {
    fn body(&self, asked: Asked<'_>) -> Value {
        let Asked { subject, operation: _, links: Links { page, approve, reject }, again } = asked;
        let reminder = if again { "Reminder: " } else { "" };
        match self {
            Self::Slack => json!({
                "text": format!(
                    "{reminder}Your approval is asked for: {}\n<{approve}|Approve>  ·  <{reject}|Reject>",
                    slack_text(subject)
                ),
                // A preview of a page that only asks would say nothing more.
                "unfurl_links": false,
            }),
            Self::SendGrid { from, to } => json!({
                "personalizations": [{"to": [{"email": to}]}],
                "from": {"email": from},
                "subject": format!("{reminder}Your approval is asked for"),
                "content": [{
                    "type": "text/plain",
                    "value": format!(
                        "{subject}\n\nApprove: {approve}\n\nReject: {reject}\n\nEach link opens a page that asks before \
                         anything is decided. Whoever has this mail can decide: do not pass it on."
                    ),
                }],
                // It would lead the links, which are secrets, through a server of others.
                "tracking_settings": {"click_tracking": {"enable": false}, "open_tracking": {"enable": false}},
            }),
            Self::Template(template) => {
                let words = [
                    ("{subject}", subject),
                    ("{operation}", asked.operation),
                    ("{page}", page),
                    ("{approve}", approve),
                    ("{reject}", reject),
                ];
                filled(template, &words)
            }
        }
    }
}

/// A text in Slack's markup that is only text.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The template with each word replaced by what it stands for, once: what is put in is not read again.
fn filled(template: &Value, words: &[(&str, &str)]) -> Value {
    match template {
        Value::String(text) => Value::String(fill(text, words)),
        Value::Array(items) => items.iter().map(|item| filled(item, words)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), filled(value, words))).collect()
        }
        other => other.clone(),
    }
}

fn fill(text: &str, words: &[(&str, &str)]) -> String {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some(place) = rest.find('{') {
        filled.push_str(&rest[..place]);
        rest = &rest[place..];
        match words.iter().find(|(word, _)| rest.starts_with(word)) {
            Some((word, meaning)) => {
                filled.push_str(meaning);
                rest = &rest[word.len()..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(message: &Message, subject: &str, again: bool) -> Value {
        let links = Links {
            page: "https://r.example/e?token=t".to_owned(),
            approve: "https://r.example/e?token=t&choice=approve".to_owned(),
            reject: "https://r.example/e?token=t&choice=reject".to_owned(),
        };
        message.body(Asked { subject, operation: "0198", links: &links, again })
    }

    #[test]
    fn a_subject_cannot_write_to_a_whole_channel_or_make_a_link_of_its_own() {
        let body = body(&Message::Slack, "<!channel> <https://evil.example|Approve> & more", false);

        let text = body["text"].as_str().unwrap();
        assert!(text.contains("&lt;!channel&gt; &lt;https://evil.example|Approve&gt; &amp; more"), "{text}");
        assert!(text.contains("<https://r.example/e?token=t&choice=approve|Approve>"), "{text}");
        assert_eq!(text.matches('<').count(), 2);
    }

    #[test]
    fn a_mail_has_both_links_in_its_text_and_no_line_of_the_subject_in_its_head() {
        let message = Message::SendGrid { from: "a@r.example".to_owned(), to: "b@r.example".to_owned() };

        let body = body(&message, "Travel\r\nBcc: c@r.example", true);

        assert_eq!(body["subject"], "Reminder: Your approval is asked for");
        assert_eq!(body["personalizations"], json!([{"to": [{"email": "b@r.example"}]}]));
        let text = body["content"][0]["value"].as_str().unwrap();
        assert!(text.contains("choice=approve") && text.contains("choice=reject"), "{text}");
        assert_eq!(body["tracking_settings"]["click_tracking"]["enable"], false);
    }

    #[test]
    fn a_template_is_filled_in_its_strings_once() {
        let template =
            json!({"a": ["{subject}: {approve} {other} {"], "n": 1, "id": "{operation}", "{page}": "{page}"});

        let body = body(&Message::Template(template), "\"{reject}\"", false);

        assert_eq!(
            body,
            json!({
                "a": ["\"{reject}\": https://r.example/e?token=t&choice=approve {other} {"],
                "n": 1,
                "id": "0198",
                "{page}": "https://r.example/e?token=t",
            })
        );
    }
}
