//! The files of `--resume` and `--state`: JSON lines, for their owner only, replaced as a whole.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use raincheck::ResumeToken;
use serde_json::Value;

use crate::exit::Failure;

/// The member that names the command.
pub(crate) const COMMAND: &str = "startedBy";
/// The member with the idempotency key of a start.
pub(crate) const KEY: &str = "idempotencyKey";

/// What a line says.
pub(crate) struct Line {
    pub(crate) command: String,
    pub(crate) token: Option<ResumeToken>,
    pub(crate) key: Option<String>,
}

impl Line {
    /// Reads a line. A token that the library has written elsewhere has no command, and fits every one.
    fn read(value: Value) -> Option<Self> {
        let text = |name| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (command, key) = (text(COMMAND), text(KEY));
        let is_start = value.get(KEY).is_some();
        let token = if is_start { None } else { Some(serde_json::from_value(value).ok()?) };
        Some(Self { command: command.unwrap_or_default(), token, key })
    }

    /// Whether this is of a command, or of the operation that the command names by its URL.
    pub(crate) fn is_of(&self, command: &str) -> bool {
        let named = command.strip_prefix("wait ");
        self.command.is_empty()
            || self.command == command
            || (named.is_some() && named == self.token.as_ref().map(ResumeToken::url))
    }
}

/// The file for the time between a start and its answer.
pub(crate) fn starting(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".starting");
    name.into()
}

/// The line of a token.
pub(crate) fn token(token: &ResumeToken, command: &str) -> Value {
    let mut line = serde_json::to_value(token).expect("a token is JSON");
    line[COMMAND] = command.into();
    line
}

/// The lines of a resume file; `None` if it is not there, or as empty as `mktemp` makes it.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<Option<Line>>>, Failure> {
    lines(path, "resume", line)
}

/// The lines of a file of that `kind`, as `read` takes each; `None` as above.
pub(crate) fn lines<T>(
    path: &Path,
    kind: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<Vec<T>>, Failure> {
    let name = path.display();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(Failure::Usage(format!("'{name}' is no file"))),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    }
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() != ErrorKind::InvalidData => return Err(unreadable(path, &error)),
        text => text.ok(),
    };
    // What is in there may be a secret, and so may be what the parser says about it.
    let lines = text.and_then(|text| text.lines().map(read).collect::<Option<Vec<_>>>());
    match lines {
        Some(lines) if lines.is_empty() => Ok(None),
        Some(lines) => Ok(Some(lines)),
        None => Err(Failure::Usage(format!(
            "'{name}' is no {kind} file of this version, or it is damaged\n  Give another file; or remove it to \
             start anew."
        ))),
    }
}

fn line(text: &str) -> Option<Option<Line>> {
    match serde_json::from_str(text).ok()? {
        Value::Null => Some(None),
        value => Line::read(value).map(Some),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("'{}' cannot be read: {error}", path.display()))
}

/// Puts these lines in place of the file, or removes it.
pub(crate) fn replace(path: &Path, lines: Option<Vec<Value>>) -> Result<(), String> {
    let done = match lines {
        Some(lines) => write(path, &lines),
        None => match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    };
    done.map_err(|error| format!("'{}' cannot be written: {error}", path.display()))
}

/// A reader sees the old lines or the new ones, whenever this is killed.
fn write(path: &Path, lines: &[Value]) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // Readable for its owner only, from the beginning.
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    for line in lines {
        writeln!(file, "{line}")?;
    }
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(content: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.resume");
        std::fs::write(&path, content).unwrap();
        let Err(Failure::Usage(message)) = read(&path) else { panic!("{content} was read") };
        message
    }

    #[test]
    fn what_is_damaged_is_refused_without_showing_it() {
        for content in ["secret", r#"{"v":1,"url":"no-url-secret"}"#, r#"{"v":9,"url":"http://secret/"}"#] {
            let message = refusal(content);

            assert!(message.contains("x.resume") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_token_is_read_back_as_it_was_written_and_the_library_can_read_it_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.resume");
        let kept = ResumeToken::from_url("http://h/a?token=t").unwrap();

        replace(&path, Some(vec![token(&kept, "wait http://h/a"), Value::Null])).unwrap();

        let lines = read(&path).unwrap().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(lines[0].as_ref().unwrap().token.as_ref(), Some(&kept));
        assert!(lines[1].is_none());
        assert_eq!(serde_json::from_str::<ResumeToken>(text.lines().next().unwrap()).unwrap(), kept);
    }

    #[test]
    fn a_line_is_of_its_command_or_of_its_url() {
        let kept = ResumeToken::from_url("http://h/a").unwrap();
        let line = Line::read(token(&kept, "start http://h x")).unwrap();

        assert!(line.is_of("start http://h x") && line.is_of("wait http://h/a"));
        assert!(!line.is_of("start http://h y") && !line.is_of("wait http://h/b"));
    }
}
