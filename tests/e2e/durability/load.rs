//! Clients that start operations and see them through, over any number of servers that come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ledger::{Entry, Road, Shared, Told};
use super::plan;
use crate::harness::{Answer, PATIENCE, chances};

/// Where the server is at present.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) http: reqwest::Client,
    pub(super) public: String,
    pub(super) management: String,
    pub(super) key: String,
}

/// Clients at work.
pub(super) struct Load {
    ledger: Shared,
    target: watch::Sender<Target>,
    starting: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Clone)]
struct Client {
    ledger: Shared,
    target: watch::Receiver<Target>,
}

impl Load {
    /// Lets `clients` of them start one operation after the other.
    pub(super) fn start(ledger: &Shared, target: Target, clients: usize, seed: u64) -> Self {
        let (target, current) = watch::channel(target);
        let starting = Arc::new(AtomicBool::new(true));
        let work = |number| {
            let client = Client { ledger: ledger.clone(), target: current.clone() };
            let starting = Arc::clone(&starting);
            tokio::spawn(async move {
                let mut chances = chances(seed.wrapping_add(number as u64));
                let mut count = 0;
                while starting.load(Ordering::Relaxed) {
                    let key = format!("client-{number}-{count}");
                    client.ledger.begin(&key, plan(&mut chances));
                    client.follow(&key, &mut chances).await;
                    count += 1;
                }
            })
        };
        let clients = (0..clients).map(work).collect();
        Self { ledger: ledger.clone(), target, starting, clients }
    }

    /// The server is somewhere else from now on.
    pub(super) fn moved(&self, target: Target) {
        self.target.send_replace(target);
    }

    /// Starts nothing more, and waits until everything has ended.
    pub(super) async fn finish(mut self) {
        self.starting.store(false, Ordering::Relaxed);
        let clients = std::mem::take(&mut self.clients);
        let all = timeout(PATIENCE, join_all(clients)).await;
        for client in all.unwrap_or_else(|_| panic!("not ended: {:#?}", open(&self.ledger))) {
            client.expect("a client that was told no lies");
        }
    }

    /// Sees everything in the ledger through to its end, at one server.
    pub(super) async fn see_through(ledger: &Shared, target: Target, seed: u64) {
        let (_target, current) = watch::channel(target);
        let keys: Vec<_> = open(ledger).into_iter().map(|(key, _)| key).collect();
        let follow = keys.iter().map(|key| {
            let client = Client { ledger: ledger.clone(), target: current.clone() };
            async move { client.follow(key, &mut chances(seed)).await }
        });
        let all = timeout(PATIENCE, join_all(follow)).await;
        all.unwrap_or_else(|_| panic!("not ended: {:#?}", open(ledger)));
    }

    /// Looks once more at everything, when all has ended.
    pub(super) async fn look_again(ledger: &Shared, target: Target) {
        let (_target, current) = watch::channel(target);
        let client = Client { ledger: ledger.clone(), target: current };
        let keys: Vec<_> = ledger.lock().0.keys().cloned().collect();
        for key in keys {
            client.poll(&key, Road::Location, 0).await;
            client.poll(&key, Road::Monitor, 0).await;
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.clients.iter().for_each(JoinHandle::abort);
    }
}

fn open(ledger: &Shared) -> Vec<(String, Entry)> {
    let open = |(key, entry): (&String, &Entry)| (!entry.ended()).then(|| (key.clone(), entry.clone()));
    ledger.lock().0.iter().filter_map(open).collect()
}

impl Client {
    /// Starts the operation, unless it is known, and polls it until it has ended; now and then it asks for more.
    async fn follow(&self, key: &str, chances: &mut ChaCha8Rng) {
        self.begin(key).await;
        while !self.ledger.entry(key, |entry| entry.ended()) {
            let chance = chances.random_range(0..100);
            if chance < 4 {
                self.begin(key).await;
            } else if chance < 6 {
                self.cancel(key).await;
            }
            let waits = self.ledger.entry(key, |entry| entry.plan.wait && !entry.event_taken);
            if waits && chance >= 50 {
                self.send_event(key).await;
            }
            let road = if chance % 2 == 0 { Road::Location } else { Road::Monitor };
            // Until the event is sent nothing changes, so that a held poll would only pass the time.
            self.poll(key, road, u8::from(!waits)).await;
        }
    }

    async fn begin(&self, key: &str) {
        let plan = self.ledger.entry(key, |entry| entry.plan);
        let answer = self
            .ask(|target| {
                let start = target.http.post(format!("{}/v1/actions/work", target.public));
                start.bearer_auth(&target.key).header("idempotency-key", key).json(&plan)
            })
            .await;
        self.ledger.entry(key, |entry| entry.accepted(&answer));
    }

    async fn poll(&self, key: &str, road: Road, wait: u8) {
        let told = self.told(key);
        let path = if road == Road::Location { told.location } else { told.monitor };
        let poll = |target: &Target| {
            target.http.get(format!("{}{path}", target.public)).header("prefer", format!("wait={wait}"))
        };
        let answer = self.ask(poll).await;
        self.ledger.entry(key, |entry| entry.told.as_mut().expect("accepted").polled(road, &answer));
    }

    async fn cancel(&self, key: &str) {
        let resource = resource(&self.told(key));
        self.ledger.entry(key, |entry| entry.cancel_sent = true);
        let cancel = |target: &Target| {
            target.http.delete(format!("{}{resource}", target.public)).bearer_auth(&target.key)
        };
        let answer = self.ask(cancel).await;
        assert!([200, 202, 409].contains(&answer.status), "{answer:?}");
    }

    async fn send_event(&self, key: &str) {
        let resource = resource(&self.told(key));
        let send = |target: &Target| {
            let event = target.http.post(format!("{}{resource}/events/go", target.public));
            event.bearer_auth(&target.key).header("idempotency-key", "go").body("true")
        };
        let answer = self.ask(send).await;
        match answer.status {
            202 => self.ledger.entry(key, |entry| entry.event_taken = true),
            // It ended before the event came: by a cancel, as nothing else ends it.
            409 => assert!(self.ledger.entry(key, |entry| entry.cancel_sent), "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
    }

    fn told(&self, key: &str) -> Told {
        self.ledger.entry(key, |entry| entry.told.clone()).expect("accepted")
    }

    /// Asks until there is an answer, wherever the server is by then.
    async fn ask(&self, request: impl Fn(&Target) -> reqwest::RequestBuilder) -> Answer {
        let mut current = self.target.clone();
        loop {
            let target = current.borrow_and_update().clone();
            match Answer::try_to(request(&target)).await {
                // The port of a server that is gone may belong to somebody else by now.
                Ok(answer) if answer.status != 401 || !current.has_changed().unwrap_or(false) => {
                    return answer;
                }
                Ok(_) => {}
                // The next server is about to start; if not, the connection was an old one.
                Err(_) => drop(timeout(Duration::from_millis(100), current.changed()).await),
            }
        }
    }
}

fn resource(told: &Told) -> String {
    told.location.split('?').next().unwrap_or_default().to_owned()
}
