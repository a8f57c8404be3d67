//! The document of two made-up actions whose types go out of their way to clash.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use super::*;

mod first {
    use super::*;

    /// Somebody who gives a talk.
    #[derive(Serialize, ToSchema)]
    pub(super) struct Person {
        /// Their name.
        name: String,
        address: super::Address,
    }

    /// A talk.
    #[derive(Serialize, ToSchema)]
    pub(super) struct Talk {
        title: String,
        speaker: Person,
        comment: Option<String>,
        tags: Vec<super::Tag>,
    }

    /// A name that the contract has too.
    #[derive(Serialize, ToSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    pub(super) enum Status {
        Early,
        Late,
    }

    #[derive(Serialize, ToSchema)]
    pub(super) struct Outcome {
        at: Status,
    }
}

mod second {
    use super::*;

    /// Somebody who decides.
    #[derive(Serialize, ToSchema)]
    pub(super) struct Person {
        id: u32,
    }

    #[derive(Serialize, ToSchema)]
    pub(super) struct Request {
        by: Person,
        address: super::Address,
        tags: Vec<super::Tag>,
    }

    #[derive(Serialize, ToSchema)]
    pub(super) struct Decision {
        approved: bool,
        who: Person,
    }
}

/// Shared by both, with a member that is not a reference.
#[derive(Serialize, ToSchema)]
struct Tag {
    word: String,
}

/// Shared by both.
#[derive(Serialize, ToSchema)]
struct Address {
    city: String,
    tag: Tag,
}

fn schemas<I: ToSchema, O: ToSchema, S: ToSchema>(name: &str) -> ActionDescription {
    let components = [components_of::<I>(), components_of::<O>(), components_of::<S>()].concat();
    ActionDescription {
        name: name.into(),
        summary: "Does something".into(),
        description: "It takes a while.".into(),
        step_description: None,
        input: schema_of::<I>(),
        output: schema_of::<O>(),
        status: schema_of::<S>(),
        components,
        events: Vec::new(),
        failures: BTreeMap::new(),
        callers_may_cancel: false,
        caller_links: Vec::new(),
        example: None,
        output_example: None,
        pace_seconds: 5,
    }
}

fn submit_talk() -> ActionDescription {
    ActionDescription {
        example: Some(json!({
            "title": "Rain", "speaker": {"name": "Ada", "address": {"city": "London", "tag": {"word": "a"}}}, "tags": []
        })),
        ..schemas::<first::Talk, first::Outcome, first::Status>("submit-talk")
    }
}

fn request_approval() -> ActionDescription {
    let mut action = schemas::<second::Request, String, String>("request-approval");
    action.components.extend(components_of::<second::Decision>());
    ActionDescription {
        events: vec![EventDescription {
            name: "decision".into(),
            schema: schema_of::<second::Decision>(),
            many: false,
            has_page: false,
        }],
        failures: BTreeMap::from([("approval-timeout".into(), 422), ("refused".into(), 403)]),
        callers_may_cancel: true,
        caller_links: vec!["cancel".into(), "event:decision".into()],
        ..action
    }
}

fn both() -> Value {
    document(&DocumentSettings::default(), &[submit_talk(), request_approval()]).unwrap()
}

/// Every operation of a document with its path and method.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method != "parameters" {
                let mut operation = operation.clone();
                let mut parameters = item["parameters"].as_array().cloned().unwrap_or_default();
                parameters.extend(operation["parameters"].as_array().cloned().unwrap_or_default());
                operation["parameters"] = parameters.into();
                operations.push((path.clone(), method.clone(), operation));
            }
        }
    }
    operations
}

fn walk(value: &Value, visit: &mut dyn FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            visit(members);
            members.values().for_each(|member| walk(member, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

#[test]
fn every_reference_resolves() {
    let document = both();

    walk(&document, &mut |members| {
        if let Some(target) = members.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(target.strip_prefix('#').unwrap()).is_some(), "{target}");
        }
    });
}

#[test]
fn every_component_is_used() {
    let document = both();
    let text = document.to_string();

    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name}");
    }
    for name in document["components"]["responses"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/components/responses/{name}\"")), "{name}");
    }
    for name in document["components"]["securitySchemes"].as_object().unwrap().keys() {
        assert!(
            operations(&document)
                .iter()
                .any(|(.., operation)| operation["security"].to_string().contains(name))
        );
    }
}

