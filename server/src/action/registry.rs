//! The actions of a server, by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use raincheck_openapi::ProblemCode;

use super::{Action, Registered};

/// The actions of a server.
#[derive(Clone, Default)]
pub struct Registry {
    actions: BTreeMap<Arc<str>, Arc<Registered>>,
    aliases: BTreeMap<Arc<str>, Arc<Registered>>,
}

/// An action that cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The name would not make a good URL.
    #[error("action name `{0}`: use 1 to 64 lower-case letters, digits and hyphens, starting with a letter")]
    Name(String),
    /// The name is taken.
    #[error("action `{0}` is registered twice")]
    Twice(String),
    /// A former name is taken, by an action or as a former name.
    #[error("action `{action}`: the alias `{alias}` is taken already, as a name or as an alias")]
    AliasTaken {
        /// The action.
        action: String,
        /// The alias.
        alias: String,
    },
    /// A failure's HTTP status means something else to callers.
    #[error(
        "action `{action}`, failure `{code}`: status {status} is not one of 400, 402, 403, 412, 422, 424, 451"
    )]
    FailureStatus {
        /// The action.
        action: String,
        /// The failure's code.
        code: String,
        /// Its status.
        status: u16,
    },
    /// A failure's code is one of the server's own.
    #[error("action `{action}`: the failure code `{code}` is the server's own; choose another word")]
    FailureCode {
        /// The action.
        action: String,
        /// The failure's code.
        code: String,
    },
    /// A link that callers may ask for does not exist.
    #[error(
        "action `{action}`: callers may not ask for `{right}`; there is `cancel`, and `event:NAME` for each declared event"
    )]
    Link {
        /// The action.
        action: String,
        /// The right.
        right: String,
    },
    /// A choice on an event's page that nobody could make.
    #[error("action `{action}`, event `{event}`, {problem}")]
    Choice {
        /// The action.
        action: String,
        /// The event.
        event: String,
        /// What is wrong.
        problem: String,
    },
    /// A duration is out of its range.
    #[error("action `{action}`: the {what} must be {allowed}")]
    Duration {
        /// The action.
        action: String,
        /// Which duration.
        what: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
}

/// Long enough for every repetition of a lost request.
const LONGEST_SHIELD: Duration = Duration::from_secs(3600);
const LONGEST_DEADLINE: Duration = Duration::from_secs(90 * 24 * 3600);

impl Registry {
    /// Adds an action.
    ///
    /// # Errors
    /// If its name or its settings are not usable; the message says what is.
    pub fn register<A: Action>(
        &mut self,
        action: A,
        shortest_retention: Duration,
    ) -> Result<(), RegistryError> {
        self.add(Arc::new(Registered::new(action)), shortest_retention)
    }

    /// Adds an action whose types are erased.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub(crate) fn add(
        &mut self,
        registered: Arc<Registered>,
        shortest_retention: Duration,
    ) -> Result<(), RegistryError> {
        check(&registered, shortest_retention)?;
        let name = Arc::clone(registered.name());
        if let Some(other) = self.find(&name) {
            return Err(match *other.name() == name {
                true => RegistryError::Twice(name.to_string()),
                false => {
                    RegistryError::AliasTaken { action: other.name().to_string(), alias: name.to_string() }
                }
            });
        }
        self.actions.insert(Arc::clone(&name), Arc::clone(&registered));
        for alias in &registered.settings().aliases {
            if self.find(alias).is_some() {
                return Err(RegistryError::AliasTaken { action: name.to_string(), alias: alias.clone() });
            }
            self.aliases.insert(alias.as_str().into(), Arc::clone(&registered));
        }
        Ok(())
    }

    /// The action that has that name, or had it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Registered>> {
        self.actions.get(name).or_else(|| self.aliases.get(name))
    }

    /// All names of the action that has this one, or had it. One that nobody has: this.
    pub(crate) fn names_of(&self, name: &str) -> Vec<Arc<str>> {
        self.find(name).map_or_else(|| vec![name.into()], |action| action.names().map(Arc::from).collect())
    }

    /// The name that an action has now, if `name` is one that it had.
    pub(crate) fn renamed(&self, name: &str) -> Option<&Arc<str>> {
        self.aliases.get(name).map(|action| action.name())
    }

    /// All actions, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Registered>> {
        self.actions.values()
    }

    /// All names, former ones too.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        self.actions.keys().chain(self.aliases.keys()).cloned().collect()
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Whether the name and the settings of an action are usable.
///
/// # Errors
/// What is not.
pub(crate) fn check(action: &Registered, shortest_retention: Duration) -> Result<(), RegistryError> {
    let settings = action.settings();
    let name = || action.name().to_string();
    if !is_name(action.name()) {
        return Err(RegistryError::Name(name()));
    }
    for (code, &status) in &settings.failures {
        if ProblemCode::from_word(code).is_some() {
            return Err(RegistryError::FailureCode { action: name(), code: code.clone() });
        }
        if !matches!(status, 400 | 402 | 403 | 412 | 422 | 424 | 451) {
            return Err(RegistryError::FailureStatus { action: name(), code: code.clone(), status });
        }
    }
    if let Some(alias) = settings.aliases.iter().find(|alias| !is_name(alias)) {
        return Err(RegistryError::Name(alias.clone()));
    }
    for event in &settings.events {
        if !is_name(&event.name) {
            return Err(RegistryError::Name(event.name.clone()));
        }
        if let Some(problem) = event.mistake(is_name) {
            return Err(RegistryError::Choice { action: name(), event: event.name.clone(), problem });
        }
    }
    for right in &settings.caller_links {
        let known = right == "cancel"
            || right.strip_prefix("event:").is_some_and(|event| settings.find_event(event).is_some());
        if !known {
            return Err(RegistryError::Link { action: name(), right: right.clone() });
        }
    }
    if settings
        .duplicate_shield
        .is_some_and(|shield| shield.window > LONGEST_SHIELD || shield.window.is_zero())
    {
        let (what, allowed) = ("duplicate shield", "at most an hour: what comes later is meant");
        return Err(RegistryError::Duration { action: name(), what, allowed });
    }
    if settings.deadline.is_zero() || settings.deadline > LONGEST_DEADLINE {
        return Err(RegistryError::Duration { action: name(), what: "deadline", allowed: "at most 90 days" });
    }
    if settings.retention < shortest_retention || settings.retention > LONGEST_DEADLINE * 4 {
        return Err(RegistryError::Duration {
            action: name(),
            what: "retention",
            allowed: "from 24 hours to 360 days (less only where the configuration allows it, for tests)",
        });
    }
    Ok(())
}
