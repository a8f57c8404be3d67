//! One declaration: the keys that every action has, and the kind that reads the others.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use toml::de::DeTable;

use super::file::{Table, Wrong};
use super::kind::{Kind, Work};
use super::places::Places;
use super::schema::Schema;
use super::surroundings::Surroundings;
use super::{Declared, reports};
use crate::action::{Choice, EventCheck, EventSettings, Pace, RetryPolicy, Schemas, Settings, Shield};
use crate::config::units;

/// The keys that every action has. The others are its kind's.
pub(super) const KEYS: [&str; 27] = [
    "name",
    "kind",
    "summary",
    "description",
    "input",
    "output",
    "status",
    "events",
    "failures",
    "version",
    "aliases",
    "deadline",
    "retention",
    "concurrency",
    "max_active",
    "pace",
    "callers_may_cancel",
    "links",
    "callers",
    "cancel_grace",
    "duplicate_shield",
    "duplicate_shield_of_everyone",
    "example",
    "output_example",
    "timeout",
    "retry",
    "max_output",
];

/// Those whose content is JSON Schema, or a file of it.
const SCHEMAS: [&str; 3] = ["input", "output", "status"];

/// The keys that are neither its kind's nor schemas.
#[derive(Deserialize)]
#[serde(default)]
struct Common {
    summary: Option<String>,
    description: String,
    events: Vec<Event>,
    failures: BTreeMap<String, u16>,
    version: u32,
    aliases: Vec<String>,
    #[serde(deserialize_with = "units::duration")]
    deadline: Duration,
    #[serde(deserialize_with = "units::duration")]
    retention: Duration,
    concurrency: Option<usize>,
    max_active: u64,
    #[serde(deserialize_with = "whole_seconds")]
    pace: u32,
    callers_may_cancel: bool,
    links: Vec<String>,
    callers: Vec<String>,
    #[serde(deserialize_with = "units::duration")]
    cancel_grace: Duration,
    #[serde(deserialize_with = "units::optional_duration")]
    duplicate_shield: Option<Duration>,
    duplicate_shield_of_everyone: bool,
    example: Option<Value>,
    output_example: Option<Value>,
    #[serde(deserialize_with = "units::optional_duration")]
    timeout: Option<Duration>,
    retry: Option<Retry>,
    #[serde(deserialize_with = "units::bytes")]
    max_output: u64,
}

/// An event that operations take.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    name: String,
    #[serde(default)]
    many: bool,
    #[serde(default)]
    choices: Vec<Button>,
    schema: Option<Value>,
}

/// A button of the page of an event's links.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Button {
    name: String,
    label: String,
    body: Value,
}

/// How often, and how fast, a failed attempt is repeated.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Retry {
    attempts: u32,
    #[serde(deserialize_with = "units::duration")]
    first: Duration,
    factor: f64,
    #[serde(deserialize_with = "units::duration")]
    maximum: Duration,
    jitter: f64,
}

impl Default for Common {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            summary: None,
            description: String::new(),
            events: Vec::new(),
            failures: BTreeMap::new(),
            version: settings.version,
            aliases: Vec::new(),
            deadline: settings.deadline,
            retention: settings.retention,
            concurrency: None,
            max_active: settings.max_active,
            pace: settings.pace.seconds,
            callers_may_cancel: settings.callers_may_cancel,
            links: Vec::new(),
            callers: Vec::new(),
            cancel_grace: settings.cancel_grace,
            duplicate_shield: None,
            duplicate_shield_of_everyone: false,
            example: None,
            output_example: None,
            timeout: None,
            retry: None,
            max_output: 1 << 20,
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            first: Duration::from_secs(1),
            factor: 2.0,
            maximum: Duration::from_secs(60),
            jitter: 0.2,
        }
    }
}

impl From<Retry> for RetryPolicy {
    fn from(Retry { attempts, first, factor, maximum, jitter }: Retry) -> Self {
        Self::new(attempts).first(first).factor(factor).maximum(maximum).jitter(jitter)
    }
}

