//! How the server treats an action: its version, its events, its limits, and what callers may ask for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::EventSettings;

/// Settings of an action, with defaults that suit most.
///
/// ```
/// use std::time::Duration;
/// use raincheck_server::{EventSettings, Settings};
///
/// let settings = Settings::new("Ask a person for approval")
///     .version(2)
///     .event(EventSettings::new::<bool>("decision"))
///     .failure("approval-timeout", 422)
///     .deadline(Duration::from_secs(14 * 24 * 3600))
///     .callers_may_cancel();
/// assert_eq!(settings.version, 2);
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    /// What it does, in a few words, as documents and connectors show it.
    pub summary: String,
    /// What it does, in some sentences.
    pub description: String,
    /// The same for the step of a connector, if `description` speaks of what no step has.
    pub step_description: Option<String>,
    /// The names that it had before, oldest first.
    pub aliases: Vec<String>,
    /// The version of the handler, recorded with each operation.
    pub version: u32,
    /// The events that its operations take.
    pub events: Vec<EventSettings>,
    /// The codes of its failures with their HTTP statuses; other codes answer with 422.
    pub failures: BTreeMap<String, u16>,
    /// How long an operation may take; default 7 days, at most 90.
    pub deadline: Duration,
    /// How long an ended operation is kept; default 7 days. A tombstone stays for as long again.
    pub retention: Duration,
    /// How many of its handlers may run a step at a time; `None`: as many as there are. The others queue.
    pub concurrency: Option<usize>,
    /// How many operations may be accepted and not ended.
    pub max_active: u64,
    /// What Retry-After says.
    pub pace: Pace,
    /// Whether the caller who started an operation may cancel it.
    pub callers_may_cancel: bool,
    /// Which links (`cancel`, `event:NAME`) a caller may ask for with `?links=`.
    pub caller_links: Vec<String>,
    /// The only callers that may start it, by the names of their keys; empty: every key that may start it.
    pub callers: Vec<String>,
    /// How long a running step may go on after a cancel.
    pub cancel_grace: Duration,
    /// Whether equal starts without an idempotency key are one.
    pub duplicate_shield: Option<Shield>,
    /// An example input for documents.
    pub example: Option<serde_json::Value>,
    /// An example output for documents.
    pub output_example: Option<serde_json::Value>,
}

/// When equal starts without an idempotency key are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shield {
    /// For how long after the first one.
    pub window: Duration,
    /// Also those that do not tell which run of a workflow they belong to.
    pub of_everyone: bool,
}

/// What Retry-After says while an operation runs: a fixed pace with a little jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Whole seconds until the next poll.
    pub seconds: u32,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for Settings {
    fn default() -> Self {
        Self {
            summary: String::new(),
            description: String::new(),
            step_description: None,
            aliases: Vec::new(),
            version: 1,
            events: Vec::new(),
            failures: BTreeMap::new(),
            deadline: DAY * 7,
            retention: DAY * 7,
            concurrency: None,
            max_active: 1_000_000,
            pace: Pace { seconds: 5 },
            callers_may_cancel: false,
            caller_links: Vec::new(),
            callers: Vec::new(),
            cancel_grace: Duration::from_secs(10),
            duplicate_shield: None,
            example: None,
            output_example: None,
        }
    }
}

impl Settings {
    /// Defaults, with a summary.
    #[must_use]
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }

    /// What it does, in some sentences.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// What the step of a connector says in place of the description, if that speaks of what no step has: headers, links,
    /// an operation's id.
    #[must_use]
    pub fn step_description(mut self, description: impl Into<String>) -> Self {
        self.step_description = Some(description.into());
        self
    }

    /// A name that the action had before; there may be several. Starts under it, links made under it and idempotency
    /// keys used under it go on to work; the document and every view show the new name only.
    ///
    /// A handler that starts this action as a child has the child's name in its journal, and does not find it there
    /// under another: let parents that wait for such a child end before the rename.
    #[must_use]
    pub fn alias(mut self, former: impl Into<String>) -> Self {
        self.aliases.push(former.into());
        self
    }

    /// The version of the handler: raise it when a change would no longer fit journals that are under way.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Declares an event.
    #[must_use]
    pub fn event(mut self, event: EventSettings) -> Self {
        self.events.push(event);
        self
    }

    /// Declares a failure and the status that it answers with: 400, 402, 403, 412, 422, 424 or 451. The others mean
    /// something else to callers and are refused when the action is registered.
    #[must_use]
    pub fn failure(mut self, code: impl Into<String>, http_status: u16) -> Self {
        self.failures.insert(code.into(), http_status);
        self
    }

    /// How long an operation may take; at most 90 days.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long an ended operation is kept; at least 24 hours, unless the server allows less for tests.
    #[must_use]
    pub const fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// How many handlers may run a step at a time.
    #[must_use]
    pub const fn concurrency(mut self, handlers: usize) -> Self {
        self.concurrency = Some(handlers);
        self
    }

    /// How many operations may be active.
    #[must_use]
    pub const fn max_active(mut self, operations: u64) -> Self {
        self.max_active = operations;
        self
    }

    /// Whole seconds that Retry-After asks for.
    #[must_use]
    pub const fn pace(mut self, seconds: u32) -> Self {
        self.pace = Pace { seconds };
        self
    }

    /// Lets the caller who started an operation cancel it.
    #[must_use]
    pub const fn callers_may_cancel(mut self) -> Self {
        self.callers_may_cancel = true;
        self
    }

    /// Lets callers ask for these links: `cancel`, `event:NAME`.
    #[must_use]
    pub fn caller_links<const N: usize>(mut self, rights: [&str; N]) -> Self {
        self.caller_links = rights.map(str::to_owned).to_vec();
        self
    }

    /// Lets only these callers start it, whatever else their keys allow: the names of their keys.
    #[must_use]
    pub fn callers<const N: usize>(mut self, names: [&str; N]) -> Self {
        self.callers = names.map(str::to_owned).to_vec();
        self
    }

    /// How long a running step may go on after a cancel.
    #[must_use]
    pub const fn cancel_grace(mut self, grace: Duration) -> Self {
        self.cancel_grace = grace;
        self
    }

    /// Takes equal starts without an `Idempotency-Key` for one that was sent again: from one action of one run of a
    /// workflow, as Logic Apps tells in its headers, by one caller, with an equal body, within `window` of the first. They
    /// are answered as a repetition: the first operation, and `Idempotent-Replayed: true`.
    ///
    /// A loop that starts the same work with equal bodies within the window starts it once. So this is for actions whose
    /// input says which piece of work it is; a key says it better.
    #[must_use]
    pub const fn duplicate_shield(mut self, window: Duration) -> Self {
        self.duplicate_shield = Some(Shield { window, of_everyone: false });
        self
    }

    /// The same for starts that do not tell a run either: two equal bodies of one caller within `window` are one start,
    /// whoever sends them.
    #[must_use]
    pub const fn duplicate_shield_of_everyone(mut self, window: Duration) -> Self {
        self.duplicate_shield = Some(Shield { window, of_everyone: true });
        self
    }

    /// An example input, for documents.
    #[must_use]
    pub fn example(mut self, example: serde_json::Value) -> Self {
        self.example = Some(example);
        self
    }

    /// An example output, for documents.
    #[must_use]
    pub fn output_example(mut self, example: serde_json::Value) -> Self {
        self.output_example = Some(example);
        self
    }

    /// The declared event of that name.
    #[must_use]
    pub fn find_event(&self, name: &str) -> Option<&EventSettings> {
        self.events.iter().find(|event| event.name == name)
    }
}
