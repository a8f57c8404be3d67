//! The connector of made-up actions, and texts that Microsoft would refuse.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::*;
use crate::document::{components_of, schema_of};

/// Something that contains itself.
#[derive(Serialize, ToSchema)]
#[schema(no_recursion)]
struct Folder {
    /// its name
    folder_name: String,
    folders: Vec<Folder>,
    owner: Owner,
    size: u64,
}

/// Somebody.
#[derive(Serialize, ToSchema)]
struct Owner {
    name: Option<String>,
}

fn action(name: &str) -> ActionDescription {
    let mut components = components_of::<Folder>();
    components.push(("Folder".into(), schema_of::<Folder>()));
    components.push(("Owner".into(), schema_of::<Owner>()));
    ActionDescription {
        name: name.into(),
        summary: "file a `folder`.".into(),
        description: "files it\nwhere it belongs".into(),
        step_description: None,
        input: schema_of::<Folder>(),
        output: schema_of::<Owner>(),
        status: schema_of::<String>(),
        components,
        events: Vec::new(),
        failures: BTreeMap::from([("no-room".into(), 424)]),
        callers_may_cancel: true,
        caller_links: vec!["cancel".into()],
        example: None,
        output_example: None,
        pace_seconds: 5,
    }
}

fn files(actions: &[ActionDescription]) -> Result<Vec<ConnectorFile>, ConnectorError> {
    connector(&ConnectorSettings::default(), &DocumentSettings::default(), actions)
}

fn file(name: &str) -> Value {
    let files = files(&[action("file-folder")]).unwrap();
    let file = files.iter().find(|file| file.name == name).unwrap();
    serde_json::from_slice(&file.content).unwrap()
}

fn definition() -> Value {
    file(DEFINITION)
}

fn start(definition: &Value) -> &Value {
    &definition["paths"]["/v1/actions/file-folder"]["post"]
}

fn status(definition: &Value) -> &Value {
    &definition["paths"]["/v1/actions/file-folder/operations/{id}"]["get"]
}

fn parameter<'a>(operation: &'a Value, name: &str) -> &'a Value {
    operation["parameters"].as_array().unwrap().iter().find(|parameter| parameter["name"] == name).unwrap()
}

#[test]
fn an_action_is_one_step_to_see_one_path_for_polls_and_one_trigger() {
    let definition = definition();

    let paths = definition["paths"].as_object().unwrap();
    let of_action = paths.keys().filter(|path| path.starts_with("/v1/actions/file-folder"));
    assert_eq!(of_action.count(), 2);
    assert_eq!(paths.len(), 5, "and the trigger that subscribes");
    assert_eq!(start(&definition)["operationId"], "StartFileFolder");
    assert_eq!(start(&definition)["x-ms-visibility"], "important");
    assert_eq!(status(&definition)["operationId"], "GetFileFolder");
    assert_eq!(status(&definition)["x-ms-visibility"], "internal");
}

#[test]
fn a_trigger_asks_for_what_its_kind_takes() {
    let view = json!({"$ref": "#/definitions/FileFolderStatus"});
    for (triggers, kind, result) in [
        (Triggers::Batch, "batch", json!({"type": "array", "items": view})),
        (Triggers::Single, "single", view.clone()),
    ] {
        let settings = ConnectorSettings { triggers, ..ConnectorSettings::default() };
        let files = connector(&settings, &DocumentSettings::default(), &[action("file-folder")]).unwrap();

        let definition: Value = serde_json::from_slice(&files[0].content).unwrap();
        let trigger = &definition["paths"]["/v1/triggers/file-folder/finished"]["get"];
        assert_eq!(
            (&trigger["x-ms-trigger"], &trigger["operationId"]),
            (&json!(kind), &json!("FollowFileFolder"))
        );
        assert_eq!(trigger["summary"], "When a file folder run ends");
        assert_eq!(trigger["responses"]["200"]["schema"], result);
        assert_eq!(parameter(trigger, "mode")["default"], kind);
        for hidden in ["mode", "triggerState", "token"] {
            assert_eq!(parameter(trigger, hidden)["x-ms-visibility"], "internal", "{hidden}");
        }
        let properties: Value = serde_json::from_slice(&files[1].content).unwrap();
        assert_eq!(properties["properties"]["capabilities"], json!(["actions", "triggers"]));
    }
}