/// Reads an action. `name`: what it is called if it does not say.
pub(super) fn read(
    table: Table<'_>,
    name: Option<&str>,
    surroundings: &Surroundings<'_>,
) -> Result<Declared, Vec<Wrong>> {
    let span = table.span();
    let table = table.into_inner();
    let places = Places::of(&table, span.clone());
    let kind = places.kind(&table).map_err(|wrong| vec![wrong])?;
    let unknown = places.unknown(kind);
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let name = match (places.text(&table, "name"), name) {
        (Some(name), _) | (None, Some(name)) => name.to_owned(),
        (None, None) => {
            return Err(vec![
                places.wrong("name", "is missing: the action's name in URLs, such as \"make-report\""),
            ]);
        }
    };
    let mut own = DeTable::new();
    let mut common = DeTable::new();
    let mut schemas = BTreeMap::new();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" | "kind" => {}
            word if SCHEMAS.contains(&word) => drop(schemas.insert(word.to_owned(), value)),
            word if KEYS.contains(&word) => drop(common.insert(key, value)),
            _ => drop(own.insert(key, value)),
        }
    }
    let mut wrong = Vec::new();
    let mut note = |problem: Wrong| {
        wrong.push(problem);
    };
    let common: Common = places.read(common).unwrap_or_else(|problem| {
        note(problem);
        Common::default()
    });
    let mut schema = |key: &str| match schemas.remove(key) {
        None => Schema::any((key == "input").then_some("object")),
        Some(value) => places.schema(value, surroundings).unwrap_or_else(|problem| {
            note(places.wrong(key, problem));
            Schema::any(None)
        }),
    };
    let (input, output, status) = (schema("input"), schema("output"), schema("status"));
    let kind = places.read_kind(kind, own, surroundings).and_then(|kind| {
        if kind.takes_events() || common.events.is_empty() {
            return Ok(kind);
        }
        let problem = "nobody would take them: for this kind, the input is all that the work is told";
        Err(places.wrong("events", problem))
    });
    let kind = match kind {
        Ok(kind) if wrong.is_empty() => kind,
        Ok(_) => return Err(wrong),
        Err(problem) => {
            wrong.push(problem);
            return Err(wrong);
        }
    };
    let declared = put_together(name, common, kind, [input, output, status])
        .map_err(|(key, problem)| vec![places.wrong(&key, problem)])?;
    let declared = std::sync::Arc::new(declared);
    crate::action::check(&declared.register(), surroundings.shortest_retention)
        .map_err(|error| vec![places.refused(&error)])?;
    std::sync::Arc::into_inner(declared).ok_or_else(|| vec![places.wrong("name", "is in use")])
}

fn put_together(
    name: String,
    common: Common,
    kind: Kind,
    [input, output, status]: [Schema; 3],
) -> Result<Declared, (String, String)> {
    // Without `..`: a new key has to find its place.
    let Common {
        summary,
        description,
        events,
        failures,
        version,
        aliases,
        deadline,
        retention,
        concurrency,
        max_active,
        pace,
        callers_may_cancel,
        links,
        callers,
        cancel_grace,
        duplicate_shield,
        duplicate_shield_of_everyone: of_everyone,
        example,
        output_example,
        timeout,
        retry,
        max_output,
    } = common;
    for (key, example, schema) in
        [("example", &example, &input), ("output_example", &output_example, &output)]
    {
        let errors = example.as_ref().map(|example| schema.errors(example)).unwrap_or_default();
        if let Some(error) = errors.first() {
            let problem = format!("does not fit its schema: {}: {}", error.place(), error.detail);
            return Err((key.to_owned(), problem));
        }
    }
    let mut components = Vec::new();
    let schemas = Schemas {
        input: input.show("Input", &mut components),
        output: output.show("Output", &mut components),
        status: status.show("Status", &mut components),
        components: Vec::new(),
    };
    let events = events.into_iter().map(|Event { name, many, choices, schema }| {
        let schema = match schema {
            None => Schema::any(None),
            Some(schema) => Schema::new(&schema)
                .map_err(|problem| ("events".to_owned(), format!("the schema of `{name}` {problem}")))?,
        };
        let choices =
            choices.into_iter().map(|Button { name, label, body }| Choice { name, label, body }).collect();
        let shown = schema.show("Event", &mut components);
        let check = EventCheck(std::sync::Arc::new(move |text: &str| schema.check_text(text)));
        let mut event = EventSettings::of_schema(name, shown, check);
        event.many = many;
        event.choices = choices;
        Ok(event)
    });
    let events = events.collect::<Result<_, (String, String)>>()?;
    let schemas = Schemas { components, ..schemas };
    let settings = Settings {
        summary: summary.unwrap_or_else(|| summary_of(&name)),
        description,
        step_description: None,
        aliases,
        version,
        events,
        failures,
        deadline,
        retention,
        concurrency: concurrency.or_else(|| kind.concurrency()),
        max_active,
        pace: Pace { seconds: pace },
        callers_may_cancel,
        caller_links: links,
        callers,
        cancel_grace,
        duplicate_shield: duplicate_shield.map(|window| Shield { window, of_everyone }),
        example,
        output_example,
    };
    let work = Work {
        name: name.clone(),
        retry: retry.map_or_else(|| kind.retry(), RetryPolicy::from),
        timeout: timeout.or_else(|| kind.timeout()),
        cancel_grace,
        max_output: usize::try_from(max_output).unwrap_or(usize::MAX),
        status: reports::Status::new(status),
        events: settings.events.iter().map(|event| event.name.clone()).collect(),
    };
    Ok(Declared { name, settings, schemas, input, output, work, kind })
}

/// `make-report` as people write it.
fn summary_of(name: &str) -> String {
    let text = name.replace('-', " ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn whole_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let pace = units::duration(deserializer)?;
    match u32::try_from(pace.as_secs()) {
        Ok(seconds) if pace.subsec_nanos() == 0 => Ok(seconds),
        _ => Err(serde::de::Error::custom("must be whole seconds, such as \"5s\", as Retry-After is")),
    }
}
