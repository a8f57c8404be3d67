//! Which program a command runs, and as whom.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::User;

use crate::declared::surroundings::Surroundings;

/// The account that a command runs under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Account {
    /// The account of that name; `None`: the server's own.
    ///
    /// # Errors
    /// If there is none, or the server may not use it.
    pub(super) fn look_up(name: Option<&str>) -> Result<Option<Self>, String> {
        let is_root = nix::unistd::geteuid().is_root();
        let Some(name) = name else {
            if is_root {
                return Err("is missing: the server runs as root, and so would the command; name an account that may \
                            do little, such as \"nobody\" (or \"root\", if that is what you want)"
                    .to_owned());
            }
            return Ok(None);
        };
        let found = User::from_name(name).map_err(|error| format!("cannot look up `{name}`: {error}"))?;
        let user = found.ok_or_else(|| format!("there is no account `{name}` on this machine"))?;
        if !is_root && user.uid != nix::unistd::geteuid() {
            return Err(format!(
                "the server may run commands as `{name}` only if it runs as root itself; leave it out"
            ));
        }
        Ok(Some(Self { user: user.uid.as_raw(), group: user.gid.as_raw() }))
    }
}

/// The program and its arguments. What begins with `./` or `../` stands beside the declaration; any other program is
/// looked for in `path`.
///
/// # Errors
/// If it is not there.
pub(super) fn find(
    run: &[String],
    path: &str,
    surroundings: &Surroundings<'_>,
) -> Result<(PathBuf, Vec<String>), String> {
    let [program, arguments @ ..] = run else {
        return Err(
            "is missing: the program and its arguments, such as [\"python3\", \"./report.py\"]".to_owned()
        );
    };
    if run.iter().any(|word| word.contains("{{")) {
        return Err(
            "has no templates: the input goes to standard input as JSON, and never into arguments".to_owned()
        );
    }
    if run.iter().any(|word| word.contains('\0')) {
        return Err("has a zero byte in it, which no program can be given".to_owned());
    }
    let is_relative = |word: &str| word.starts_with("./") || word.starts_with("../");
    let beside = |word: &String| -> Result<String, String> {
        if !is_relative(word) {
            return Ok(word.clone());
        }
        let path = surroundings.path(word);
        if !path.exists() {
            return Err(format!("there is no {}", path.display()));
        }
        path.into_os_string().into_string().map_err(|_| format!("`{word}` is not UTF-8"))
    };
    let arguments = arguments.iter().map(beside).collect::<Result<_, _>>()?;
    let program = if program.contains('/') {
        let found = surroundings.path(program);
        executable(&found)
            .then_some(found)
            .ok_or_else(|| format!("`{program}` is not there, or is no program"))?
    } else {
        let mut places =
            path.split(':').filter(|place| !place.is_empty()).map(|place| Path::new(place).join(program));
        places.find(|place| executable(place)).ok_or_else(|| {
            format!("there is no program `{program}` in PATH ({path}); a program beside this file is `./{program}`")
        })?
    };
    Ok((program, arguments))
}

fn executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
