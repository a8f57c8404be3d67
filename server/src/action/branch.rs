//! Concurrency that runs the same way again: branches, each with a context of its own.

use std::pin::Pin;
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, poll_fn};
use futures_util::stream::FuturesUnordered;

use super::port::Command;
use super::{Context, Failure};

/// A part of a handler that runs beside others; made by [`Context::branch`].
#[must_use = "a branch does nothing unless it is given to `all` or `race`"]
pub struct Branch<'a, T>(BoxFuture<'a, Result<T, Failure>>);

impl<S> Context<S> {
    /// A part of this handler with a context of its own, for [`all`](Self::all) or [`race`](Self::race).
    ///
    /// The name must be the same whenever the handler runs again.
    pub fn branch<'a, T, F, Fut>(&mut self, name: &str, work: F) -> Branch<'a, T>
    where
        F: FnOnce(Context<S>) -> Fut,
        Fut: Future<Output = Result<T, Failure>> + Send + 'a,
    {
        let path = self.next_id("branch", name);
        Branch(Box::pin(work(Self::new(self.port().clone(), path))))
    }

    /// Runs branches side by side until all have succeeded. Results come in the order of the branches.
    ///
    /// # Errors
    /// The first failure; the other branches are then dropped. To let each fail on its own, have the branches return
    /// `Ok(result)`.
    pub async fn all<T>(&mut self, branches: Vec<Branch<'_, T>>) -> Result<Vec<T>, Failure> {
        let mut results: Vec<Option<T>> = branches.iter().map(|_| None).collect();
        let mut running: FuturesUnordered<_> = branches
            .into_iter()
            .enumerate()
            .map(|(place, Branch(work))| async move { (place, work.await) })
            .collect();
        while let Some((place, result)) = running.next().await {
            results[place] = Some(result?);
        }
        Ok(results.into_iter().flatten().collect())
    }

    /// Runs branches side by side until one ends, drops the others, and returns its place and result. Of an empty list,
    /// none ever ends.
    ///
    /// # Errors
    /// The winner's failure, if it ended with one.
    pub async fn race<T>(&mut self, branches: Vec<Branch<'_, T>>) -> Result<(usize, T), Failure> {
        let mut branches: Vec<_> = branches.into_iter().map(|Branch(work)| work).collect();
        let (winner, result) = poll_fn(|task| {
            for (place, branch) in branches.iter_mut().enumerate() {
                if let Poll::Ready(result) = Pin::new(branch).poll(task) {
                    return Poll::Ready((place, result));
                }
            }
            Poll::Pending
        })
        .await;
        // The losers go before anything that follows: what they still had under way no longer counts.
        drop(branches);
        let id = self.next_id("race", "");
        self.port().issue(id, Command::Race(u32::try_from(winner).unwrap_or(u32::MAX)));
        Ok((winner, result?))
    }
}
