//! What goes into one transaction: everything that waits, and what is about to come.

use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::StoreError;
use super::writer::{Job, Message};

/// More than this is not gathered into one transaction, so that the first caller does not wait for all others, and
/// the WAL stays small.
const LARGEST_BATCH: usize = 1_024;
const LARGEST_BATCH_BYTES: usize = 4 << 20;

/// Who was answered together writes again at about the same time. With as many as this, it is worth a pause to take
/// their next writes together as well; a batch as large as that goes at once.
const COMPANY: usize = 4;
const CROWD: usize = 32;

/// About as long as a sync of a fast disk. Nobody has to be woken meanwhile, and on a slow disk it is not felt.
const PAUSE: Duration = Duration::from_micros(200);

/// Whom to tell that the store is closed.
pub(super) type Closing = oneshot::Sender<Result<(), StoreError>>;

/// Gathers batches.
#[derive(Default)]
pub(super) struct Gatherer {
    /// How large the last batch was.
    last: usize,
}

impl Gatherer {
    /// Waits for something to write, and puts what comes with it into `batch`. Nothing more comes after a
    /// [`Closing`], or if the batch stays empty.
    pub(super) fn fill(
        &mut self,
        batch: &mut Vec<Box<dyn Job>>,
        queue: &mpsc::Receiver<Message>,
    ) -> Option<Closing> {
        let mut bytes = 0;
        let mut may_pause = true;
        // Waits for the first, and takes whatever came while the last batch was synced.
        let mut next = queue.recv().ok();
        let closing = loop {
            match next {
                Some(Message::Job(job)) => {
                    bytes += job.size();
                    batch.push(job);
                }
                Some(Message::Close(reply)) => break Some(reply),
                None => break None,
            }
            if batch.len() == LARGEST_BATCH || bytes >= LARGEST_BATCH_BYTES {
                break None;
            }
            next = queue.try_recv().ok();
            if next.is_none() && std::mem::take(&mut may_pause) && pays(self.last, batch.len()) {
                std::thread::sleep(PAUSE);
                next = queue.try_recv().ok();
            }
        };
        self.last = batch.len();
        closing
    }
}

/// Whether a pause before the commit of a batch saves another one soon.
const fn pays(last: usize, batch: usize) -> bool {
    last >= COMPANY && batch < CROWD
}

#[cfg(test)]
mod tests {
    use super::super::writer::{Tx, Write, job};
    use super::*;

    struct Nothing;

    impl Write for Nothing {
        type Answer = ();

        fn apply(&self, _: &mut Tx<'_>) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[test]
    fn who_writes_alone_never_waits_for_others() {
        assert!(!pays(0, 1));
        assert!(!pays(1, 1));
        assert!(!pays(COMPANY - 1, 1));
        assert!(pays(COMPANY, 1));
    }

    #[test]
    fn a_crowd_does_not_wait_for_more() {
        assert!(pays(CROWD, CROWD - 1));
        assert!(!pays(CROWD, CROWD));
    }

    #[test]
    fn what_waits_is_one_batch_and_a_close_is_its_end() {
        let (writes, queue) = mpsc::channel();
        let (close, _closed) = oneshot::channel();
        for _ in 0..3 {
            writes.send(job(Nothing).0).unwrap();
        }
        writes.send(Message::Close(close)).unwrap();
        writes.send(job(Nothing).0).unwrap();
        let mut batch = Vec::new();

        let closing = Gatherer::default().fill(&mut batch, &queue);

        assert!(closing.is_some());
        assert_eq!(batch.len(), 3);
    }

    #[test]
    fn a_batch_has_an_end_although_more_is_waiting() {
        let (writes, queue) = mpsc::channel();
        for _ in 0..=LARGEST_BATCH {
            writes.send(job(Nothing).0).unwrap();
        }
        let mut batch = Vec::new();

        Gatherer::default().fill(&mut batch, &queue);

        assert_eq!(batch.len(), LARGEST_BATCH);
    }
}
