//! Reads a configuration: the file, then the environment, then the arguments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::{Actual, Kind};
use figment::providers::{Format, Toml};
use figment::value::Dict;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::actions;
use super::mistake::{ConfigError, Mistake, Origin};
use super::secrets::{self, LinkKeys, Secret};
use super::units::comma_list;
use crate::auth::ApiKey;
use crate::declared;

/// What arguments say; they win over the environment and the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--config`: the file to read. `None`: `raincheck.toml` in the current directory, if it is there.
    pub config: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--admin-listen`.
    pub admin_listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--public-url`.
    pub public_url: Option<String>,
    /// `--allow-plain-http`.
    pub allow_plain_http: bool,
    /// `--actions`.
    pub actions: Option<PathBuf>,
}

/// The file that is read without `--config`, if it is there.
pub const DEFAULT_FILE: &str = "raincheck.toml";

impl Config {
    /// Reads the file, the environment of this process and `arguments`, and checks what they say.
    ///
    /// # Errors
    /// If the file cannot be read, or anything in it, in the environment or in the arguments is not allowed.
    pub fn load(arguments: &Arguments) -> Result<Self, ConfigError> {
        let default = Path::new(DEFAULT_FILE);
        let file = arguments.config.as_deref().or_else(|| default.exists().then_some(default));
        Self::read(
            file,
            &|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()),
            arguments,
        )
    }

    /// The same with the surroundings as arguments.
    pub(super) fn read(
        file: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
        arguments: &Arguments,
    ) -> Result<Self, ConfigError> {
        let text = file.map(read_text).transpose()?;
        let text = file.zip(text.as_deref());
        let config = text.map_or_else(|| Ok(Self::default()), |(path, text)| from_file(path, text))?;
        let mut sources = Sources { config, origins: BTreeMap::new(), mistakes: Vec::new() };
        // An empty variable is how containers say that one is not set.
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        for (key, name) in [
            ("listen", "RAINCHECK_LISTEN"),
            ("admin_listen", "RAINCHECK_ADMIN_LISTEN"),
            ("data_dir", "RAINCHECK_DATA_DIR"),
            ("actions_dir", "RAINCHECK_ACTIONS"),
            ("public_url", "RAINCHECK_PUBLIC_URL"),
            ("trusted_gateways", "RAINCHECK_TRUSTED_GATEWAYS"),
            ("cors_origins", "RAINCHECK_CORS_ORIGINS"),
        ] {
            if let Some(value) = variable(name) {
                sources.set(key, name, value);
            }
        }
        let Arguments { config: _, listen, admin_listen, data_dir, public_url, allow_plain_http, actions } =
            arguments.clone();
        let actions = actions.map(|path| path.to_string_lossy().into_owned());
        let data_dir = data_dir.map(|path| path.to_string_lossy().into_owned());
        for (key, name, value) in [
            ("listen", "--listen", listen),
            ("admin_listen", "--admin-listen", admin_listen),
            ("data_dir", "--data-dir", data_dir),
            ("actions_dir", "--actions", actions),
            ("public_url", "--public-url", public_url),
        ] {
            if let Some(value) = value {
                sources.set(key, name, value);
            }
        }
        sources.config.allow_plain_http |= allow_plain_http;
        sources.secrets(&variable);
        sources.declared(text, &variable);
        sources.finish(text)
    }
}

/// A configuration as it grows, and who said what.
struct Sources {
    config: Config,
    origins: BTreeMap<&'static str, Origin>,
    mistakes: Vec<Mistake>,
}

impl Sources {
    fn set(&mut self, key: &'static str, origin: &str, value: String) {
        self.origins.insert(key, Origin::Named(origin.to_owned()));
        // Overridden by a later source, so no longer of interest.
        self.mistakes.retain(|mistake| mistake.key != key);
        let config = &mut self.config;
        let address = "an address and a port, such as 127.0.0.1:8080 or [::1]:8080; port 0 takes a free one";
        let gateways = "gateways with commas between them, such as https://gw.example.com/apim or \
                        https://*.azure-apim.net";
        let (taken, allowed) = match key {
            "listen" => (value.parse().map(|address| config.listen = address).is_ok(), address),
            "admin_listen" => (value.parse().map(|address| config.admin_listen = address).is_ok(), address),
            "public_url" => (
                value.parse().map(|url| config.public_url = Some(url)).is_ok(),
                "an absolute URL, such as https://raincheck.example.com",
            ),
            "trusted_gateways" => {
                (comma_list(&value).map(|list| config.trusted_gateways = list).is_ok(), gateways)
            }
            "cors_origins" => (
                comma_list(&value).map(|list| config.cors_origins = list).is_ok(),
                "origins with commas between them, such as https://app.example.com; no paths, no `*`",
            ),
            "actions_dir" => {
                config.actions_dir = Some(value.clone().into());
                (true, "")
            }
            _ => {
                config.data_dir = value.clone().into();
                (true, "")
            }
        };
        if !taken {
            let problem = format!("`{value}` is not allowed; allowed: {allowed}");
            self.mistakes.push(Mistake {
                origin: Origin::Named(origin.to_owned()),
                key: key.to_owned(),
                problem,
            });
        }
    }

