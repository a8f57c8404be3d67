//! Small documents, each with one change.

use serde_json::json;

use super::*;

fn document() -> Value {
    json!({
        "paths": {"/it": {"post": {
            "operationId": "startIt",
            "security": [{"key": []}, {"link": []}],
            "parameters": [{"name": "n", "in": "query", "required": false, "schema": {"type": "integer"}}],
            "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/In"}}}},
            "responses": {
                "202": {
                    "description": "d",
                    "headers": {"Location": {"required": true, "schema": {"type": "string"}}},
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/View"}}},
                },
                "422": {
                    "description": "Failed: `invalid-input`, `operation-failed`.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                },
            },
        }}},
        "components": {"schemas": {
            "In": {
                "type": "object", "required": ["a"],
                "properties": {
                    "a": {"type": "string", "maxLength": 9}, "b": {"type": "integer"}, "w": {"enum": ["x", "y"]},
                    "more": {"type": "array", "items": {"$ref": "#/components/schemas/In"}},
                },
            },
            "View": {
                "type": "object", "required": ["id", "status"],
                "properties": {
                    "id": {"type": "string"}, "status": {"type": "string", "enum": ["Running"]},
                    "output": {"type": ["string", "null"]}, "at": {"type": "string", "format": "date-time"},
                },
            },
            "Problem": {"type": "object"},
        }},
    })
}

/// What is found after that member has become another one, or none.
fn after(pointer: &str, value: Option<Value>) -> Vec<String> {
    let mut new = document();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = new.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => drop(parent.insert(name.to_owned(), value)),
        None => drop(parent.remove(name).unwrap()),
    }
    breaking_changes(&document(), &new)
}

const OPERATION: &str = "/paths/~1it/post";
const SCHEMAS: &str = "/components/schemas";

#[test]
fn nothing_has_changed_in_the_same_document() {
    assert_eq!(breaking_changes(&document(), &document()), Vec::<String>::new());
}

#[test]
fn an_operation_that_is_gone_breaks() {
    assert_eq!(after(OPERATION, None), ["post /it: the operation is gone"]);
}

#[test]
fn another_operation_id_breaks() {
    assert_eq!(after(&format!("{OPERATION}/operationId"), Some(json!("other"))).len(), 1);
}

#[test]
fn a_way_to_sign_in_that_is_gone_breaks() {
    let found = after(&format!("{OPERATION}/security"), Some(json!([{"key": []}])));

    assert_eq!(found, ["post /it: the security scheme `link` no longer counts"]);
}

#[test]
fn an_answer_that_is_gone_breaks_and_so_does_a_code() {
    assert_eq!(after(&format!("{OPERATION}/responses/422"), None), ["post /it, 422: the answer is gone"]);
    let found =
        after(&format!("{OPERATION}/responses/422/description"), Some(json!("Failed: `invalid-input`.")));
    assert_eq!(found, ["post /it, 422: the code `operation-failed` is gone"]);
}

#[test]
fn a_header_that_is_no_longer_certain_breaks() {
    let found = after(&format!("{OPERATION}/responses/202/headers/Location/required"), Some(json!(false)));

    assert_eq!(found, ["post /it, 202: the header Location is no longer certain"]);
}

#[test]
fn a_media_type_that_is_gone_breaks() {
    let found = after(&format!("{OPERATION}/responses/202/content"), Some(json!({"text/plain": {}})));

    assert_eq!(found, ["post /it, 202: application/json is gone"]);
}

#[test]
fn a_parameter_that_is_new_and_required_breaks_and_an_optional_one_does_not() {
    let with = |required: bool| {
        let old = json!({"name": "n", "in": "query", "required": false, "schema": {"type": "integer"}});
        let new = json!({"name": "m", "in": "query", "required": required, "schema": {"type": "integer"}});
        after(&format!("{OPERATION}/parameters"), Some(json!([old, new])))
    };

    assert_eq!(with(true), ["post /it, query m: it is new and required"]);
    assert_eq!(with(false), Vec::<String>::new());
    assert_eq!(after(&format!("{OPERATION}/parameters"), None), ["post /it, query n: the parameter is gone"]);
}

#[test]
fn an_input_that_asks_for_more_breaks() {
    let found = after(&format!("{SCHEMAS}/In/required"), Some(json!(["a", "b"])));
    assert_eq!(found, ["post /it, body/b: it has become required"]);
    assert_eq!(after(&format!("{SCHEMAS}/In/properties/a/maxLength"), Some(json!(5))).len(), 1);
    assert_eq!(after(&format!("{SCHEMAS}/In/properties/w/enum"), Some(json!(["x"]))).len(), 1);
}

#[test]
fn an_input_that_asks_for_less_does_not() {
    for (place, value) in [
        ("In/required", json!([])),
        ("In/properties/a/maxLength", json!(10)),
        ("In/properties/b/type", json!(["integer", "string"])),
        ("In/properties/w/enum", json!(["x", "y", "z"])),
        ("In/properties/new", json!({"type": "string"})),
    ] {
        assert_eq!(after(&format!("{SCHEMAS}/{place}"), Some(value)), Vec::<String>::new(), "{place}");
    }
}

#[test]
fn a_member_of_an_answer_that_is_no_longer_certain_breaks() {
    let found = after(&format!("{SCHEMAS}/View/required"), Some(json!(["id"])));

    assert_eq!(found, ["post /it, 202/status: it is no longer certain"]);
}

#[test]
fn a_changed_type_breaks_in_either_direction() {
    let found = after(&format!("{SCHEMAS}/View/properties/id/type"), Some(json!("integer")));
    assert_eq!(found, ["post /it, 202/id: the type was string and is integer"]);
    let found = after(&format!("{SCHEMAS}/In/properties/b/type"), Some(json!("string")));
    assert_eq!(found, ["post /it, body/b: the type was integer and is string"]);
    assert_eq!(
        after(&format!("{SCHEMAS}/View/properties/id/type"), Some(json!(["string", "null"]))).len(),
        1
    );
    assert_eq!(after(&format!("{SCHEMAS}/View/properties/at/format"), None).len(), 1);
}

#[test]
fn an_answer_that_promises_more_does_not_break() {
    for (place, value) in [
        ("View/required", json!(["id", "status", "output"])),
        ("View/properties/output/type", json!("string")),
        ("View/properties/status/enum", json!(["Running", "Suspended"])),
        ("View/properties/new", json!({"type": "string"})),
    ] {
        assert_eq!(after(&format!("{SCHEMAS}/{place}"), Some(value)), Vec::<String>::new(), "{place}");
    }
}
