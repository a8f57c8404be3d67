//! The declarations themselves: how they are checked, listed, tried and read again, and where they appear.

use serde_json::{Value, json};

use super::common::{PATH, as_root};
use super::world::{World, configuration, until};
use crate::harness::{Answer, Launch};

fn command(name: &str, script: &str) -> String {
    format!(
        "[[action]]\nname = \"{name}\"\nkind = \"command\"\nrun = [\"python3\", \"-c\", {script:?}]\nenv.PATH = \"{PATH}\"\n{}",
        as_root()
    )
}

/// Waits until something is told: it stands in the way of the script until a file is there.
fn patient(name: &str, file: &str) -> String {
    let script =
        format!("import os, time\nwhile not os.path.exists({file:?}): time.sleep(0.01)\nprint('\"{name}\"')");
    command(name, &script)
}

async fn hang_up(world: &World) {
    let sent =
        tokio::process::Command::new("kill").args(["-HUP", &world.server.pid().to_string()]).status().await;
    assert!(sent.expect("`kill` is there").success());
}

fn configure(world: &World, actions: &str) {
    std::fs::write(world.launch.directory().join("raincheck.toml"), configuration(actions)).expect("a file");
}

async fn actions(world: &World) -> Vec<String> {
    let document = Answer::to(world.server.http.get(world.server.url("/openapi.json"))).await.json();
    let tags = document["tags"].as_array().expect("tags").iter();
    let names = tags.map(|tag| tag["name"].as_str().expect("a name").to_owned());
    // What every server has beside its actions.
    names.filter(|name| name != "subscriptions").collect()
}

