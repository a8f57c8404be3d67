//! What ends of an action, one by one, and `--state FILE`, which says how far one is.

use std::path::PathBuf;

use raincheck::{Error, StatusView, Trigger, TriggerState, Triggered};
use serde_json::Value;

use crate::args::{Ends, Server};
use crate::exit::Failure;
use crate::resume::file;
use crate::start::client;

/// One end. It is read later: what cannot be read must not be in the way of the next.
pub(crate) type End = Triggered<StatusView>;

/// The ends of an action, from where an earlier run has stopped, or from now on.
pub(crate) struct Feed {
    trigger: Trigger<StatusView>,
    /// What the first look has brought.
    first: Option<End>,
    file: Option<StateFile>,
    left: Option<u64>,
}

/// A file with the state of a trigger.
struct StateFile {
    path: PathBuf,
    /// Of what it is the state, so that it is not taken for that of something else.
    command: String,
}

impl Feed {
    /// Goes on, or begins and notes where.
    pub(crate) async fn open(server: &Server, ends: &Ends) -> Result<Self, Failure> {
        let client = client(&server.url, server)?;
        let file = ends.state.clone().map(|path| StateFile { path, command: command(server, ends) });
        let kept = file.as_ref().map(StateFile::read).transpose()?.flatten();
        if let Some(state) = kept {
            let mut trigger = client.attach_trigger(state);
            let first = first_look(&mut trigger).await?;
            return Ok(Self { trigger, first, file, left: ends.max });
        }
        let mut wish = client.finished(&ends.action).outcomes(ends.outcome.iter().copied());
        if ends.all {
            wish = wish.of_everybody();
        }
        let feed = Self { trigger: wish.await?, first: None, file, left: ends.max };
        feed.keep(feed.trigger.state())?;
        Ok(feed)
    }

    /// The next end, as soon as there is one; `None` if it is to stop here.
    pub(crate) async fn next(&mut self) -> Result<Option<End>, Failure> {
        if self.left == Some(0) {
            return Ok(None);
        }
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => Ok(Some(self.trigger.next().await?)),
        }
    }

    /// The next end if there is one already.
    pub(crate) async fn at_once(&mut self) -> Result<Option<End>, Failure> {
        if self.left == Some(0) {
            return Ok(None);
        }
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => {
                let new = self.trigger.poll().await?;
                if new.is_none() {
                    // Others may have ended, which were not asked for.
                    self.keep(self.trigger.state())?;
                }
                Ok(new)
            }
        }
    }

    /// Notes that an end was dealt with: it will not come again.
    pub(crate) fn done(&mut self, end: &End) -> Result<(), Failure> {
        self.left = self.left.map(|left| left - 1);
        self.keep(end.state())
    }

    fn keep(&self, state: &TriggerState) -> Result<(), Failure> {
        let Some(StateFile { path, command }) = &self.file else { return Ok(()) };
        let mut line = serde_json::to_value(state).expect("a state is JSON");
        line[file::COMMAND] = command.as_str().into();
        file::replace(path, Some(vec![line])).map_err(Failure::Usage)
    }
}

/// Asks once. Later polls are repeated for as long as it takes; but if not even the first one gets through,
/// then more likely the server does not run, and the user should know now.
async fn first_look(trigger: &mut Trigger<StatusView>) -> Result<Option<End>, Error> {
    match trigger.poll().await {
        Err(error) if error.is_unavailable() => Ok(None),
        looked => looked,
    }
}

fn command(server: &Server, ends: &Ends) -> String {
    let mut outcomes: Vec<_> = ends.outcome.iter().map(|outcome| format!(" {outcome:?}")).collect();
    outcomes.sort();
    outcomes.dedup();
    let all = if ends.all { " all" } else { "" };
    format!("watch {} {}{}{all}", server.url, ends.action, outcomes.concat())
}

impl StateFile {
    /// The state in the file; `None` if there is no file yet.
    fn read(&self) -> Result<Option<TriggerState>, Failure> {
        let Self { path, command } = self;
        let line = |text: &str| {
            let line: Value = serde_json::from_str(text).ok()?;
            let of = line.get(file::COMMAND).and_then(Value::as_str).unwrap_or(command).to_owned();
            Some((of, serde_json::from_value(line).ok()?))
        };
        let Some(lines) = file::lines(path, "state", line)? else { return Ok(None) };
        match <[(String, TriggerState); 1]>::try_from(lines) {
            Ok([(of, state)]) if of == *command => Ok(Some(state)),
            _ => Err(Failure::Usage(format!(
                "'{}' belongs to another command\n  Give another file; or remove it, to begin with what ends from \
                 now on.",
                path.display()
            ))),
        }
    }
}
