//! `keys create`, `keys list`, `keys revoke`. They work beside a running server, too.

use std::fmt::Write as _;

use jiff::Timestamp;
use raincheck_server::auth::{ApiKey, ENVIRONMENT, Role};
use raincheck_server::config::Config;
use raincheck_server::store::keys::{KeyStore, StoredKey};
use raincheck_server::store::sqlite::{SqliteKeys, SqliteOptions, SqliteStore};

use super::failure::Failure;
use super::serve::block_on;

/// Makes a key and prints it.
pub(super) fn create(
    config: &Config,
    name: String,
    roles: &[Role],
    actions: Vec<String>,
) -> Result<(), Failure> {
    check_name(&name)?;
    // The store keeps them as words with spaces between.
    if let Some(action) =
        actions.iter().find(|action| action.is_empty() || action.contains(char::is_whitespace))
    {
        return Err(Failure::usage(format!("`{action}` is not the name of an action")));
    }
    let key = ApiKey::generate();
    let stored = stored(&key, name, roles, actions);
    let name = stored.name.clone();
    let store = open(config)?;
    if block_on(store.add_key(stored))?.map_err(unavailable)? {
        println!("{}", key.reveal());
        eprintln!("This is the key `{name}`. It is not kept, and cannot be shown again.");
        Ok(())
    } else {
        Err(Failure::new(format!(
            "there is a key called `{name}` already; revoke it first (`raincheck-server keys revoke {name}`): the \
             new one is then the same caller"
        )))
    }
}

/// Prints all keys.
pub(super) fn list(config: &Config) -> Result<(), Failure> {
    let keys = block_on(open_existing(config)?.keys())?.map_err(unavailable)?;
    print!("{}", table(&keys));
    Ok(())
}

/// Ends a key.
pub(super) fn revoke(config: &Config, name: &str) -> Result<(), Failure> {
    let store = open_existing(config)?;
    match block_on(store.revoke_keys(name, Timestamp::now()))?.map_err(unavailable)? {
        0 => Err(Failure::new(format!("there is no key `{name}` in use"))),
        _ => {
            println!("The key `{name}` is revoked.");
            Ok(())
        }
    }
}

/// A key as the store keeps it.
pub(super) fn stored(key: &ApiKey, name: String, roles: &[Role], actions: Vec<String>) -> StoredKey {
    StoredKey {
        hash: key.hash(),
        name,
        roles: roles.iter().map(|role| role.as_str().to_owned()).collect(),
        actions,
        created_at: Timestamp::now(),
        revoked_at: None,
    }
}

/// The keys of the store that the configuration names.
pub(super) fn open(config: &Config) -> Result<SqliteKeys, Failure> {
    let directory = &config.data_dir;
    SqliteStore::open_keys(&SqliteOptions::new(directory))
        .map_err(|error| Failure::because(format_args!("the keys in {}", directory.display()), &error))
}

// Looking must not make a store in a directory that was mistyped.
fn open_existing(config: &Config) -> Result<SqliteKeys, Failure> {
    if config.data_dir.exists() {
        open(config)
    } else {
        Err(Failure::new(format!("there is no data directory {}", config.data_dir.display())))
    }
}

pub(super) fn unavailable(error: impl std::error::Error) -> Failure {
    Failure::because("the keys are not available", &error)
}

fn check_name(name: &str) -> Result<(), Failure> {
    if name == ENVIRONMENT {
        return Err(Failure::usage(format!(
            "the name `{name}` is taken: it is the key that RAINCHECK_ROOT_KEY gives"
        )));
    }
    let fits =
        (1..=100).contains(&name.chars().count()) && !name.contains(char::is_control) && name.trim() == name;
    if fits {
        Ok(())
    } else {
        Err(Failure::usage("a key's name has 1 to 100 characters, without space around it"))
    }
}

fn table(keys: &[StoredKey]) -> String {
    let head = ["NAME", "ROLES", "ACTIONS", "CREATED", "REVOKED"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(keys.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    rows.iter().fold(String::new(), |mut text, row| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
        text
    })
}

fn row(key: &StoredKey) -> [String; 5] {
    let StoredKey { hash: _, name, roles, actions, created_at, revoked_at } = key;
    let actions = if actions.is_empty() { "all".to_owned() } else { actions.join(",") };
    let day = |time: &Timestamp| time.strftime("%Y-%m-%d %H:%M").to_string();
    [
        name.clone(),
        roles.join(","),
        actions,
        day(created_at),
        revoked_at.as_ref().map(day).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_shows_everything_but_the_key() {
        let key = ApiKey::generate();
        let keys = [stored(&key, "flow".into(), &[Role::Start, Role::Observe], vec!["countdown".into()])];

        let text = table(&keys);

        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("NAME  ROLES          ACTIONS    CREATED"), "{text}");
        assert!(lines[1].starts_with("flow  start,observe  countdown  20"), "{text}");
        assert!(!text.contains(key.reveal()));
    }

    #[test]
    fn names_that_would_mislead_are_refused() {
        for name in ["", "environment", " flow", "a\nb"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name("Logic App: Bewerbungen").is_ok());
    }

    #[test]
    fn a_created_key_is_listed_and_can_be_revoked_once() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config { data_dir: directory.path().join("data"), ..Config::default() };
        assert!(list(&config).is_err());

        create(&config, "flow".into(), &[Role::Start], Vec::new()).unwrap();

        assert!(create(&config, "flow".into(), &[Role::Start], Vec::new()).is_err());
        revoke(&config, "flow").unwrap();
        assert!(revoke(&config, "flow").is_err());
        create(&config, "flow".into(), &[Role::Start], Vec::new()).unwrap();
    }
}
