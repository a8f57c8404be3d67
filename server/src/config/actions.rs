//! The declared actions of a configuration: those in its file, and one in each file of a directory.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Config;
use super::mistake::{Mistake, Origin};
use crate::declared::{self, DeclaredActions, Form, SharedOutbound, Surroundings, Wrong};

/// Reads every declared action of `config` into it. `text`: the configuration file.
pub(super) fn read(
    config: &mut Config,
    text: Option<(&Path, &str)>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Vec<Mistake> {
    let mut reading = Reading {
        work: config.work_dir(),
        shortest_retention: config.shortest_retention,
        variable,
        outbound: SharedOutbound::new(config.outbound.clone()),
        actions: DeclaredActions::default(),
        mistakes: Vec::new(),
    };
    if let Some((path, text)) = text {
        reading.take(path, text, Form::Configuration);
    }
    if let Some(directory) = &config.actions_dir {
        reading.directory(directory);
    }
    config.actions = reading.actions;
    reading.mistakes
}

struct Reading<'a> {
    work: PathBuf,
    shortest_retention: Duration,
    variable: &'a dyn Fn(&str) -> Option<String>,
    outbound: SharedOutbound,
    actions: DeclaredActions,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    /// What the files of a directory declare, by their names.
    fn directory(&mut self, directory: &Path) {
        let listed = std::fs::read_dir(directory)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
        let mut paths = match listed {
            Ok(paths) => paths,
            Err(error) => return self.unreadable(directory, &error),
        };
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        for path in paths {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match std::fs::read_to_string(&path) {
                Ok(text) => self.take(&path, &text, Form::OneAction(&name)),
                Err(error) => self.unreadable(&path, &error),
            }
        }
    }

    fn take(&mut self, path: &Path, text: &str, form: Form<'_>) {
        let surroundings = Surroundings {
            directory: path.parent().unwrap_or(Path::new("")),
            variable: self.variable,
            work: &self.work,
            shortest_retention: self.shortest_retention,
            outbound: &self.outbound,
        };
        match declared::read(text, form, &surroundings) {
            Ok(actions) => actions.into_iter().for_each(|action| self.actions.push(action)),
            Err(wrong) => self.mistakes.extend(wrong.into_iter().map(|Wrong { span, key, problem }| {
                let line = span.map_or(1, |span| declared::line(text, span.start));
                Mistake { origin: Origin::Line(path.to_owned(), line), key, problem }
            })),
        }
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let origin = Origin::Program;
        let problem = format!("cannot read {}: {error}", path.display());
        self.mistakes.push(Mistake { origin, key: "actions_dir".to_owned(), problem });
    }
}
