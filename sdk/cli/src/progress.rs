//! How far operations are, on stderr: a bar for each on a terminal, a line per change elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use raincheck::{Status, View};

use crate::show;

/// All the operations of a command.
pub(crate) struct Board {
    /// `None` if stderr is no terminal.
    bars: Option<MultiProgress>,
    several: bool,
}

impl Board {
    pub(crate) fn new(operations: usize) -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { bars, several: operations > 1 }
    }

    /// Shows one of them from now on.
    pub(crate) fn progress(&self, index: usize, name: &str) -> Progress {
        let number = if self.several { format!("[{}] ", index + 1) } else { String::new() };
        let Some(bars) = &self.bars else { return Progress::Lines { number, last: String::new() } };
        let bar = bars.add(ProgressBar::new(100));
        bar.set_style(spinner());
        bar.set_prefix(format!("{number}{name}").trim_end().to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress::Bar { bar, number, stays: self.several }
    }

    /// Prints beside the bars, not into them.
    pub(crate) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}

/// Shows the statuses of one operation as they come.
pub(crate) enum Progress {
    /// Redrawn in place.
    Bar { bar: ProgressBar, number: String, stays: bool },
    /// With the last line printed, so that an unchanged status is not repeated.
    Lines { number: String, last: String },
}

impl Progress {
    pub(crate) fn show(&mut self, status: Status, view: Option<&View>) {
        let percent = view.and_then(|view| view.percent_complete);
        match self {
            Self::Bar { bar, number, .. } => {
                if let Some(action) = view.and_then(|view| view.action.as_ref()) {
                    bar.set_prefix(format!("{number}{}", show::clean(action)));
                }
                bar.set_message(message(status, view));
                // Until a percentage comes a bar would only show that there is none.
                if let Some(percent) = percent {
                    bar.set_style(gauge());
                    bar.set_position(percent.into());
                }
                if status == Status::Succeeded {
                    bar.set_position(100);
                }
            }
            Self::Lines { number, last } => {
                let mut line = message(status, view);
                if let Some(percent) = percent {
                    line.push_str(&format!(" · {percent}%"));
                }
                if line != *last {
                    eprintln!("{number}{line}");
                    *last = line;
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match self {
            // Among several, each keeps its place and its last word.
            Self::Bar { bar, stays: true, .. } => bar.abandon(),
            // What is printed next, a result or an error, starts on a clean line.
            Self::Bar { bar, .. } => bar.finish_and_clear(),
            Self::Lines { .. } => {}
        }
    }
}

fn message(status: Status, view: Option<&View>) -> String {
    match view.and_then(|view| view.custom_status.as_ref()) {
        Some(custom) => format!("{status} · {}", crate::table::short(&show::value(custom), 60)),
        None => status.to_string(),
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