    // A secret that is wrong is still a secret: it is not repeated.
    fn secrets(&mut self, variable: &dyn Fn(&str) -> Option<String>) {
        let mut mistake = |name: &str, problem: String| {
            self.mistakes.push(Mistake {
                origin: Origin::Named(name.to_owned()),
                key: name.to_owned(),
                problem,
            });
        };
        if let Some(text) = variable("RAINCHECK_ROOT_KEY") {
            match ApiKey::parse(&text) {
                Ok(key) => self.config.root_key = Some(key),
                Err(error) => mistake("RAINCHECK_ROOT_KEY", error.to_string()),
            }
        }
        let approval = &mut self.config.samples.request_approval;
        for (name, secret) in
            [("RAINCHECK_APPROVAL_URL", &mut approval.url), ("RAINCHECK_APPROVAL_KEY", &mut approval.key)]
        {
            let path = format!("{name}_FILE");
            match (variable(name), variable(&path)) {
                (Some(text), _) => *secret = Some(Secret::new(text)),
                (None, Some(file)) => match std::fs::read_to_string(&file) {
                    Ok(text) => *secret = Some(Secret::new(text.trim())),
                    Err(error) => mistake(&path, format!("{file} cannot be read: {error}")),
                },
                (None, None) => {}
            }
        }
        if let Some(text) = variable("RAINCHECK_LINK_KEY") {
            match LinkKeys::parse(&text) {
                Some(keys) => self.config.link_keys = Some(keys),
                None => mistake("RAINCHECK_LINK_KEY", format!("not a link key; allowed: {}", secrets::FORM)),
            }
        }
    }

    /// The declared actions, once it is known where the data is.
    fn declared(&mut self, text: Option<(&Path, &str)>, variable: &dyn Fn(&str) -> Option<String>) {
        self.mistakes.extend(actions::read(&mut self.config, text, variable));
    }

    fn finish(self, text: Option<(&Path, &str)>) -> Result<Config, ConfigError> {
        let Self { config, origins, mut mistakes } = self;
        let elsewhere = |key: &str| text.map_or(Origin::Program, |(path, text)| origin(path, text, key));
        for (key, problem) in config.mistakes() {
            if mistakes.iter().any(|known| known.key == key) {
                continue;
            }
            let origin = origins.get(key).cloned().unwrap_or_else(|| elsewhere(key));
            mistakes.push(Mistake { origin, key: key.to_owned(), problem });
        }
        if mistakes.is_empty() { Ok(config) } else { Err(ConfigError::Mistakes(mistakes)) }
    }
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), reason: error.to_string() })
}

fn from_file(path: &Path, text: &str) -> Result<Config, ConfigError> {
    from_toml(text).map_err(|error| {
        let figment::Error { path: keys, kind, .. } = *error;
        match explain(&keys, kind) {
            Some((key, problem)) => {
                ConfigError::Mistakes(vec![Mistake { origin: origin(path, text, &key), key, problem }])
            }
            None => ConfigError::NotToml { path: path.to_owned(), reason: toml_reason(text) },
        }
    })
}

/// The line of a key; the file if it does not stand there by itself.
fn origin(path: &Path, text: &str, key: &str) -> Origin {
    let line = || {
        let mut table = DeTable::parse(text).ok()?.into_inner();
        let mut keys = key.split('.').peekable();
        loop {
            let (name, value) = table.remove_entry(keys.next()?)?;
            match value.into_inner() {
                _ if keys.peek().is_none() => return Some(declared::line(text, name.span().start)),
                DeValue::Table(inner) => table = inner,
                _ => return None,
            }
        }
    };
    line().map_or_else(|| Origin::File(path.to_owned()), |line| Origin::Line(path.to_owned(), line))
}

/// Reads TOML over the defaults, without checking it.
pub(super) fn from_toml(text: &str) -> Result<Config, Box<figment::Error>> {
    Figment::from(Toml::string(text)).extract().map_err(Box::new)
}

/// The key and what is wrong with it; `None` if the text is not TOML at all.
fn explain(keys: &[String], kind: Kind) -> Option<(String, String)> {
    let key = keys.join(".");
    let problem = match kind {
        Kind::UnknownField(name, allowed) => {
            let parents = if keys.last() == Some(&name) { &keys[..keys.len() - 1] } else { keys };
            let key = parents.iter().chain([&name]).cloned().collect::<Vec<_>>().join(".");
            return Some((key, format!("no such setting; allowed here: {}", allowed.join(", "))));
        }
        Kind::UnknownVariant(word, allowed) => {
            format!("`{word}` is not allowed; allowed: {}", allowed.join(", "))
        }
        Kind::InvalidType(found, allowed) | Kind::InvalidValue(found, allowed) => {
            format!("{} is not allowed; allowed: {allowed}", show(&found))
        }
        _ if keys.is_empty() => return None,
        other => other.to_string(),
    };
    Some((key, problem))
}

/// A value as the file writes it, where figment would say its type as well.
fn show(found: &Actual) -> String {
    match found {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(value) => format!("\"{value}\""),
        other => other.to_string(),
    }
}

/// Where the text stops being TOML, with the line.
fn toml_reason(text: &str) -> String {
    Toml::from_str::<Dict>(text).map_or_else(|error| error.to_string(), |_| "unreadable".to_owned())
}