#[test]
fn a_connector_without_triggers_has_none() {
    let settings = ConnectorSettings { triggers: Triggers::None, ..ConnectorSettings::default() };

    let files = connector(&settings, &DocumentSettings::default(), &[action("file-folder")]).unwrap();

    assert!(files.iter().all(|file| !String::from_utf8_lossy(&file.content).contains("trigger")));
}

#[test]
fn the_longest_name_of_an_action_has_room_in_every_summary() {
    assert!(files(&[action(&"a".repeat(64))]).is_ok());
}

#[test]
fn texts_are_put_into_microsofts_form() {
    let definition = definition();

    assert_eq!(start(&definition)["summary"], "File a folder");
    assert_eq!(start(&definition)["description"], "Files it where it belongs.");
    let name = &definition["definitions"]["Folder"]["properties"]["folder_name"];
    assert_eq!((&name["x-ms-summary"], &name["description"]), (&json!("Folder Name"), &json!("Its name.")));
}

#[test]
fn a_step_may_have_words_of_its_own() {
    let own = ActionDescription { step_description: Some("files it".into()), ..action("file-folder") };

    let files = files(&[own]).unwrap();

    let definition: Value = serde_json::from_slice(&files[0].content).unwrap();
    assert_eq!(start(&definition)["description"], "Files it.");
}

#[test]
fn a_problem_does_not_bring_the_view_along() {
    let definition = definition();

    let problem = &definition["definitions"]["Problem"]["properties"];
    assert!(problem["code"].is_object() && problem.get("operation").is_none(), "{problem}");
}

#[test]
fn an_action_without_texts_gets_some() {
    let silent =
        ActionDescription { summary: String::new(), description: String::new(), ..action("file-folder") };

    let files = files(&[silent]).unwrap();

    let definition: Value = serde_json::from_slice(&files[0].content).unwrap();
    assert_eq!(start(&definition)["summary"], "Start file folder");
    assert!(start(&definition)["description"].as_str().unwrap().starts_with("Starts file folder, "));
}

#[test]
fn a_poll_may_bring_its_token_but_need_not() {
    let definition = definition();

    let token = parameter(status(&definition), "token");

    assert_eq!((&token["in"], &token["required"]), (&json!("query"), &json!(false)));
    assert_eq!(token["x-ms-visibility"], "internal");
}

#[test]
fn the_idempotency_key_says_what_to_put_there() {
    let definition = definition();

    let key = parameter(start(&definition), "Idempotency-Key");

    assert_eq!(key["x-ms-visibility"], "important");
    for hint in ["workflow run name", "action name", "loop index"] {
        assert!(key["description"].as_str().unwrap().contains(hint), "{hint}");
    }
}

#[test]
fn all_good_answers_have_one_schema_and_the_202_its_headers() {
    let definition = definition();

    for operation in [start(&definition), status(&definition)] {
        let responses = &operation["responses"];
        assert_eq!(responses["200"]["schema"], json!({"$ref": "#/definitions/FileFolderStatus"}));
        assert_eq!(responses["202"]["schema"], responses["200"]["schema"]);
        assert!(responses["202"]["headers"]["Location"].is_object());
        assert_eq!(responses["202"]["headers"]["Retry-After"]["type"], "integer");
        assert!(responses["422"]["description"].is_string() && responses["424"]["description"].is_string());
    }
}

#[test]
fn definitions_are_whole_except_for_what_contains_itself() {
    let definition = definition();

    let properties = &definition["definitions"]["Folder"]["properties"];

    assert_eq!(properties["owner"]["properties"]["name"]["x-ms-summary"], "Name");
    assert_eq!(properties["folders"]["items"], json!({"$ref": "#/definitions/Folder"}));
    assert!(definition["definitions"].get("Owner").is_none());
}

