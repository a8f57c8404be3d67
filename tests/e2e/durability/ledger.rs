//! What clients were told. Nothing of it may be taken back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_openapi::{Status, StatusView};
use raincheck_tests::effects::Plan;
use serde_json::Value;

use crate::harness::Answer;

/// The starts of all clients, by idempotency key.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(pub(super) BTreeMap<String, Entry>);

/// One start, and what its client was told.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) plan: Plan,
    pub(super) told: Option<Told>,
    /// A cancel was sent; whether it came in time is for the server to say.
    pub(super) cancel_sent: bool,
    /// The event was answered with 202.
    pub(super) event_taken: bool,
}

/// What is known of an accepted operation.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) location: String,
    pub(super) monitor: String,
    seen: Option<StatusView>,
    ends: BTreeMap<Road, (u16, Value)>,
}

/// The two status URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Road {
    Location,
    Monitor,
}

/// A ledger that clients write to at the same time.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Ledger>>);

impl Shared {
    pub(super) fn of(ledger: Ledger) -> Self {
        Self(Arc::new(Mutex::new(ledger)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Ledger> {
        // A client that panicked has said why, and the others need not add to that.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn entry<T>(&self, key: &str, change: impl FnOnce(&mut Entry) -> T) -> T {
        change(self.lock().0.get_mut(key).expect("it was begun"))
    }

    pub(super) fn begin(&self, key: &str, plan: Plan) {
        let entry = Entry { plan, told: None, cancel_sent: false, event_taken: false };
        self.lock().0.insert(key.to_owned(), entry);
    }
}

impl Entry {
    /// A start was accepted, now or before.
    pub(super) fn accepted(&mut self, answer: &Answer) {
        assert_eq!(answer.status, 202, "{answer:?}");
        let (location, view) = (path(&answer.location()), answer.view());
        let monitor = path(answer.header("operation-location"));
        // The body tells of the moment of acceptance, on a replay too.
        assert_eq!(view.status, Status::NotStarted, "{answer:?}");
        if let Some(told) = &self.told {
            assert_eq!(
                (&told.id, &told.location, &told.monitor),
                (&view.id, &location, &monitor),
                "a replay"
            );
        } else {
            self.told = Some(Told { id: view.id, location, monitor, seen: None, ends: BTreeMap::new() });
        }
    }

    /// Whether the operation has ended on both roads, as far as is known.
    pub(super) fn ended(&self) -> bool {
        self.told.as_ref().is_some_and(|told| told.ends.len() == 2)
    }
}

impl Told {
    /// An answer to a poll: no step back, and no other end.
    pub(super) fn polled(&mut self, road: Road, answer: &Answer) {
        let mut body = answer.json();
        let view: StatusView = match (answer.status, road) {
            (200 | 202, Road::Location) | (200, Road::Monitor) => answer.view(),
            (409 | 422, Road::Location) => {
                serde_json::from_value(body["operation"].clone()).expect("the view of an ended operation")
            }
            _ => panic!("{road:?} of {}: {answer:?}", self.id),
        };
        assert_eq!(view.id, self.id);
        if let Some(seen) = &self.seen {
            let back = rank(view.status) < rank(seen.status)
                || view.updated_at < seen.updated_at
                || view.percent_complete < seen.percent_complete
                || seen.status.is_terminal() && view != *seen;
            assert!(!back, "a step back\nfrom {seen:?}\nto {view:?}");
        }
        assert_eq!(answer.status == 202, road == Road::Location && !view.status.is_terminal(), "{answer:?}");
        if view.status.is_terminal() {
            // Each request has an id of its own; everything else stays.
            body.as_object_mut().expect("an object").remove("requestId");
            body.as_object_mut().expect("an object").remove("instance");
            let end = (answer.status, body);
            let first = self.ends.entry(road).or_insert_with(|| end.clone());
            assert_eq!(*first, end, "another end of {}", self.id);
        }
        self.seen = Some(view);
    }

    /// The last view.
    pub(super) fn seen(&self) -> Option<&StatusView> {
        self.seen.as_ref()
    }
}

fn rank(status: Status) -> u8 {
    match status {
        Status::NotStarted => 0,
        Status::Running => 1,
        Status::Canceling => 2,
        Status::Succeeded | Status::Failed | Status::Canceled => 3,
        other => panic!("unknown status {other:?}"),
    }
}

/// A URL without the public origin, behind which each start of the server has another port.
fn path(url: &str) -> String {
    url.strip_prefix(super::PUBLIC_URL).expect("a URL of the server").to_owned()
}
