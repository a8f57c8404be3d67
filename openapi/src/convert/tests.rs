//! One test for each rule of the conversion, on documents that are as small as can be.

use super::*;

fn with_schema(schema: Value) -> Value {
    json!({
        "openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {},
        "components": {"schemas": {"It": schema}},
    })
}

fn with_operation(operation: Value) -> Value {
    json!({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/it": {"post": operation}}})
}

fn in_3_0(schema: Value) -> Value {
    openapi_3_0(&with_schema(schema))["components"]["schemas"]["It"].clone()
}

fn in_2_0(schema: Value) -> Value {
    swagger_2_0(&with_schema(schema))["definitions"]["It"].clone()
}

fn operation_in_2_0(operation: Value) -> Value {
    swagger_2_0(&with_operation(operation))["paths"]["/it"]["post"].clone()
}

#[test]
fn a_type_or_null_is_nullable() {
    assert_eq!(in_3_0(json!({"type": ["string", "null"]})), json!({"type": "string", "nullable": true}));
    assert_eq!(in_2_0(json!({"type": ["string", "null"]})), json!({"type": "string", "x-nullable": true}));
    assert_eq!(in_3_0(json!({"type": "null"})), json!({"nullable": true, "enum": [null]}));
}

#[test]
fn several_types_are_variants() {
    let several = json!({"type": ["string", "integer"]});

    assert_eq!(in_3_0(several.clone()), json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}));
    assert!(in_2_0(several).get("type").is_none());
}

#[test]
fn a_reference_or_null_is_a_nullable_schema_around_the_reference() {
    for word in ["oneOf", "anyOf"] {
        let schema = json!({word: [{"type": "null"}, {"$ref": "#/components/schemas/Other"}]});
        let expected = json!({"nullable": true, "allOf": [{"$ref": "#/components/schemas/Other"}]});

        assert_eq!(in_3_0(schema), expected);
    }
}

#[test]
fn a_schema_or_null_takes_the_nullable_in() {
    let schema = json!({"oneOf": [{"type": "null"}, {"type": "string", "maxLength": 3}]});

    assert_eq!(in_3_0(schema), json!({"nullable": true, "type": "string", "maxLength": 3}));
}

#[test]
fn a_constant_is_an_enumeration_of_one() {
    assert_eq!(in_3_0(json!({"const": "true"})), json!({"enum": ["true"]}));
}

#[test]
fn exclusive_limits_become_flags_beside_limits() {
    assert_eq!(in_3_0(json!({"exclusiveMinimum": 0})), json!({"minimum": 0, "exclusiveMinimum": true}));
    assert_eq!(in_3_0(json!({"exclusiveMaximum": 9.5})), json!({"maximum": 9.5, "exclusiveMaximum": true}));
}

#[test]
fn the_stricter_of_two_limits_counts() {
    assert_eq!(in_3_0(json!({"exclusiveMinimum": 0, "minimum": 1})), json!({"minimum": 1}));
    assert_eq!(
        in_3_0(json!({"exclusiveMinimum": 1, "minimum": 1})),
        json!({"minimum": 1, "exclusiveMinimum": true})
    );
    assert_eq!(in_3_0(json!({"exclusiveMaximum": 7, "maximum": 5})), json!({"maximum": 5}));
}

#[test]
fn the_first_of_several_examples_stays() {
    assert_eq!(in_3_0(json!({"examples": [1, 2]})), json!({"example": 1}));
    assert_eq!(in_3_0(json!({"examples": [1], "example": 3})), json!({"example": 3}));
}

#[test]
fn encoded_content_is_a_format() {
    assert_eq!(
        in_3_0(json!({"type": "string", "contentEncoding": "base64"})),
        json!({"type": "string", "format": "byte"})
    );
    assert_eq!(
        in_3_0(json!({"type": "string", "contentMediaType": "image/png"})),
        json!({"type": "string", "format": "binary"})
    );
}

#[test]
fn a_tuple_is_a_list_of_anything() {
    let tuple = json!({"type": "array", "prefixItems": [{"type": "string"}], "items": false});

    assert_eq!(in_3_0(tuple), json!({"type": "array", "items": {}}));
}

#[test]
fn schemas_that_are_true_or_false_become_objects_where_they_must() {
    let schema = json!({"properties": {"any": true, "none": false}, "additionalProperties": false});

    let expected = json!({"properties": {"any": {}, "none": {"not": {}}}, "additionalProperties": false});
    assert_eq!(in_3_0(schema), expected);
}