async fn run(launch: &Launch, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = launch.command().args(arguments).output().await.expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn actions_are_read_again_without_dropping_anything() {
    let launch = Launch::new();
    let go = launch.directory().join("go");
    let go = go.to_str().expect("UTF-8");
    let world = World::start(launch, &patient("first", go)).await;
    let location = world.begin("first", json!({})).await;

    configure(&world, &command("second", "print(2)"));
    hang_up(&world).await;
    until("it is read", || world.launch.log().contains("the declared actions were read again")).await;

    assert_eq!(actions(&world).await, ["second"]);
    assert_eq!(world.post("first", json!({})).await.code(), "unknown-action");
    assert_eq!(world.run("second", json!({})).await.json()["output"], json!(2));
    let shown = Answer::to(world.server.http.get(&location)).await;
    assert_eq!((shown.status, &shown.json()["status"]), (202, &json!("Running")), "it goes on: {shown:?}");
    std::fs::write(go, "").expect("a file");
    assert_eq!(world.ended(&location).await.json()["output"], json!("first"));
}

#[tokio::test]
async fn an_operation_whose_action_is_gone_waits_for_it() {
    let launch = Launch::new();
    let go = launch.directory().join("go");
    let go = go.to_str().expect("UTF-8");
    let first = patient("first", go);
    let world = World::start(launch, &first).await;
    let location = world.begin("first", json!({})).await;
    configure(&world, "");

    let world = world.crash().await;
    let shown = Answer::to(world.server.http.get(world.server.url(&path(&location)))).await;
    assert_eq!((shown.status, &shown.json()["status"]), (202, &json!("Running")), "{shown:?}");
    configure(&world, &first);
    hang_up(&world).await;
    std::fs::write(go, "").expect("a file");

    assert_eq!(world.ended(&location).await.json()["output"], json!("first"));
}

fn path(location: &str) -> String {
    let rest = location.split_once("://").expect("absolute").1;
    rest[rest.find('/').expect("a path")..].to_owned()
}

#[tokio::test]
async fn what_is_wrong_changes_nothing_and_is_logged_with_its_line() {
    let world = World::start(Launch::new(), &command("first", "print(1)")).await;

    configure(&world, &format!("{}\ndeadlin = \"3h\"", command("second", "print(2)")));
    hang_up(&world).await;
    until("it is told", || world.launch.log().contains("nothing was changed")).await;

    let log = world.launch.log();
    assert!(log.contains("did you mean `deadline`?") && log.contains("raincheck.toml:"), "{log}");
    assert_eq!(actions(&world).await, ["first"]);
    assert_eq!(world.run("first", json!({})).await.json()["output"], json!(1));
}

#[tokio::test]
async fn a_mistake_is_told_with_file_line_and_correction() {
    let cases = [
        ("kind = \"comand\"", 10, "did you mean `command`?"),
        ("kind = \"command\"\nrun = [\"python3\"]\nretrys = 1", 12, "did you mean `retry`?"),
        ("kind = \"command\"\nrun = [\"pyton3\"]", 11, "no program `pyton3`"),
        ("kind = \"command\"\nrun = [\"python3\", \"./gone.py\"]", 11, "there is no "),
        ("kind = \"command\"\nrun = [\"echo\", \"{{ input }}\"]", 11, "standard input"),
        ("kind = \"command\"\nrun = [\"echo\"]\nurl = \"x\"", 12, "it is one of kind \"http\""),
        ("kind = \"command\"\nrun = [\"echo\"]\ndeadline = \"100d\"", 12, "at most 90 days"),
        ("kind = \"command\"\nrun = [\"echo\"]\ndeadline = 3", 12, "a time with its unit"),
        ("kind = \"command\"\nrun = [\"echo\"]\nfailures = { oh-no = 500 }", 12, "400, 402, 403"),
        ("kind = \"command\"\nrun = [\"echo\"]\nlinks = [\"event:x\"]", 12, "each declared event"),
        ("kind = \"command\"\nrun = [\"echo\"]\nevents = [{ name = \"x\" }]", 12, "nobody would take them"),
        (
            "kind = \"command\"\nrun = [\"echo\"]\ninput = { type = \"objet\" }",
            12,
            "no JSON Schema at `/type`",
        ),
        ("kind = \"command\"\nrun = [\"echo\"]\noutput = \"gone.json\"", 12, "cannot read the schema"),
        (
            "kind = \"command\"\nrun = [\"echo\"]\nexample = { a = 1 }\ninput = { required = [\"b\"] }",
            12,
            "does not fit",
        ),
        (
            "kind = \"command\"\nrun = [\"echo\"]\nexit_codes = { 3 = \"forbidden\" }",
            12,
            "server's own codes",
        ),
        ("kind = \"command\"\nrun = [\"echo\"]\nreports = 1", 12, "1 is standard output"),
    ];
    for (keys, line, correction) in cases {
        let launch = Launch::new()
            .config(&configuration(&format!("[[action]]\nname = \"work\"\n{keys}\n{}", as_root())));

        let (code, _, error) = run(&launch, &["check"]).await;

        let place = format!("raincheck.toml:{line}: ");
        assert_eq!(code, Some(2), "{keys}: {error}");
        assert!(error.contains(&place) && error.contains(correction), "{keys}: {error}");
    }
}

#[tokio::test]
async fn an_action_is_tried_without_a_server() {
    let script = "import json, os, sys\norder = json.load(sys.stdin)\n\
                  open(os.environ['RAINCHECK_REPORTS'], 'w').write('{\"status\": \"counting\"}\\n')\n\
                  print('for operators', file=sys.stderr)\n\
                  sys.exit(5) if order['n'] < 0 else print(order['n'] + 1)";
    let input =
        "input = { type = \"object\", required = [\"n\"], properties = { n = { type = \"integer\" } } }";
    let launch = Launch::new().config(&configuration(&format!("{}{input}", command("add-one", script))));

    let (code, out, error) = run(&launch, &["actions", "try", "add-one", "--input", "{\"n\": 41}"]).await;
    assert_eq!((code, out.trim()), (Some(0), "42"), "{error}");
    assert!(error.contains("counting"), "{error}");

    let (code, out, error) = run(&launch, &["actions", "try", "add-one", "--input", "{\"n\": -1}"]).await;
    assert_eq!((code, &*out), (Some(1), ""), "{error}");
    assert!(error.contains("`command-failed`") && error.contains("for operators"), "{error}");

    let (code, _, error) = run(&launch, &["actions", "try", "add-one", "--input", "{\"n\": \"x\"}"]).await;
    assert!(code == Some(2) && error.contains("/n: "), "{error}");
    let (code, _, error) = run(&launch, &["actions", "try", "add-two"]).await;
    assert!(code == Some(2) && error.contains("there are: add-one"), "{error}");
    let (code, out, _) = run(&launch, &["actions"]).await;
    assert_eq!((code, out.trim()), (Some(0), "add-one  Add one"));
    assert!(!launch.data_dir().exists(), "it leaves nothing behind");
}

#[tokio::test]
async fn actions_stand_in_files_of_a_directory_as_well() {
    let launch = Launch::new();
    let directory = launch.directory().join("actions");
    std::fs::create_dir(&directory).expect("a directory");
    let keys = |script: &str| command("x", script).replacen("[[action]]\nname = \"x\"\n", "", 1);
    std::fs::write(directory.join("one.toml"), keys("print(1)")).expect("a file");
    std::fs::write(directory.join("two.toml"), format!("name = \"zwei\"\n{}", keys("print(2)")))
        .expect("a file");
    std::fs::write(directory.join("notes.txt"), "no action").expect("a file");

    let world = World::start(launch.args(["--actions", "actions"]), "").await;

    assert_eq!(actions(&world).await, ["one", "zwei"]);
    assert_eq!(world.run("zwei", json!({})).await.json()["output"], json!(2));
}

#[tokio::test]
async fn only_the_named_callers_may_start_it() {
    let world =
        World::start(Launch::new(), &format!("{}callers = [\"flow\"]", command("work", "print(1)"))).await;
    let (_, key, _) = run(&world.launch, &["keys", "create", "--name", "flow", "--role", "start"]).await;

    assert_eq!(world.post("work", json!({})).await.code(), "forbidden");
    let request = world.server.http.post(world.server.url("/v1/actions/work")).json(&json!({}));
    let started = Answer::to(request.bearer_auth(key.trim())).await;
    assert_eq!(started.status, 202, "{started:?}");
}

/// Schemas as their authors write them, in every form of the document and in the connector.
#[tokio::test]
async fn schemas_are_in_the_documents_and_hold() {
    let schemas = r##"
input = "order.json"
output = { type = "object", properties = { total = { type = "number" } } }
status = { enum = ["reading", "adding"] }
example = { items = [{ name = "tea", price = 3.5 }] }
"##;
    let order = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["items"],
        "additionalProperties": false,
        "properties": {"items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Item"}}},
        "$defs": {"Item": {"type": "object", "required": ["name", "price"], "properties": {
            "name": {"type": "string"}, "price": {"type": "number", "exclusiveMinimum": 0},
            "parts": {"type": "array", "items": {"$ref": "#/$defs/Item"}}
        }}}
    });
    let launch = Launch::new();
    std::fs::write(launch.directory().join("order.json"), order.to_string()).expect("a file");
    let world =
        World::start(launch, &format!("{}{schemas}", command("add-up", "print('{\"total\": 3.5}')"))).await;

    let document = Answer::to(world.server.http.get(world.server.url("/openapi.json"))).await.json();
    let input =
        &document["paths"]["/v1/actions/add-up"]["post"]["requestBody"]["content"]["application/json"];
    let name = input["schema"]["$ref"].as_str().expect("a named schema").rsplit('/').next().expect("a name");
    let items = &document["components"]["schemas"][name]["properties"]["items"]["items"];
    assert_eq!(items, &json!({"$ref": "#/components/schemas/Item"}));
    assert!(document["components"]["schemas"]["Item"]["properties"]["parts"].is_object());
    for format in ["3.0", "2.0"] {
        let (code, text, error) = run(&world.launch, &["openapi", "--format", format]).await;
        assert_eq!(code, Some(0), "{error}");
        assert!(!text.contains("$defs") && text.contains("Item"), "{text}");
    }
    let (code, _, error) = run(&world.launch, &["connector", "--out", "connector"]).await;
    assert_eq!(code, Some(0), "{error}");

    let refused =
        world.post("add-up", json!({"items": [{"name": "tea", "price": 0}, {"name": 7}], "x": 1})).await;
    assert_eq!((refused.status, &*refused.code()), (422, "invalid-input"));
    let refused = refused.json();
    let errors = refused["errors"].as_array().expect("errors").iter();
    let pointers: Vec<_> = errors.filter_map(|error| error["pointer"].as_str()).collect();
    for pointer in ["", "/items/0/price", "/items/1", "/items/1/name"] {
        assert!(pointers.contains(&pointer), "{pointer} is not in {refused}");
    }
    let answer = world.run("add-up", json!({"items": [{"name": "tea", "price": 3.5}]})).await;
    assert_eq!(answer.json()["output"], Value::from_iter([("total", 3.5)]));
}
