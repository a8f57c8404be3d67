//! Reading a configuration from a file, an environment and arguments.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use super::*;

const SAMPLE: &str = include_str!("../../raincheck.toml");

fn read(toml: &str, environment: &[(&str, &str)], arguments: &Arguments) -> Result<Config, String> {
    let mut file = tempfile::Builder::new().prefix("raincheck").suffix(".toml").tempfile().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    let environment: HashMap<_, _> = environment.iter().copied().collect();
    let variable = |name: &str| environment.get(name).map(|value| (*value).to_owned());
    Config::read(Some(file.path()), &variable, arguments)
        .map_err(|error| without_lines(&error.to_string().replace(&*file.path().to_string_lossy(), "FILE")))
}

/// `FILE:3: …` as `FILE: …`: the lines have a test of their own.
fn without_lines(text: &str) -> String {
    let parts = text.split("FILE:").enumerate();
    let parts = parts.map(|(index, part)| match part.split_once(": ") {
        Some((line, rest)) if index > 0 && line.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("FILE: {rest}")
        }
        _ if index > 0 => format!("FILE:{part}"),
        _ => part.to_owned(),
    });
    parts.collect()
}

fn file(toml: &str) -> Result<Config, String> {
    read(toml, &[], &Arguments::default())
}

#[test]
fn the_sample_file_as_it_is_is_the_default() {
    assert_eq!(file(SAMPLE).unwrap(), Config::default());
}

/// What has no value unless somebody gives one.
const OFF: [&str; 7] = ["actions_dir", "public_url", "seed", "remind_after", "from", "to", "template"];

/// In the sample, `#` right before a key is a setting that is off; `# ` before words is a comment.
#[test]
fn the_sample_file_states_every_default() {
    let mut optional = 0;
    let settings: Vec<String> = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|first: char| first.is_ascii_lowercase()) => {
                // What has no value by default can only be shown by an example.
                let off = OFF.iter().any(|key| setting.starts_with(key));
                optional += usize::from(off);
                if off { String::new() } else { setting.to_owned() }
            }
            _ => line.to_owned(),
        })
        .collect();

    let config = read::from_toml(&settings.join("\n")).unwrap();

    assert_eq!(optional, OFF.len());
    assert_eq!(config, Config::default());
    let said: std::collections::BTreeSet<_> =
        settings.iter().filter_map(|line| Some(line.split_once(" =")?.0)).collect();
    // The names of the fields as `Debug` writes them: nothing is left out of the file.
    let shown = format!("{config:#?}");
    for key in shown.lines().filter_map(|line| Some(line.trim().split_once(": ")?.0)) {
        let section = SAMPLE.contains(&format!("[{key}]")) || SAMPLE.contains(&format!(".{key}]"));
        let elsewhere =
            OFF.contains(&key) || ["root_key", "link_keys", "url", "key", "actions"].contains(&key);
        assert!(said.contains(key) || section || elsewhere, "`{key}` is not in raincheck.toml");
    }
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"# first\ndocs = true\n\n[limits]\nrequest_body = \"65 MiB\"\n").unwrap();
    let error = Config::read(Some(file.path()), &|_| None, &Arguments::default()).unwrap_err().to_string();

    assert!(error.starts_with(&format!("{}:5: `limits.request_body`: ", file.path().display())), "{error}");
}

#[test]
fn the_file_gives_way_to_the_environment_and_that_to_the_arguments() {
    let toml = "listen = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\ndata_dir = \"file\"";
    let environment = [("RAINCHECK_LISTEN", "127.0.0.1:3"), ("RAINCHECK_DATA_DIR", "environment")];
    let arguments = Arguments { listen: Some("127.0.0.1:4".into()), ..Arguments::default() };

    let config = read(toml, &environment, &arguments).unwrap();

    assert_eq!(config.listen.port(), 4);
    assert_eq!(config.admin_listen.port(), 2);
    assert_eq!(config.data_dir, Path::new("environment"));
}

#[test]
fn an_empty_variable_says_nothing() {
    assert_eq!(read("", &[("RAINCHECK_PUBLIC_URL", "")], &Arguments::default()).unwrap(), Config::default());
}

#[test]
fn gateways_come_from_the_file_or_from_a_variable_with_commas() {
    let toml = "trusted_gateways = [\"https://gw.example/apim\"]";
    assert_eq!(file(toml).unwrap().trusted_gateways, ["https://gw.example/apim".parse().unwrap()]);

    let variable = |value| read(toml, &[("RAINCHECK_TRUSTED_GATEWAYS", value)], &Arguments::default());
    let gateways = variable("https://a.example, https://*.azure-apim.net/rc,").unwrap().trusted_gateways;
    let shown: Vec<_> = gateways.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["https://a.example", "https://*.azure-apim.net/rc"]);
    let error = variable("https://a.example;https://b.example").unwrap_err();
    assert!(
        error.starts_with("RAINCHECK_TRUSTED_GATEWAYS: `https://a.example;https://b.example`"),
        "{error}"
    );
}