#[test]
fn words_that_are_newer_are_dropped() {
    let schema =
        json!({"type": "object", "$comment": "c", "propertyNames": {"pattern": "a"}, "if": {}, "then": {}});

    assert_eq!(in_3_0(schema), json!({"type": "object"}));
}

#[test]
fn a_member_may_be_called_like_a_word() {
    let schema = json!({"properties": {"const": {"type": ["string", "null"]}, "examples": {"const": 1}}});

    let expected =
        json!({"properties": {"const": {"type": "string", "nullable": true}, "examples": {"enum": [1]}}});
    assert_eq!(in_3_0(schema), expected);
}

#[test]
fn what_stands_beside_a_reference_moves_around_it() {
    let schema = json!({"$ref": "#/components/schemas/Other", "description": "d"});

    let expected = json!({"description": "d", "allOf": [{"$ref": "#/components/schemas/Other"}]});
    assert_eq!(in_3_0(schema), expected);
}

#[test]
fn examples_are_carried_as_they_are() {
    let data = json!({"type": ["string", "null"], "const": 1, "$ref": "#/components/schemas/It", "schema": {"const": 2}});

    assert_eq!(in_3_0(json!({"example": data}))["example"], data);
    assert_eq!(in_2_0(json!({"example": data}))["example"], data);
}

#[test]
fn extensions_are_carried() {
    let mut document = with_operation(json!({"x-ms-long-running-operation": true, "responses": {}}));
    document["x-root"] = json!({"type": ["a", "null"]});

    for converted in [openapi_3_0(&document), swagger_2_0(&document)] {
        assert_eq!(converted["paths"]["/it"]["post"]["x-ms-long-running-operation"], true);
        assert_eq!(converted["x-root"], document["x-root"]);
    }
    assert_eq!(in_2_0(json!({"x-own": [1]})), json!({"x-own": [1]}));
}

#[test]
fn webhooks_and_what_else_is_new_are_dropped() {
    let mut document = with_schema(json!({}));
    document["webhooks"] = json!({"it": {}});
    document["jsonSchemaDialect"] = json!("d");
    document["info"]["license"] = json!({"name": "MIT", "identifier": "MIT"});

    let converted = openapi_3_0(&document);

    assert_eq!(converted["openapi"], "3.0.3");
    assert!(converted.get("webhooks").is_none() && converted.get("jsonSchemaDialect").is_none());
    assert_eq!(converted["info"]["license"], json!({"name": "MIT"}));
}

#[test]
fn links_are_dropped_from_2_0_only() {
    let document =
        with_operation(json!({"responses": {"202": {"description": "d", "links": {"status": {}}}}}));

    let answer = |converted: Value| converted["paths"]["/it"]["post"]["responses"]["202"].clone();
    assert!(answer(openapi_3_0(&document)).get("links").is_some());
    assert_eq!(answer(swagger_2_0(&document)), json!({"description": "d"}));
}

#[test]
fn callbacks_and_what_only_they_use_are_dropped_from_2_0_only() {
    let body = |name: &str| {
        let schema = json!({"$ref": format!("#/components/schemas/{name}")});
        json!({"content": {"application/json": {"schema": schema}}})
    };
    let mut document = with_operation(json!({
        "requestBody": body("Shared"),
        "callbacks": {"told": {"{$request.body#/url}": {"post": {"requestBody": body("Event"), "responses": {}}}}},
        "responses": {},
    }));
    document["components"]["schemas"] = json!({
        "Event": {"type": "object", "properties": {
            "data": {"$ref": "#/components/schemas/Data"}, "shared": {"$ref": "#/components/schemas/Shared"},
        }},
        "Data": {"type": "string"}, "Shared": {"type": "string"}, "Alone": {"type": "string"},
    });

    let (newer, older) = (openapi_3_0(&document), swagger_2_0(&document));

    let names = |all: &Value| all.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(newer["paths"]["/it"]["post"].get("callbacks").is_some());
    assert_eq!(names(&newer["components"]["schemas"]), ["Alone", "Data", "Event", "Shared"]);
    assert!(older["paths"]["/it"]["post"].get("callbacks").is_none());
    assert_eq!(names(&older["definitions"]), ["Alone", "Shared"]);
}

#[test]
fn a_request_body_is_a_parameter() {
    let operation = operation_in_2_0(json!({
        "requestBody": {"required": true, "content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/Input"}, "example": {"a": 1},
        }}},
        "responses": {},
    }));

    assert_eq!(operation["consumes"], json!(["application/json"]));
    assert_eq!(
        operation["parameters"],
        json!([{
            "name": "body", "in": "body", "required": true,
            "schema": {"$ref": "#/definitions/Input"}, "x-example": {"a": 1},
        }])
    );
}

