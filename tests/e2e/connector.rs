//! The connector for Logic Apps and Power Automate: what is committed is what the command writes, and Microsoft's own
//! schemas take it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Launch, skip};

const FILES: [&str; 5] =
    ["apiDefinition.swagger.json", "apiProperties.json", "icon.png", "readme.md", "settings.json"];

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/connector")
}

/// Writes the connector into the launch's directory, and returns where it is.
async fn write(launch: &Launch, arguments: &[&str]) -> PathBuf {
    let out = launch.directory().join("connector");
    let output = launch.command().arg("connector").arg("--out").arg(&out).args(arguments).output().await;
    let output = output.expect("the server's program");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), FILES.len());
    out
}

fn json(folder: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Some definitions of Microsoft's have names with `<` and `>`, which may not be in a reference.
fn plain_names(schema: &Value) -> Value {
    let names = schema["definitions"].as_object().expect("definitions").keys();
    let text =
        names.fold(schema.to_string(), |text, name| text.replace(name, &name.replace(['<', '>'], "_")));
    text.parse().expect("JSON")
}

#[tokio::test]
async fn the_committed_connector_is_that_of_the_sample_server() {
    let launch = Launch::new();
    let written = write(&launch, &[]).await;

    for name in FILES {
        let new = std::fs::read(written.join(name)).expect("a file of the connector");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(committed()).expect("a directory");
            std::fs::write(committed().join(name), &new).expect("a file that can be written");
        }
        let old = std::fs::read(committed().join(name)).unwrap_or_default();
        assert!(old == new, "openapi/connector/{name} is not up to date; UPDATE_GOLDEN=1 writes it anew");
    }
    let mut there: Vec<_> = std::fs::read_dir(committed()).expect("the connector").collect();
    assert_eq!(there.drain(..).filter(Result::is_ok).count(), FILES.len());
}

#[tokio::test]
async fn microsofts_schemas_take_the_connector() {
    let test = "the connector against Microsoft's schemas";
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/power-platform");
    if !schemas.exists() {
        return skip(test, "they are not there: ../shared/conformance/power-platform");
    }
    let launch = Launch::new();
    let written = write(&launch, &[]).await;

    for name in ["apiDefinition.swagger", "apiProperties"] {
        let schema = plain_names(&json(&schemas, &format!("{name}.schema.json")));
        let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        let connector = json(&written, &format!("{name}.json"));
        let errors: Vec<_> = validator
            .iter_errors(&connector)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}:\n{}", errors.join("\n"));
        let mut unknown = connector;
        unknown["x-ms-unknown"] = true.into();
        assert!(!validator.is_valid(&unknown), "{name}: the schema takes anything");
    }
}

#[tokio::test]
async fn the_host_is_the_one_that_was_given_else_that_of_the_public_url() {
    let launch = Launch::new().config("public_url = \"https://rain.example.com:8443/check\"\n");

    let own = json(&write(&launch, &[]).await, "apiDefinition.swagger.json");
    let given = json(&write(&launch, &["--host", "other.example.com"]).await, "apiDefinition.swagger.json");

    assert_eq!(
        (own["host"].as_str(), own["basePath"].as_str()),
        (Some("rain.example.com:8443"), Some("/check"))
    );
    assert_eq!(given["host"], "other.example.com");
}

#[tokio::test]
async fn title_colour_and_publisher_come_from_the_configuration() {
    let launch = Launch::new()
        .config("[connector]\ntitle = \"Talks\"\ncolor = \"#112233\"\npublisher = \"The conference\"\n");

    let written = write(&launch, &[]).await;

    let definition = json(&written, "apiDefinition.swagger.json");
    let properties = json(&written, "apiProperties.json");
    assert_eq!(definition["info"]["title"], "Talks");
    assert_eq!(definition["info"]["contact"]["name"], "The conference");
    assert_eq!(properties["properties"]["iconBrandColor"], "#112233");
    assert_eq!(properties["properties"]["publisher"], "The conference");
}

#[tokio::test]
async fn a_host_that_is_none_is_a_failure_that_says_so() {
    let launch = Launch::new();
    let out = launch.directory().join("connector");

    let output = launch
        .command()
        .arg("connector")
        .arg("--out")
        .arg(&out)
        .args(["--host", "https://a/b"])
        .output()
        .await;

    let output = output.expect("the server's program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("host: \"https://a/b\" is not allowed"), "{said}");
    assert!(!out.exists());
}

#[tokio::test]
async fn the_configuration_of_the_guide_gives_the_connector_of_the_guide() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/logic-apps.md");
    let guide = std::fs::read_to_string(guide).expect("the guide");
    let (_, rest) = guide.split_once("```toml\n").expect("a configuration");
    let (configuration, _) = rest.split_once("```").expect("its end");
    let launch = Launch::new().config(configuration);

    let definition = json(&write(&launch, &[]).await, "apiDefinition.swagger.json");

    assert_eq!(definition["info"]["title"], "Conference talks");
    assert_eq!(definition["host"], "raincheck.example.com");
    let start = &definition["paths"]["/v1/actions/submit-talk"]["post"];
    for status in ["401", "403", "422"] {
        assert!(start["responses"][status].is_object() && guide.contains(&format!("| {status}")), "{status}");
    }
}
