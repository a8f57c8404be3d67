//! The key that a first start on loopback makes, so that trying the server needs nothing else.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use raincheck_server::auth::{ApiKey, Role};
use raincheck_server::config::Config;
use raincheck_server::store::keys::KeyStore;

use super::failure::Failure;
use super::keys;

const NAME: &str = "development";
const FILE: &str = "development-key";

/// The development key of a server.
pub(super) struct DevelopmentKey {
    path: PathBuf,
    /// The key itself, where this start has made it.
    made: Option<ApiKey>,
}

/// Makes the development key on the first start, and finds it later. `None` where there is to be none.
///
/// A server that others can reach gets none, nor one whose environment brings a key.
pub(super) async fn provide(config: &Config) -> Result<Option<DevelopmentKey>, Failure> {
    if !config.listen.ip().is_loopback() || config.root_key.is_some() {
        return Ok(None);
    }
    let store = keys::open(config)?;
    let path = config.data_dir.join(FILE);
    let known = store.keys().await.map_err(keys::unavailable)?;
    let kept = read(&path).map_err(|error| Failure::because(path.display(), &error))?;
    let (key, made) = match kept {
        Some(key) => {
            // Also in the store, unless the first start was stopped between the two; revoked, it stays so.
            if let Some(stored) = known.iter().find(|stored| stored.hash == key.hash()) {
                return Ok(stored.revoked_at.is_none().then_some(DevelopmentKey { path, made: None }));
            }
            (key, false)
        }
        None if known.is_empty() => {
            let key = ApiKey::generate();
            write(&path, &key).map_err(|error| Failure::because(path.display(), &error))?;
            (key, true)
        }
        // Somebody has set up keys of their own.
        None => return Ok(None),
    };
    let stored = keys::stored(&key, NAME.to_owned(), &Role::ALL, Vec::new());
    let added = store.add_key(stored).await.map_err(keys::unavailable)?;
    Ok(added.then_some(DevelopmentKey { path, made: made.then_some(key) }))
}

impl DevelopmentKey {
    /// What to tell the person who started the server at `address`.
    pub(super) fn introduce(&self, address: SocketAddr, samples: bool) -> String {
        let path = self.path.display();
        let (intro, key) = match &self.made {
            Some(key) => {
                let key = key.reveal().to_owned();
                (format!("Here is a development key; it is kept in {path}:\n\n  {key}\n"), key)
            }
            None => (format!("The development key is in {path}.\n"), format!("$(cat '{path}')")),
        };
        if !samples {
            return intro;
        }
        format!(
            "{intro}\nTry it:\n\n  curl -i http://{address}/v1/actions/countdown \\\n    \
             -H \"Authorization: Bearer {key}\" \\\n    --json '{{\"seconds\": 6, \"steps\": 3}}'\n\nand then the URL in `location`, until it answers 200.\n"
        )
    }
}

fn read(path: &Path) -> io::Result<Option<ApiKey>> {
    match std::fs::read_to_string(path) {
        Ok(text) => ApiKey::parse(text.trim())
            .map(Some)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, key: &ApiKey) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{}", key.reveal())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        _directory: tempfile::TempDir,
        config: Config,
    }

    fn world() -> World {
        let directory = tempfile::tempdir().unwrap();
        let config = Config { data_dir: directory.path().join("data"), ..Config::default() };
        World { _directory: directory, config }
    }

    fn address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 8080))
    }

    #[tokio::test]
    async fn the_first_start_makes_a_key_and_later_ones_say_where_it_is() {
        let World { _directory, config } = world();

        let first = provide(&config).await.unwrap().unwrap();
        let later = provide(&config).await.unwrap().unwrap();

        let key = read(&first.path).unwrap().unwrap();
        assert!(first.introduce(address(), true).contains(key.reveal()));
        let text = later.introduce(address(), true);
        assert!(!text.contains(key.reveal()) && text.contains("$(cat '"), "{text}");
        let stored = keys::open(&config).unwrap().keys().await.unwrap();
        assert_eq!((stored.len(), stored[0].hash, &*stored[0].name), (1, key.hash(), "development"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_can_read_the_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let World { _directory, config } = world();

        let key = provide(&config).await.unwrap().unwrap();

        assert_eq!(std::fs::metadata(&key.path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_start_that_was_stopped_half_way_is_finished_by_the_next() {
        let World { _directory, config } = world();
        drop(keys::open(&config).unwrap());
        let key = ApiKey::generate();
        write(&config.data_dir.join(FILE), &key).unwrap();

        assert!(provide(&config).await.unwrap().is_some());

        assert_eq!(keys::open(&config).unwrap().keys().await.unwrap()[0].hash, key.hash());
    }

    #[tokio::test]
    async fn a_revoked_key_does_not_come_back() {
        let World { _directory, config } = world();
        provide(&config).await.unwrap().unwrap();

        keys::open(&config).unwrap().revoke_keys(NAME, jiff::Timestamp::now()).await.unwrap();

        assert!(provide(&config).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn there_is_none_where_others_can_reach_the_server_or_keys_have_been_set_up() {
        let World { _directory, config } = world();

        let open = Config { listen: SocketAddr::from(([0, 0, 0, 0], 8080)), ..config.clone() };
        assert!(provide(&open).await.unwrap().is_none());
        let rooted = Config { root_key: Some(ApiKey::generate()), ..config.clone() };
        assert!(provide(&rooted).await.unwrap().is_none());
        let own = keys::stored(&ApiKey::generate(), "flow".into(), &[Role::Start], Vec::new());
        keys::open(&config).unwrap().add_key(own).await.unwrap();
        assert!(provide(&config).await.unwrap().is_none());
    }
}
