//! How `request-approval` tells somebody that a decision is asked for.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::secrets::Secret;
use super::units;
use crate::outbound::{Outbound, Refused};
use crate::samples::{Message, Notifier, RequestApproval};

/// How `request-approval` tells somebody that a decision is asked for.
///
/// Where to is a secret, and comes from `RAINCHECK_APPROVAL_URL`; so does a key, from `RAINCHECK_APPROVAL_KEY`. Either may
/// be in a file instead, whose path is in the variable of that name with `_FILE` at its end.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApprovalConfig {
    /// What is sent.
    pub notify: NotifyBy,
    /// After how long it is sent again; `None`: never.
    #[serde(deserialize_with = "units::optional_duration")]
    pub remind_after: Option<Duration>,
    /// The sender of mails.
    pub from: Option<String>,
    /// Who gets mails.
    pub to: Option<String>,
    /// The JSON of `NotifyBy::Json`.
    pub template: Option<String>,
    /// Where to.
    #[serde(skip)]
    pub url: Option<Secret>,
    /// A bearer token to send along.
    #[serde(skip)]
    pub key: Option<Secret>,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyBy {
    /// Nothing.
    #[default]
    None,
    /// A message to an incoming webhook of Slack, or of a chat that takes the same.
    Slack,
    /// A mail, by `SendGrid`'s v3 API.
    Sendgrid,
    /// JSON of your own.
    Json,
}

const NOTIFY: &str = "samples.request_approval.notify";

impl ApprovalConfig {
    /// What is wrong, by key.
    pub(super) fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        if self.notify == NotifyBy::None {
            return mistakes;
        }
        if self.url.is_none() {
            let problem =
                "needs to know where to: set RAINCHECK_APPROVAL_URL, or RAINCHECK_APPROVAL_URL_FILE";
            mistakes.push((NOTIFY, problem.to_owned()));
        }
        let missing = |value: &Option<String>| value.as_deref().is_none_or(|value| value.trim().is_empty());
        if self.notify == NotifyBy::Sendgrid {
            for (key, value) in
                [("samples.request_approval.from", &self.from), ("samples.request_approval.to", &self.to)]
            {
                if missing(value) {
                    mistakes.push((key, "is required by notify = \"sendgrid\": a mail address".to_owned()));
                }
            }
            if self.key.is_none() {
                let problem = "needs a key: set RAINCHECK_APPROVAL_KEY, or RAINCHECK_APPROVAL_KEY_FILE";
                mistakes.push((NOTIFY, problem.to_owned()));
            }
        }
        if self.notify == NotifyBy::Json && self.template().is_none() {
            let problem = "is required by notify = \"json\": one JSON value in text, such as '{\"text\": \"{subject}: {page}\"}'";
            mistakes.push(("samples.request_approval.template", problem.to_owned()));
        }
        mistakes
    }

    /// The action that does so. `outbound` is only needed where something is sent.
    ///
    /// # Errors
    /// If the URL may not be called.
    pub fn action(&self, outbound: Option<&Outbound>) -> Result<RequestApproval, Refused> {
        let message = match self.notify {
            NotifyBy::None => None,
            NotifyBy::Slack => Some(Message::Slack),
            NotifyBy::Sendgrid => Some(Message::SendGrid {
                from: self.from.clone().unwrap_or_default(),
                to: self.to.clone().unwrap_or_default(),
            }),
            NotifyBy::Json => self.template().map(Message::Template),
        };
        let notifier = match (message, &self.url, outbound) {
            (Some(message), Some(url), Some(outbound)) => {
                let notifier = Notifier::new(outbound.clone(), outbound.target(url.reveal())?, message);
                match &self.key {
                    Some(key) => notifier.key(key.reveal()),
                    None => Some(notifier),
                }
            }
            _ => None,
        };
        Ok(RequestApproval { notifier, remind_after: self.remind_after })
    }

    fn template(&self) -> Option<Value> {
        serde_json::from_str(self.template.as_deref()?).ok()
    }
}