#[test]
fn every_operation_has_an_id_of_its_own() {
    let mut seen = BTreeSet::new();

    for (path, method, operation) in operations(&both()) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(id.chars().all(|letter| letter.is_ascii_alphanumeric()), "{id}");
        assert!(seen.insert(id), "{method} {path}");
    }
    assert!(seen.contains("startSubmitTalk") && seen.contains("sendDecisionToRequestApproval"), "{seen:?}");
}

#[test]
fn operation_links_lead_to_operations() {
    let document = both();
    let ids: BTreeSet<_> = operations(&document)
        .iter()
        .map(|(.., operation)| operation["operationId"].clone().to_string())
        .collect();

    let links = &document["paths"]["/v1/actions/request-approval"]["post"]["responses"]["202"]["links"];

    for link in links.as_object().unwrap().values() {
        assert!(ids.contains(&link["operationId"].to_string()), "{link}");
    }
    assert_eq!(links["event-decision"]["operationId"], "sendDecisionToRequestApproval");
}

#[test]
fn every_path_parameter_is_declared_and_no_other() {
    for (path, method, operation) in operations(&both()) {
        let in_path: BTreeSet<_> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(str::to_owned)
            .collect();
        let parameters = operation["parameters"].as_array().unwrap();
        let declared: BTreeSet<_> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect();

        assert_eq!(in_path, declared, "{method} {path}");
    }
}

#[test]
fn no_two_paths_differ_only_in_a_parameters_name() {
    let mut shapes = BTreeSet::new();

    for path in both()["paths"].as_object().unwrap().keys() {
        let shape: Vec<_> =
            path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
        assert!(shapes.insert(shape.join("/")), "{path}");
    }
}

#[test]
fn answers_have_explicit_statuses() {
    for (path, method, operation) in operations(&both()) {
        let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().cloned().collect();

        assert!(statuses.iter().all(|status| status.parse::<u16>().is_ok()), "{method} {path}: {statuses:?}");
        assert!(statuses.iter().any(|status| status.starts_with('4')), "{method} {path}");
    }
}

#[test]
fn an_accepted_start_has_its_three_headers_for_certain() {
    let document = both();

    let headers = &document["paths"]["/v1/actions/submit-talk"]["post"]["responses"]["202"]["headers"];

    for name in ["Location", "Operation-Location", "Retry-After"] {
        assert_eq!(headers[name]["required"], true, "{name}");
    }
}

#[test]
fn running_and_succeeded_have_one_schema() {
    let document = both();

    let responses = &document["paths"]["/v1/actions/submit-talk/operations/{id}"]["get"]["responses"];

    let schema = |status: &str| responses[status]["content"]["application/json"]["schema"].clone();
    assert_eq!(schema("200"), json!({"$ref": "#/components/schemas/SubmitTalkStatus"}));
    assert_eq!(schema("202"), schema("200"));
}

#[test]
fn every_error_is_the_same_problem_with_the_codes_of_the_action() {
    let document = both();

    let responses = &document["paths"]["/v1/actions/request-approval/operations/{id}"]["get"]["responses"];

    let schema =
        |status: &str| responses[status]["content"]["application/problem+json"]["schema"]["$ref"].clone();
    for status in ["403", "409", "422"] {
        assert_eq!(schema(status), "#/components/schemas/Problem");
    }
    assert_eq!(responses["404"]["$ref"], "#/components/responses/NotFound");
    let not_found = &document["components"]["responses"]["NotFound"]["content"]["application/problem+json"];
    assert_eq!(not_found["schema"]["$ref"], "#/components/schemas/Problem");
    assert!(responses["422"]["description"].as_str().unwrap().contains("`approval-timeout`"));
}

