//! `apiDefinition.swagger.json`: for each action a step, its polls, which nobody sees, and a trigger.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{ConnectorSettings, Triggers, schemas, webhook, words};
use crate::convert::swagger_with_all_definitions;
use crate::document::ActionDescription;
use crate::paths;

/// The hint for the parameter that keeps a repeated step from starting its work twice.
const KEY_HINT: &str = "Makes a repeated step start its work only once. Use a value that is the same in every repetition and \
                        different for all other work: the workflow run name, the action name and, in a loop, the loop index.";

/// The answers that a workflow can tell apart. What else goes wrong has no shape of its own.
const START_PROBLEMS: [&str; 7] = ["400", "401", "403", "409", "422", "429", "503"];
const STATUS_PROBLEMS: [&str; 5] = ["401", "404", "409", "410", "422"];
const TRIGGER_PROBLEMS: [&str; 5] = ["400", "401", "404", "410", "503"];

/// The definition.
pub(super) fn definition(
    settings: &ConnectorSettings,
    document: &Value,
    actions: &[ActionDescription],
) -> Value {
    // What a flow is told of is in callbacks only.
    let mut swagger = swagger_with_all_definitions(document);
    if let Some(problem) =
        swagger.pointer_mut("/definitions/Problem/properties").and_then(Value::as_object_mut)
    {
        // The view of what failed, which a workflow has no use for in an error.
        problem.remove("operation");
    }
    let mut all_paths = Map::new();
    let mut used = BTreeSet::new();
    for action in actions {
        let start = paths::start(&action.name);
        let status = paths::operation(&action.name, "{id}");
        let finished = paths::finished(&action.name);
        let from = Source { swagger: &swagger, action };
        all_paths
            .insert(start.clone(), json!({"post": from.start(&swagger["paths"][&start]["post"], &mut used)}));
        all_paths.insert(
            status.clone(),
            json!({"get": from.status(&swagger["paths"][&status]["get"], &mut used)}),
        );
        if settings.triggers != Triggers::None {
            let trigger = from.trigger(&swagger["paths"][&finished]["get"], settings.triggers, &mut used);
            all_paths.insert(finished, json!({"get": trigger}));
        }
    }
    if settings.triggers != Triggers::None {
        all_paths.extend(webhook::paths(actions, &mut used));
    }
    let none = Map::new();
    let definitions = schemas::definitions(swagger["definitions"].as_object().unwrap_or(&none), used);
    json!({
        "swagger": "2.0",
        "info": {
            "title": settings.title,
            "description": settings.description,
            "version": swagger["info"]["version"],
            "contact": {"name": settings.publisher},
        },
        "host": settings.host,
        "basePath": if settings.base_path.is_empty() { "/" } else { &settings.base_path },
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        "security": [{"api_key": []}],
        "paths": all_paths,
        "definitions": definitions,
    })
}

/// What an action's operations are made from.
struct Source<'a> {
    swagger: &'a Value,
    action: &'a ActionDescription,
}