#[test]
fn origins_are_exact_and_https_unless_they_are_on_the_machine() {
    let origins = |list: &str, more: &str| file(&format!("cors_origins = [{list}]\n{more}"));

    let config = origins("\"https://app.example.com\", \"http://localhost:3000\"", "").unwrap();
    assert_eq!(config.cors_origins.len(), 2);
    for wrong in ["*", "null", "https://*.example.com", "https://app.example.com/"] {
        let error = origins(&format!("\"{wrong}\""), "").unwrap_err();
        assert!(error.starts_with(&format!("FILE: `cors_origins`: `{wrong}` is not allowed")), "{error}");
    }
    let plain = "\"http://app.example.com\"";
    assert!(origins(plain, "").unwrap_err().contains("`cors_origins`: http://app.example.com is plain HTTP"));
    assert!(origins(plain, "allow_plain_http = true").is_ok());
    let variable = [("RAINCHECK_CORS_ORIGINS", "https://a.example,https://b.example")];
    assert_eq!(read("", &variable, &Arguments::default()).unwrap().cors_origins.len(), 2);
}

#[test]
fn an_unknown_key_is_an_error_that_names_file_key_and_what_there_is() {
    let error = file("[limits]\nrequest_bodi = 3").unwrap_err();

    assert!(
        error.starts_with("FILE: `limits.request_bodi`: no such setting; allowed here: request_body, "),
        "{error}"
    );
}

#[test]
fn a_wrong_value_is_an_error_that_names_file_key_and_what_is_allowed() {
    for (toml, start) in [
        (
            "drain_time = 30",
            "FILE: `drain_time`: 30 is not allowed; allowed: a time with its unit, such as \"10s\"",
        ),
        (
            "drain_time = \"soon\"",
            "FILE: `drain_time`: \"soon\" is not allowed; allowed: a time with its unit",
        ),
        (
            "error_media_type = \"text/html\"",
            "FILE: `error_media_type`: `text/html` is not allowed; allowed: application/problem+json, application/json",
        ),
        ("[log]\nformat = \"xml\"", "FILE: `log.format`: `xml` is not allowed; allowed: text, json"),
        (
            "[limits]\nrequest_body = \"65 MiB\"",
            "FILE: `limits.request_body`: 65 MiB is not allowed; allowed: from 1 byte to 64 MiB",
        ),
        (
            "[limits]\nidle_time = \"2h\"",
            "FILE: `limits.idle_time`: 2h is not allowed; allowed: from 1ms to 1h",
        ),
        (
            "[polling]\nlongest_wait = \"101s\"",
            "FILE: `polling.longest_wait`: 101s is not allowed; allowed: from 0ms to 100s",
        ),
        (
            "[polling]\nlongest_retry_after = \"1500ms\"",
            "FILE: `polling.longest_retry_after`: must be whole seconds",
        ),
        ("[log]\nfilter = \"raincheck=loud\"", "FILE: `log.filter`: "),
        ("listen = \"localhost\"", "FILE: `listen`: "),
        (
            "trusted_proxies = [\"10.0.0.0/33\"]",
            "FILE: `trusted_proxies`: `10.0.0.0/33` is neither an address nor a network",
        ),
        (
            "trusted_gateways = [\"http://gw.example\"]",
            "FILE: `trusted_gateways`: `http://gw.example` is not allowed; allowed: https://HOST[:PORT][/PATH], or",
        ),
        (
            "trusted_gateways = [\"https://*.net\"]",
            "FILE: `trusted_gateways`: `https://*.net` is not allowed; allowed: ",
        ),
        (
            "[samples.submit_talk.moderation]\nodds = 1.5",
            "FILE: `samples.submit_talk.moderation`: odds = 1.5 is not allowed",
        ),
        (
            "[samples.submit_talk.moderation]\ndecides = \"maybe\"",
            "FILE: `samples.submit_talk.moderation.decides`: `maybe`",
        ),
    ] {
        let error = file(toml).unwrap_err();
        assert!(error.starts_with(start), "{toml:?} gives\n{error}\nnot\n{start}");
    }
}

#[test]
fn what_is_not_toml_is_an_error_with_its_line() {
    let error = file("docs = true\nlisten 127.0.0.1:1").unwrap_err();

    assert!(error.starts_with("FILE: not TOML: ") && error.contains("line 2"), "{error}");
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let error = Config::read(Some(Path::new("/no/such.toml")), &|_| None, &Arguments::default()).unwrap_err();

    assert!(error.to_string().starts_with("cannot read the configuration file /no/such.toml: "), "{error}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let error = file("drain_time = \"2h\"\nshortest_retention = \"91d\"").unwrap_err();

    assert_eq!(error.lines().count(), 2, "{error}");
}

