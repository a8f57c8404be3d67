//! An operation as a sequence of its statuses.

use std::fmt;
use std::time::Duration;

use futures_util::stream;
use tokio::time::{Instant, sleep_until};

use crate::pace::after;
use crate::stream::{Opening, Stream};
use crate::{Error, Operation, View};

/// No server keeps a client away for longer, whatever it says.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// The statuses of an operation, from [`Operation::updates`].
///
/// A raincheck server tells each change by itself, in a stream of events. Where there is no stream, one status comes for
/// every answered poll, whether or not something changed, and before the pause that follows it.
/// After an error there are no more; call `updates` again to go on.
///
/// It only borrows the operation, so the operation can be awaited as soon as the last status is there.
#[must_use = "nothing is asked until `next` is awaited"]
pub struct Updates<'a, T> {
    operation: &'a mut Operation<T>,
    phase: Phase,
    way: Way,
}

/// How the next status is learnt.
enum Way {
    /// By a stream, if the server has one.
    Untried,
    Stream(Box<Stream>),
    Poll,
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
        Self { operation, phase: Phase::Known, way: Way::Untried }
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
            if let Err(error) = self.learn().await {
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

    /// Learns how the operation stands now.
    async fn learn(&mut self) -> Result<(), Error> {
        if let Way::Untried = self.way {
            self.way = match Box::pin(self.operation.open_stream()).await {
                Opening::Opened(stream) => Way::Stream(stream),
                Opening::NotNow => Way::Untried,
                Opening::Never => Way::Poll,
            };
        }
        if let Way::Stream(stream) = &mut self.way {
            let deadline = self.operation.deadline;
            if let Some(event) = stream.next(deadline).await {
                return self.operation.take_event(event).await;
            }
            // It has broken off, as every stream does some time. One that gave nothing is not tried again.
            let (is_useful, retry) = (stream.is_useful, stream.retry);
            self.way = if is_useful { Way::Untried } else { Way::Poll };
            let again = after(Instant::now(), retry.min(LONGEST_RETRY));
            // Time for a last look remains.
            sleep_until(deadline.map_or(again, |deadline| again.min(deadline.last_look()))).await;
        }
        self.operation.advance().await.map(drop)
    }

    /// The same as a [`Stream`](futures_util::Stream), for combinators.
    pub fn into_stream(self) -> impl futures_util::Stream<Item = Result<View, Error>> + Send + Unpin + 'a
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
