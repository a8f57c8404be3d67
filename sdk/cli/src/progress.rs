//! How far an operation is, on stderr: a bar on a terminal, a line per change elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use raincheck::View;

use crate::show;

/// Shows the statuses of one operation as they come.
pub(crate) enum Progress {
    /// Redrawn in place.
    Bar(ProgressBar),
    /// The last line printed, so that an unchanged status is not repeated.
    Lines(String),
}

impl Progress {
    pub(crate) fn new(action: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines(String::new());
        }
        let bar = ProgressBar::new(100);
        bar.set_style(spinner());
        bar.set_prefix(action.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self::Bar(bar)
    }

    pub(crate) fn show(&mut self, view: &View) {
        match self {
            Self::Bar(bar) => {
                if let Some(action) = &view.action {
                    bar.set_prefix(action.clone());
                }
                bar.set_message(message(view));
                // Until a percentage comes a bar would only show that there is none.
                if let Some(percent) = view.percent_complete {
                    bar.set_style(gauge());
                    bar.set_position(percent.into());
                }
            }
            Self::Lines(last) => {
                let mut line = message(view);
                if let Some(percent) = view.percent_complete {
                    line.push_str(&format!(" · {percent}%"));
                }
                if line != *last {
                    eprintln!("{line}");
                    *last = line;
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // What is printed next, a result or an error, starts on a clean line.
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn message(view: &View) -> String {
    match &view.custom_status {
        Some(custom) => format!("{} · {}", view.status, crate::table::short(&show::value(custom), 60)),
        None => view.status.to_string(),
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix} {elapsed} {msg}").expect("the template is a valid one")
}

fn gauge() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix} {elapsed} [{bar:24}] {pos:>3}% {msg}")
        .expect("the template is a valid one")
        .progress_chars("=> ")
}
