//! The arrows of the design: who may name whom, in manifests and in the code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names of a crate's dependencies: those it is built with, and those of its tests.
fn dependencies(package: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root());
    let output = command.output().expect("cargo");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let found = packages.iter().find(|found| found["name"] == package).expect("a crate of this workspace");
    let names = |of_tests: bool| {
        let all = found["dependencies"].as_array().expect("dependencies").iter();
        let wanted = all.filter(|dependency| (dependency["kind"] == "dev") == of_tests);
        wanted.map(|dependency| dependency["name"].as_str().expect("a name").to_owned()).collect()
    };
    (names(false), names(true))
}

#[test]
fn crates_depend_on_each_other_along_the_arrows_only() {
    let ours = ["raincheck", "raincheck-cli", "raincheck-openapi", "raincheck-server"];
    let allowed: [(&str, &[&str]); 4] = [
        ("raincheck-openapi", &[]),
        ("raincheck-server", &["raincheck-openapi", "raincheck-server", "raincheck"]),
        ("raincheck", &["raincheck-openapi", "raincheck"]),
        ("raincheck-cli", &["raincheck"]),
    ];
    for (package, allowed) in allowed {
        let (built_with, tested_with) = dependencies(package);
        for name in built_with.union(&tested_with).filter(|name| ours.contains(&name.as_str())) {
            assert!(allowed.contains(&name.as_str()), "{package} may not depend on {name}");
        }
    }
}

#[test]
fn the_contract_is_data_only() {
    let (built_with, _) = dependencies("raincheck-openapi");

    for library in ["tokio", "warp", "hyper", "rusqlite", "sqlx", "reqwest"] {
        assert!(!built_with.contains(library), "{library}");
    }
}

/// A rule: these words stand in these places only.
struct Only {
    words: &'static [&'static str],
    places: &'static [&'static str],
}

#[test]
fn each_foreign_library_has_one_place() {
    let rules = [
        Only {
            words: &["warp", "hyper", "hyper_util", "tower"],
            places: &["server/src/http.rs", "server/src/http/"],
        },
        Only {
            words: &["rusqlite"],
            places: &[
                "server/src/store/sqlite.rs",
                "server/src/store/sqlite/",
                // The disk that loses power is a part of SQLite, for the tests of its store.
                "server/src/store/conformance/power_loss",
            ],
        },
        // Whoever embeds the library chooses an allocator of their own.
        Only { words: &["mimalloc"], places: &["server/src/main.rs"] },
        // The server follows others by the client of this project, in one place; else the two do not meet.
        Only {
            words: &["raincheck"],
            places: &["server/src/declared/http/follow.rs", "sdk/src/", "sdk/cli/src/"],
        },
        Only { words: &["minijinja"], places: &["server/src/declared/template.rs"] },
        Only { words: &["jsonschema"], places: &["server/src/declared/schema.rs"] },
        Only { words: &["nix", "command_fds"], places: &["server/src/declared/command/"] },
        Only { words: &["toml"], places: &["server/src/declared/", "server/src/config/"] },
        Only {
            words: &["reqwest"],
            places: &["sdk/src/transport.rs", "server/src/outbound.rs", "server/src/outbound/"],
        },
        Only {
            words: &["std::env", "env::var", "env::var_os"],
            places: &["server/src/config.rs", "server/src/config/"],
        },
    ];
    for Only { words, places } in rules {
        let wrong = lines(&["openapi/src", "server/src", "sdk/src", "sdk/cli/src"])
            .into_iter()
            .filter(|line| !places.iter().any(|place| line.path.starts_with(place)))
            .filter(|line| words.iter().any(|word| line.names(word)))
            .map(|line| line.to_string())
            .collect::<Vec<_>>();
        assert!(wrong.is_empty(), "{words:?} outside of {places:?}:\n{}", wrong.join("\n"));
    }
}

#[test]
fn arrows_point_inward() {
    let wire = &["crate::http", "raincheck_openapi::Status", "raincheck_openapi::Problem,", "warp"];
    // Who, and what it may not name.
    let rules: [(&[&str], &[&str]); 6] = [
        (
            &["operation.rs", "journal.rs", "retry_after.rs", "clock.rs", "json.rs"],
            &[
                "crate::store",
                "crate::engine",
                "crate::operations",
                "crate::http",
                "crate::config",
                "crate::server",
            ],
        ),
        (&["operations.rs"], wire),
        (&["engine.rs", "engine/"], wire),
        (&["store.rs", "store/"], &["crate::engine", "crate::operations", "crate::http", "crate::server"]),
        (&["declared.rs", "declared/"], &["crate::engine", "crate::store", "crate::http", "crate::server"]),
        (&["action.rs", "action/"], &["crate::engine", "crate::store", "crate::http", "crate::server"]),
    ];
    for (who, not) in rules {
        let wrong = lines(&["server/src"])
            .into_iter()
            .filter(|line| {
                let path = line.path.trim_start_matches("server/src/");
                who.iter().any(|who| path.starts_with(who)) && !path.contains("tests")
            })
            .filter(|line| not.iter().any(|word| line.names(word)))
            .map(|line| line.to_string())
            .collect::<Vec<_>>();
        assert!(wrong.is_empty(), "{who:?} may not name {not:?}:\n{}", wrong.join("\n"));
    }
    let sqlite = lines(&["server/src/http", "server/src/engine"])
        .into_iter()
        .filter(|line| !line.path.contains("tests") && line.names("store::sqlite"))
        .map(|line| line.to_string())
        .collect::<Vec<_>>();
    assert!(sqlite.is_empty(), "only the outside chooses a store:\n{}", sqlite.join("\n"));
}

/// A line of code.
struct Line {
    path: String,
    number: usize,
    code: String,
}

impl Line {
    /// Whether `word` stands here as a word of its own, or as the beginning of a path.
    fn names(&self, word: &str) -> bool {
        let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
        self.code.match_indices(word).any(|(place, _)| {
            let before = self.code[..place].chars().next_back();
            let after = self.code[place + word.len()..].chars().next();
            // A crate is named by a path that begins with it; a field or a module of that name is something else.
            let begins = before.is_none_or(|c| !part_of_name(c) && c != '.' && c != ':');
            begins
                && after.is_none_or(|c| !part_of_name(c))
                && (word.contains(':') || after == Some(':') || self.code.contains("use "))
        })
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.number, self.code.trim())
    }
}

/// Every line of code in these folders, without comments.
fn lines(folders: &[&str]) -> Vec<Line> {
    let root = root();
    let mut lines = Vec::new();
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a folder");
            waiting.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let name = path.strip_prefix(&root).expect("under the root").to_string_lossy().into_owned();
            let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
            let numbered = text.lines().enumerate();
            lines.extend(numbered.map(|(index, line)| Line {
                path: name.clone(),
                number: index + 1,
                code: code(line),
            }));
        }
    }
    assert!(lines.len() > 100, "the code is not where it was: {folders:?}");
    lines
}