#[test]
fn a_connection_asks_for_host_and_key() {
    let properties = &file("apiProperties.json")["properties"];

    assert_eq!(properties["connectionParameters"]["api_key"]["type"], "securestring");
    let policy = &properties["policyTemplateInstances"][0];
    assert_eq!(policy["templateId"], "dynamichosturl");
    let template = &policy["parameters"]["x-ms-apimTemplateParameter.urlTemplate"];
    assert_eq!(template, "https://@connectionParameters('host')");
}

#[test]
fn a_base_path_is_kept_where_the_host_is_replaced() {
    let settings = ConnectorSettings { base_path: "/rain".into(), ..ConnectorSettings::default() };

    let files = connector(&settings, &DocumentSettings::default(), &[]).unwrap();

    let json = |at: usize| serde_json::from_slice::<Value>(&files[at].content).unwrap();
    assert_eq!(json(0)["basePath"], "/rain");
    let policy = &json(1)["properties"]["policyTemplateInstances"][0]["parameters"];
    assert_eq!(
        policy["x-ms-apimTemplateParameter.urlTemplate"],
        "https://@connectionParameters('host')/rain"
    );
}

#[test]
fn as_many_actions_fit_as_microsoft_takes_operations_and_one_more_does_not() {
    for (triggers, most, operations, hint) in [
        (Triggers::Batch, 84, 257, "leave the triggers out (`triggers = \"none\"`)"),
        (Triggers::None, 128, 258, "each action needs two"),
    ] {
        let settings = ConnectorSettings { triggers, ..ConnectorSettings::default() };
        let with = |count: usize| {
            let actions: Vec<_> = (0..count).map(|number| action(&format!("file-{number}"))).collect();
            connector(&settings, &DocumentSettings::default(), &actions)
        };

        let files = with(most).unwrap();

        assert!(files[0].content.len() < LARGEST_DEFINITION, "{}", files[0].content.len());
        let error = with(most + 1).unwrap_err();
        assert_eq!(error, ConnectorError::TooManyOperations { operations, triggers });
        assert!(error.to_string().contains("at most 256") && error.to_string().contains(hint), "{error}");
    }
}

#[test]
fn a_definition_that_is_too_large_is_an_error() {
    let mut large = action("file-folder");
    large.description = "Long. ".repeat(200_000);

    let error = files(&[large]).unwrap_err();

    assert!(matches!(error, ConnectorError::TooLarge { bytes } if bytes > LARGEST_DEFINITION), "{error}");
}

#[test]
fn texts_that_no_form_can_save_are_an_error_with_their_place() {
    let with = |change: &dyn Fn(&mut ActionDescription)| {
        let mut action = action("file-folder");
        change(&mut action);
        files(&[action]).map(|_| ()).unwrap_err().to_string()
    };

    let slash = with(&|action| action.summary = "File and/or fold".into());
    assert!(slash.contains("post /v1/actions/file-folder: a summary has no slash"), "{slash}");
    let long = with(&|action| action.summary = "a".repeat(81));
    assert!(long.contains("at most 80 characters"), "{long}");
    let same = with(&|action| action.description = "File a folder.".into());
    assert!(same.contains("must say more than the summary"), "{same}");
}

#[test]
fn a_host_is_a_host_and_no_url() {
    let with = |host: &str| {
        let settings = ConnectorSettings { host: host.into(), ..ConnectorSettings::default() };
        connector(&settings, &DocumentSettings::default(), &[]).is_ok()
    };

    assert!(with("raincheck.example.org") && with("raincheck.example.org:8443"));
    for wrong in ["", "https://raincheck.example.org", "raincheck.example.org/rain", "rain check", "a:b"] {
        assert!(!with(wrong), "{wrong}");
    }
}