#[test]
fn a_parameter_says_in_place_what_its_schema_said() {
    let operation = operation_in_2_0(json!({
        "parameters": [
            {"name": "n", "in": "query", "schema": {"type": "integer", "exclusiveMinimum": 0}, "example": 4},
            {"name": "c", "in": "cookie", "schema": {"type": "string"}},
        ],
        "responses": {},
    }));

    assert_eq!(
        operation["parameters"],
        json!([{
            "name": "n", "in": "query", "type": "integer", "minimum": 0, "exclusiveMinimum": true, "x-example": 4,
        }])
    );
}

#[test]
fn lists_in_a_query_keep_their_separators() {
    let list = |more: Value| {
        let mut parameter =
            json!({"name": "l", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}});
        parameter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let operation = operation_in_2_0(json!({"parameters": [parameter], "responses": {}}));
        operation["parameters"][0]["collectionFormat"].clone()
    };

    assert_eq!(list(json!({})), "multi");
    assert_eq!(list(json!({"explode": false})), "csv");
    assert_eq!(list(json!({"style": "pipeDelimited", "explode": false})), "pipes");
}

#[test]
fn an_answer_keeps_its_schema_its_headers_and_its_example() {
    let operation = operation_in_2_0(json!({"responses": {"202": {
        "description": "d",
        "headers": {"Location": {"required": true, "schema": {"type": "string", "format": "uri"}, "example": "u"}},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/View"}, "example": {"id": 1}}},
    }}}));

    assert_eq!(operation["produces"], json!(["application/json"]));
    assert_eq!(
        operation["responses"]["202"],
        json!({
            "description": "d",
            "schema": {"$ref": "#/definitions/View"},
            "headers": {"Location": {"type": "string", "format": "uri", "x-required": true, "x-example": "u"}},
            "examples": {"application/json": {"id": 1}},
        })
    );
}

#[test]
fn shared_answers_move_and_references_follow() {
    let mut document =
        with_operation(json!({"responses": {"404": {"$ref": "#/components/responses/NotFound"}}}));
    document["components"]["responses"] = json!({"NotFound": {
        "description": "d", "content": {"application/problem+json": {"schema": {"type": "object"}}},
    }});

    let swagger = swagger_2_0(&document);

    let operation = &swagger["paths"]["/it"]["post"];
    assert_eq!(operation["responses"]["404"], json!({"$ref": "#/responses/NotFound"}));
    assert_eq!(operation["produces"], json!(["application/problem+json"]));
    assert_eq!(swagger["responses"]["NotFound"], json!({"description": "d", "schema": {"type": "object"}}));
}

#[test]
fn security_schemes_become_definitions() {
    let mut document = with_operation(json!({
        "security": [{"bearer": []}, {"key": []}, {"cookie": []}], "responses": {},
    }));
    document["components"]["securitySchemes"] = json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "A key."},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "c"},
        "oauth": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "t", "scopes": {}}}},
    });

    let swagger = swagger_2_0(&document);

    assert_eq!(swagger["paths"]["/it"]["post"]["security"], json!([{"bearer": []}, {"key": []}]));
    assert_eq!(
        swagger["securityDefinitions"],
        json!({
            "bearer": {
                "type": "apiKey", "in": "header", "name": "Authorization",
                "description": "A key. Write `Bearer ` before it.",
            },
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "oauth": {"type": "oauth2", "flow": "application", "tokenUrl": "t", "scopes": {}},
        })
    );
}

#[test]
fn a_servers_url_becomes_host_path_and_scheme() {
    let address = |url: &str| {
        let mut document = with_schema(json!({}));
        document["servers"] = json!([{"url": url}]);
        let swagger = swagger_2_0(&document);
        (swagger["schemes"].clone(), swagger["host"].clone(), swagger["basePath"].clone())
    };

    assert_eq!(
        address("https://example.org:8443/rain/"),
        (json!(["https"]), json!("example.org:8443"), json!("/rain"))
    );
    assert_eq!(address("/"), (Value::Null, Value::Null, json!("/")));
}

#[test]
fn variants_keep_what_they_have_in_common() {
    let words = json!({"oneOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "const": "b"}]});
    let mixed = json!({"anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/It"}]});

    let words = in_2_0(words);
    assert_eq!((&words["type"], &words["enum"]), (&json!("string"), &json!(["a", "b"])));
    let mixed = in_2_0(mixed);
    assert!(mixed.get("type").is_none());
    assert_eq!(mixed["x-anyOf"][1], json!({"$ref": "#/definitions/It"}));
}
