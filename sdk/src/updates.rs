//! An operation as a sequence of its statuses.

use std::fmt;

use futures_util::stream::{self, Stream};

use crate::{Error, Operation, View};

/// The statuses of an operation, from [`Operation::updates`].
///
/// One comes for every answered poll, whether or not something changed, and before the pause that follows it.
/// After an error there are no more; call `updates` again to go on.
///
/// It only borrows the operation, so the operation can be awaited as soon as the last status is there.
#[must_use = "nothing is asked until `next` is awaited"]
pub struct Updates<'a, T> {
    operation: &'a mut Operation<T>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// What is known already comes first.
    Known,
    Following,
    Over,
}

impl<'a, T> Updates<'a, T> {
    pub(crate) fn new(operation: &'a mut Operation<T>) -> Self {
        Self { operation, phase: Phase::Known }
    }

    /// The next status; `None` after the last one.
    ///
    /// # Errors
    /// Those of awaiting the [`Operation`], except that an operation that failed or was canceled is a status
    /// here.
    ///
    /// # Cancel safety
    /// Nothing is lost: the next call asks the server anew, at the pace that it asked for.
    pub async fn next(&mut self) -> Option<Result<View, Error>> {
        if let Phase::Known = self.phase {
            self.phase = Phase::Following;
            if let Some(view) = self.operation.view() {
                return Some(Ok(view.clone()));
            }
        }
        while let Phase::Following = self.phase {
            if self.operation.has_ended() {
                break;
            }
            if let Err(error) = self.operation.advance().await {
                self.phase = Phase::Over;
                return Some(Err(error));
            }
            // An answer without a view (a bare 202) has nothing to report.
            if let Some(view) = self.operation.view() {
                return Some(Ok(view.clone()));
            }
        }
        self.phase = Phase::Over;
        None
    }

    /// The same as a [`Stream`], for combinators.
    pub fn into_stream(self) -> impl Stream<Item = Result<View, Error>> + Send + Unpin + 'a
    where
        T: 'a,
    {
        // Boxed, so that callers need not pin it themselves.
        Box::pin(stream::unfold(self, async |mut updates| {
            let item = updates.next().await?;
            Some((item, updates))
        }))
    }
}

impl<T> fmt::Debug for Updates<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates").field("operation", &self.operation).field("phase", &self.phase).finish()
    }
}