#[test]
fn titles_keep_microsofts_rules() {
    for good in ["Raincheck", "Rapid Orders 2"] {
        assert_eq!(rules::title(good), Ok(()), "{good}");
    }
    let long = "a".repeat(31);
    for bad in ["", "Orders API", "Orders connector", "Orders!", "Orders for Power Automate", "Wörter", &long]
    {
        assert!(rules::title(bad).is_err(), "{bad}");
    }
    assert_eq!(rules::title("Capital Rapids"), Ok(()), "a word within a word is none");
}

#[test]
fn the_checker_finds_each_broken_rule() {
    let good = definition();
    let properties = file("apiProperties.json");
    assert_eq!(rules::broken(&good, &properties), Vec::<String>::new());
    let path = "/paths/~1v1~1actions~1file-folder";
    let trigger = "/paths/~1v1~1triggers~1file-folder~1finished/get";
    let changes: [(String, Value, &str); 17] = [
        (format!("{path}/post/operationId"), json!("start-it"), "CamelCase"),
        (format!("{path}/post/operationId"), json!("GetFileFolder"), "used twice"),
        (format!("{path}/post/summary"), json!("lower"), "capital letter"),
        (format!("{path}/post/summary"), json!("Ends."), "without punctuation"),
        (format!("{path}/post/description"), json!("Two\nlines"), "line break"),
        (format!("{path}/post/parameters/0/x-ms-summary"), json!("Idempotency key"), "title case"),
        (format!("{path}/post/parameters/0/type"), json!(null), "needs a type"),
        (format!("{path}~1operations~1{{id}}/get/parameters/0/x-ms-url-encoding"), json!("double"), "single"),
        (format!("{path}~1operations~1{{id}}/get/parameters/1/required"), json!(true), "needs a default"),
        (format!("{path}/post/responses"), json!({}), "explicit"),
        ("/definitions/Folder/properties/size/x-ms-summary".into(), json!(""), "missing"),
        ("/info/description".into(), json!("Short"), "from 30 to 500"),
        (format!("{trigger}/summary"), json!("A run ends"), "begins with \"When a\""),
        (format!("{trigger}/description"), json!("A run ends."), "\"This operation triggers when\""),
        (format!("{trigger}/x-ms-trigger-hint"), json!(null), "x-ms-trigger-hint"),
        (format!("{trigger}/x-ms-trigger"), json!("single"), "\"batch\" for a list"),
        (format!("{trigger}/responses/202/headers/Location"), json!(null), "declares Location"),
    ];
    for (pointer, value, rule) in changes {
        let mut bad = good.clone();
        *bad.pointer_mut(&pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        let broken = rules::broken(&bad, &properties);
        assert!(broken.iter().any(|what| what.contains(rule)), "{pointer}, {rule}: {broken:?}");
    }
}

#[test]
fn a_flow_subscribes_with_its_callback_url_and_ends_what_it_has_made() {
    let definition = definition();

    let item = &definition["paths"]["/v1/subscriptions"];
    let told = &item["x-ms-notification-content"]["schema"];
    assert_eq!(told["$ref"], "#/definitions/OperationStatus");
    assert_eq!(definition["definitions"]["OperationStatus"]["properties"]["status"]["type"], "string");
    let trigger = &item["post"];
    assert_eq!(
        (&trigger["x-ms-trigger"], &trigger["x-ms-visibility"]),
        (&json!("single"), &json!("important"))
    );
    let members = &parameter(trigger, "body")["schema"]["properties"];
    assert_eq!(members["url"]["x-ms-notification-url"], true);
    assert_eq!(members["url"]["x-ms-visibility"], "internal");
    assert_eq!(members["action"]["enum"], json!(["file-folder"]));
    assert!(trigger["responses"]["201"]["headers"]["Location"].is_object());
    let end = &definition["paths"]["/v1/subscriptions/{id}"]["delete"];
    assert_eq!(
        (&end["x-ms-visibility"], &parameter(end, "token")["required"]),
        (&json!("internal"), &json!(false))
    );
    assert_eq!(file("apiProperties.json")["properties"]["capabilities"], json!(["actions", "triggers"]));
}