#[test]
fn different_types_of_one_name_get_their_actions_names_before_theirs() {
    let document = both();

    let schemas = document["components"]["schemas"].as_object().unwrap();

    assert!(schemas["SubmitTalkPerson"]["properties"].get("address").is_some());
    assert!(schemas["RequestApprovalPerson"]["properties"].get("id").is_some());
    assert!(!schemas.contains_key("Person"));
    let speaker = &schemas["SubmitTalkInput"]["properties"]["speaker"]["$ref"];
    assert_eq!(speaker, "#/components/schemas/SubmitTalkPerson");
}

#[test]
fn the_same_type_in_two_actions_stays_one() {
    let document = both();

    let schemas = document["components"]["schemas"].as_object().unwrap();

    assert!(schemas.contains_key("Address") && schemas.contains_key("Tag"));
}

#[test]
fn a_type_called_like_one_of_the_contracts_own_gets_out_of_its_way() {
    let document = both();

    let schemas = &document["components"]["schemas"];

    assert_eq!(schemas["Status"]["enum"].as_array().unwrap().len(), 6);
    let own = &schemas["SubmitTalkStatus"]["properties"]["customStatus"]["$ref"];
    let own = own.as_str().unwrap().strip_prefix('#').unwrap();
    assert_eq!(document.pointer(own).unwrap()["enum"], json!(["Early", "Late"]));
}

#[test]
fn nothing_of_the_contract_is_null() {
    let document = document(&DocumentSettings::default(), &[schemas::<String, bool, u32>("plain")]).unwrap();

    walk(&document, &mut |members| {
        assert!(!members.values().any(|member| member.is_null() || member == "null"), "{members:?}");
        assert!(members.get("type").is_none_or(|kind| !kind.is_array()), "{members:?}");
    });
}

#[test]
fn only_actions_that_allow_links_show_them() {
    let document = both();

    assert!(document["components"]["schemas"].get("RequestApprovalAccepted").is_some());
    assert!(document["components"]["schemas"].get("SubmitTalkAccepted").is_none());
    assert!(!document["paths"]["/v1/actions/submit-talk"].to_string().contains("\"links\",\"required\""));
}

#[test]
fn the_order_of_the_actions_does_not_matter() {
    let document = document(&DocumentSettings::default(), &[request_approval(), submit_talk()]).unwrap();

    assert_eq!(document.to_string(), both().to_string());
}

#[test]
fn a_type_that_is_referred_to_but_has_no_schema_is_an_error() {
    let mut action = submit_talk();
    action.components.retain(|(name, _)| name != "Tag");

    let error = document(&DocumentSettings::default(), &[action]).unwrap_err();

    assert_eq!(error, DocumentError::MissingSchema { action: "submit-talk".into(), name: "Tag".into() });
}

#[test]
fn two_types_of_one_name_in_one_action_are_an_error() {
    let mut action = submit_talk();
    action.components.push(("Person".into(), schema_of::<second::Person>()));

    let error = document(&DocumentSettings::default(), &[action]).unwrap_err();

    assert_eq!(
        error,
        DocumentError::TwoTypesOfOneName { action: "submit-talk".into(), name: "Person".into() }
    );
}

#[test]
fn the_document_says_who_answers_for_the_api_and_under_which_licence() {
    let settings =
        DocumentSettings { license: Some("MIT OR Apache-2.0".into()), ..DocumentSettings::default() };

    let with = document(&settings, &[]).unwrap();

    assert_eq!(with["info"]["contact"], json!({"name": "raincheck"}));
    assert_eq!(
        with["info"]["license"],
        json!({"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"})
    );
    assert!(both()["info"].get("license").is_none());
}

#[test]
fn an_example_output_is_shown_where_an_operation_has_succeeded() {
    let action = ActionDescription { output_example: Some(json!({"at": "Late"})), ..submit_talk() };

    let document = document(&DocumentSettings::default(), &[action]).unwrap();

    let responses = &document["paths"]["/v1/actions/submit-talk/operations/{id}"]["get"]["responses"];
    let example = |status: &str| responses[status]["content"]["application/json"]["example"].clone();
    assert_eq!(example("200")["output"], json!({"at": "Late"}));
    assert_eq!(example("200")["status"], "Succeeded");
    assert_eq!(example("202")["status"], "Running");
    assert!(example("202").get("output").is_none());
}
