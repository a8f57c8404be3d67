//! What is wrong with a configuration: where, what, and what is allowed.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it was said.
    pub origin: Origin,
    /// The key, such as `limits.request_body`.
    pub key: String,
    /// What is wrong with it, and what is allowed.
    pub problem: String,
}

/// Where a setting was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In no place that is known: by a program, or by a default.
    Program,
    /// In a file.
    File(PathBuf),
    /// In a line of a file; from 1.
    Line(PathBuf, usize),
    /// By an environment variable or an argument of this name, which stands for the key.
    Named(String),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, problem } = self;
        match origin {
            Origin::Program => write!(f, "`{key}`: {problem}"),
            Origin::Line(path, line) if key.is_empty() => write!(f, "{}:{line}: {problem}", path.display()),
            Origin::Line(path, line) => write!(f, "{}:{line}: `{key}`: {problem}", path.display()),
            Origin::File(path) => write!(f, "{}: `{key}`: {problem}", path.display()),
            Origin::Named(name) => write!(f, "{name}: {problem}"),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is not TOML.
    #[error("{}: not TOML: {reason}", path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// Why, and where.
        reason: String,
    },
    /// Something in it is not allowed.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