#[test]
fn a_wrong_variable_or_argument_is_named() {
    let error = read("", &[("RAINCHECK_LISTEN", "here")], &Arguments::default()).unwrap_err();
    assert!(
        error.starts_with("RAINCHECK_LISTEN: `here` is not allowed; allowed: an address and a port"),
        "{error}"
    );

    let arguments = Arguments { public_url: Some("example.com".into()), ..Arguments::default() };
    let error = read("", &[], &arguments).unwrap_err();
    assert!(
        error.starts_with("--public-url: `example.com` is not allowed; allowed: an absolute URL"),
        "{error}"
    );
}

#[test]
fn an_argument_that_is_right_overrides_a_variable_that_is_not() {
    let arguments = Arguments { listen: Some("127.0.0.1:4".into()), ..Arguments::default() };

    assert!(read("", &[("RAINCHECK_LISTEN", "here")], &arguments).is_ok());
}

#[test]
fn a_listener_off_loopback_needs_a_public_url_and_somebody_who_speaks_https() {
    let error = file("listen = \"0.0.0.0:8080\"").unwrap_err();
    assert!(error.contains("FILE: `public_url`: is required"), "{error}");
    assert!(error.contains("FILE: `listen`: 0.0.0.0:8080 is not on loopback"), "{error}");

    let url = "listen = \"0.0.0.0:8080\"\npublic_url = \"https://raincheck.example.com\"\n";
    assert!(file(url).is_err());
    assert!(file(&format!("{url}trusted_proxies = [\"10.0.0.7\"]")).is_ok());
    assert!(file(&format!("{url}allow_plain_http = true")).is_ok());
}

#[test]
fn the_management_listener_off_loopback_needs_somebody_who_speaks_https() {
    let error = file("admin_listen = \"0.0.0.0:8081\"").unwrap_err();
    assert!(error.starts_with("FILE: `admin_listen`: 0.0.0.0:8081 is not on loopback"), "{error}");

    assert!(file("admin_listen = \"0.0.0.0:8081\"\nallow_plain_http = true").is_ok());
}

#[test]
fn a_public_url_is_https_unless_it_stays_on_the_machine_or_plain_http_is_allowed() {
    let url = |url: &str, more: &str| file(&format!("public_url = \"{url}\"\n{more}"));

    assert!(url("https://example.com/raincheck", "").is_ok());
    assert!(url("http://localhost:8080", "").is_ok());
    assert!(url("http://example.com", "").unwrap_err().contains("`public_url`: is plain HTTP"));
    assert!(url("http://example.com", "allow_plain_http = true").is_ok());
    for wrong in
        ["https://me@example.com", "https://example.com?a=b", "https://example.com#a", "ftp://example.com"]
    {
        assert!(url(wrong, "").is_err(), "{wrong}");
    }
}

#[test]
fn two_listeners_cannot_have_one_address() {
    assert!(file("admin_listen = \"127.0.0.1:8080\"").unwrap_err().contains("is taken by `listen`"));
    assert!(file("listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"").is_ok());
}

#[test]
fn a_desk_keeps_what_the_file_does_not_say() {
    let config = file("[samples.submit_talk.moderation]\ntakes = \"0s\"").unwrap();

    let default = SubmitTalkConfig::default().moderation;
    assert_eq!(config.samples.submit_talk.moderation, DeskConfig { takes: Duration::ZERO, ..default });
}

#[test]
fn secrets_come_from_the_environment_and_do_not_show_themselves() {
    let key = ApiKey::generate();
    let link_key = "A".repeat(43);
    let environment = [("RAINCHECK_ROOT_KEY", key.reveal()), ("RAINCHECK_LINK_KEY", link_key.as_str())];

    let config = read("", &environment, &Arguments::default()).unwrap();

    assert_eq!(config.root_key, Some(key.clone()));
    assert_eq!(config.link_keys.as_ref().unwrap().reveal().len(), 1);
    let shown = format!("{config:?}");
    assert!(!shown.contains(key.reveal()) && !shown.contains(&link_key));
    assert!(file("root_key = \"rck_x\"").is_err());
}

#[test]
fn a_secret_that_is_wrong_is_named_and_not_repeated() {
    for name in ["RAINCHECK_ROOT_KEY", "RAINCHECK_LINK_KEY"] {
        let error = read("", &[(name, "hunter2")], &Arguments::default()).unwrap_err();

        assert!(error.starts_with(name) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_connector_that_microsoft_would_refuse_is_refused_here() {
    for (setting, key) in [
        ("title = \"Our API\"", "connector.title"),
        ("title = \"Rain!\"", "connector.title"),
        ("title = \"\"", "connector.title"),
        ("description = \"Short\"", "connector.description"),
        (
            "description = \"For Power Automate, and whoever else has work that takes long\"",
            "connector.description",
        ),
        ("color = \"blue\"", "connector.color"),
        ("color = \"#FFFFFF\"", "connector.color"),
        ("publisher = \" \"", "connector.publisher"),
    ] {
        let error = file(&format!("[connector]\n{setting}")).unwrap_err();
        assert!(error.contains(&format!("FILE: `{key}`: ")), "{setting}: {error}");
    }
}
