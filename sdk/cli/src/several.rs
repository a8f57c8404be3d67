//! Several operations at once: results as JSON lines in the order given, whichever ends first.

use std::process::ExitCode;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

use crate::exit::Failure;
use crate::progress::Board;
use crate::resume::Resume;
use crate::show;
use crate::watch::Watched;

/// Runs all of them at once, and takes what they give in their order. How many requests are on their way at
/// once is the client's business.
pub(crate) async fn in_order<T>(
    tasks: impl IntoIterator<Item = impl Future<Output = T>>,
    mut take: impl AsyncFnMut(usize, T),
) {
    let mut tasks: FuturesOrdered<_> = tasks.into_iter().collect();
    let mut index = 0;
    while let Some(done) = tasks.next().await {
        take(index, done).await;
        index += 1;
    }
}

/// Prints one document a line for all of them; the exit code is the highest of theirs.
pub(crate) async fn follow(
    board: &Board,
    resume: &Resume,
    tasks: impl IntoIterator<Item = impl Future<Output = Watched>>,
) -> ExitCode {
    let mut worst = 0;
    let mut left = Vec::new();
    in_order(tasks, async |index, watched: Watched| {
        left.extend(watched.status_url());
        match watched.outcome(false).await {
            Ok(outcome) => board.beside(|| show::compact(&outcome.document())),
            Err(failure) => {
                worst = worst.max(failure.code());
                board.beside(|| {
                    show::compact(&failure.document());
                    explain(index, &failure);
                });
            }
        }
    })
    .await;
    resume.close();
    if !left.is_empty() {
        let urls: Vec<_> = left.iter().map(|url| show::quoted(url)).collect();
        let way_on = resume.way_on().unwrap_or_else(|| format!("raincheck wait {}", urls.join(" ")));
        eprintln!("{} not ended yet; go on with: {way_on}", left.len());
    }
    ExitCode::from(worst)
}

pub(crate) fn explain(index: usize, failure: &Failure) {
    failure.explain(&format!("[{}] ", index + 1));
}