impl Source<'_> {
    fn start(&self, operation: &Value, used: &mut BTreeSet<String>) -> Value {
        let name = words::spoken(&self.action.name);
        let summary = match words::summary(&self.action.summary) {
            summary if summary.is_empty() => format!("Start {name}"),
            summary => summary,
        };
        let ActionDescription { description, step_description, .. } = self.action;
        let description = match words::sentence(step_description.as_ref().unwrap_or(description)) {
            description if description.is_empty() => {
                format!("Starts {name}, waits until it has ended, and gives its result.")
            }
            description => description,
        };
        let body = operation["parameters"].as_array().into_iter().flatten().find(|it| it["in"] == "body");
        let mut parameters = vec![json!({
            "name": "Idempotency-Key", "in": "header", "required": false, "type": "string", "maxLength": 255,
            "x-ms-summary": "Idempotency Key", "x-ms-visibility": "important", "description": KEY_HINT,
        })];
        if let Some(body) = body {
            parameters.push(json!({
                "name": "body", "in": "body", "required": body["required"],
                "x-ms-summary": "Input", "description": "What the action works on.",
                "schema": self.schema(&body["schema"], used),
            }));
        }
        json!({
            "operationId": words::capital(operation["operationId"].as_str().unwrap_or_default()),
            "summary": summary,
            "description": description,
            "x-ms-visibility": "important",
            "parameters": parameters,
            "responses": self.responses(operation, &START_PROBLEMS, used),
        })
    }

    fn status(&self, operation: &Value, used: &mut BTreeSet<String>) -> Value {
        let name = words::spoken(&self.action.name);
        json!({
            "operationId": words::capital(operation["operationId"].as_str().unwrap_or_default()),
            "summary": format!("Status of {name}"),
            "description": format!("Tells how {name} stands. The workflow asks by itself until it has ended."),
            "x-ms-visibility": "internal",
            "parameters": [
                id_parameter("Operation", "The id of the operation."),
                token_parameter("The right to read this status."),
            ],
            "responses": self.responses(operation, &STATUS_PROBLEMS, used),
        })
    }

    fn trigger(&self, operation: &Value, triggers: Triggers, used: &mut BTreeSet<String>) -> Value {
        let name = words::spoken(&self.action.name);
        let view = self.view(used);
        let (kind, result) = match triggers {
            Triggers::Single => ("single", view),
            Triggers::Batch | Triggers::None => ("batch", json!({"type": "array", "items": view})),
        };
        let mut responses = Map::from_iter([
            (
                "200".to_owned(),
                json!({"description": "What has ended.", "x-ms-summary": "Ended", "schema": result, "headers": poll_headers()}),
            ),
            (
                "202".to_owned(),
                // Without a body, but reviewers ask for a schema everywhere.
                json!({"description": "Nothing new has ended.", "schema": {}, "headers": poll_headers()}),
            ),
        ]);
        self.problems(operation, TRIGGER_PROBLEMS.map(str::to_owned), &mut responses, used);
        json!({
            "operationId": words::capital(operation["operationId"].as_str().unwrap_or_default()),
            "summary": format!("When a {name} run ends"),
            "description": format!("This operation triggers when a run of {name} ends, with its result or its error."),
            "x-ms-visibility": "important",
            "x-ms-trigger": kind,
            "x-ms-trigger-hint": format!("To see it work now, start {name} with the key of this connection."),
            "parameters": [
                {
                    "name": "outcome", "in": "query", "required": false, "type": "array", "collectionFormat": "csv",
                    "items": {"type": "string", "enum": ["Succeeded", "Failed", "Canceled"]},
                    "x-ms-summary": "Outcome", "description": "Only runs that end like this. Without it, all.",
                },
                {
                    "name": "scope", "in": "query", "required": false, "type": "string", "enum": ["own", "all"],
                    "default": "own", "x-ms-visibility": "advanced", "x-ms-summary": "Scope",
                    "description": "Runs that this connection has started, or, if its key may see them, those of anybody.",
                },
                {
                    "name": "mode", "in": "query", "required": true, "type": "string", "enum": [kind], "default": kind,
                    "x-ms-visibility": "internal", "x-ms-summary": "Mode",
                    "description": "How many runs one answer has.",
                },
                {
                    "name": "triggerState", "in": "query", "required": false, "type": "string",
                    "x-ms-visibility": "internal", "x-ms-summary": "Trigger State",
                    "description": "What was told already.",
                },
                token_parameter("The right to follow these runs."),
            ],
            "responses": responses,
        })
    }

    /// The view without `links`: the links of a 202 never reach a workflow.
    fn view(&self, used: &mut BTreeSet<String>) -> Value {
        let view =
            &self.swagger["paths"][&paths::operation(&self.action.name, "{id}")]["get"]["responses"]["200"];
        self.schema(&view["schema"], used)
    }

    fn responses(&self, operation: &Value, problems: &[&str], used: &mut BTreeSet<String>) -> Value {
        let mut responses = Map::new();
        let view = self.view(used);
        responses.insert(
            "200".into(),
            json!({"description": "The work has ended with its output.", "x-ms-summary": "Result", "schema": view}),
        );
        responses.insert(
            "202".into(),
            json!({
                "description": "The work goes on.",
                "schema": view,
                "headers": poll_headers(),
            }),
        );
        let own = self.action.failures.values().map(u16::to_string);
        let all = problems.iter().map(|status| (*status).to_owned()).chain(own);
        self.problems(operation, all, &mut responses, used);
        responses.into()
    }

    /// Adds the problems of these statuses that the operation has.
    fn problems(
        &self,
        operation: &Value,
        statuses: impl IntoIterator<Item = String>,
        responses: &mut Map<String, Value>,
        used: &mut BTreeSet<String>,
    ) {
        let from = |status: &str| {
            let answer = &operation["responses"][status];
            let name = answer["$ref"].as_str().and_then(|target| target.strip_prefix("#/responses/"));
            name.map_or(answer, |name| &self.swagger["responses"][name])
        };
        for status in statuses.into_iter().collect::<BTreeSet<_>>() {
            if let Some(description) = from(&status)["description"].as_str() {
                used.insert("Problem".to_owned());
                let problem = json!({"$ref": "#/definitions/Problem"});
                let answer = json!({"description": words::sentence(description), "schema": problem});
                responses.insert(status, answer);
            }
        }
    }

    /// A schema that is named stays a reference: four answers have the same one.
    fn schema(&self, schema: &Value, used: &mut BTreeSet<String>) -> Value {
        if let Some(name) = schemas::target(schema) {
            used.insert(name.to_owned());
            return json!({"$ref": format!("#/definitions/{name}")});
        }
        let all = Map::from_iter([("It".to_owned(), schema.clone())]);
        schemas::definitions(&all, ["It".to_owned()]).remove("It").unwrap_or_else(|| json!({}))
    }
}

/// What leads from one poll to the next.
/// The id in a path that a `Location` has.
pub(super) fn id_parameter(summary: &str, description: &str) -> Value {
    json!({
        "name": "id", "in": "path", "required": true, "type": "string", "x-ms-url-encoding": "single",
        "x-ms-summary": summary, "description": description,
    })
}

/// The token of a link. Not required: it comes with the Location, and the connection's own key does as well.
pub(super) fn token_parameter(description: &str) -> Value {
    json!({
        "name": "token", "in": "query", "required": false, "type": "string", "x-ms-visibility": "internal",
        "x-ms-summary": "Token", "description": description,
    })
}

fn poll_headers() -> Value {
    json!({
        "Location": {"type": "string", "x-ms-summary": "Location", "description": "Where to ask next."},
        "Retry-After": {
            "type": "integer", "x-ms-summary": "Retry After", "description": "How many seconds to wait before.",
        },
    })
}
