//! Deliveries over days, on a clock that stands still, to a receiver on a real socket.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use http::StatusCode;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::action::{Action, Context, Failure, Registry, Settings};
use crate::auth::ApiKey;
use crate::clock::ManualClock;
use crate::delivery::DeliveryState;
use crate::operation::{Origin, Outcome};
use crate::outbound::OutboundConfig;
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Accepted, ActiveLimits, Change, NewOperation};
use crate::{Json, OperationId};

const HOUR: Duration = Duration::from_secs(3600);

/// Webhooks over a real store, and a receiver that answers with one status.
struct World {
    webhooks: Webhooks,
    store: Arc<SqliteStore>,
    clock: ManualClock,
    status: Arc<AtomicU16>,
    attempts: tokio::sync::watch::Receiver<usize>,
    url: SecretUrl,
    _directory: TempDir,
}

impl World {
    async fn new(pauses: &[Duration]) -> Self {
        let directory = TempDir::new().unwrap();
        let clock = ManualClock::at("2026-11-24T08:00:00Z".parse().unwrap());
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let store = Arc::new(SqliteStore::open(SqliteOptions::new(directory.path())).unwrap());
        let status = Arc::new(AtomicU16::new(200));
        let (url, attempts) = receiver(Arc::clone(&status)).await;
        let key = ApiKey::generate();
        let authenticator = Authenticator::new(store.clone(), Arc::clone(&time), Some(&key));
        let outbound = OutboundConfig {
            allow: vec!["127.0.0.1".parse().unwrap()],
            allow_plain_http: true,
            ..OutboundConfig::default()
        };
        let webhooks = Webhooks::start(Parts {
            store: store.clone(),
            subscriptions: store.clone(),
            actions: Arc::default(),
            authenticator: Arc::new(authenticator),
            clock: time,
            outbound: Outbound::new(outbound).unwrap(),
            present: Box::new(|_, _, _| Payload { headers: HeaderMap::new(), body: Bytes::from("{}") }),
            settings: WebhookSettings { pauses: pauses.to_vec(), patience: HOUR * 72, most: 10 },
            link_key: 1,
        })
        .await
        .unwrap();
        Self { webhooks, store, clock, status, attempts, url, _directory: directory }
    }

    fn answers(&self, status: StatusCode) {
        self.status.store(status.as_u16(), Ordering::SeqCst);
    }

    async fn subscribe(&self) -> SubscriptionId {
        let wish = Subscribe {
            caller: crate::auth::ENVIRONMENT.into(),
            action: "work".into(),
            everybodys: true,
            outcomes: vec![],
            format: Format::View,
            url: self.url.clone(),
            secret: SigningSecret::generate(),
        };
        self.webhooks.subscribe(wish).await.unwrap().unwrap().id
    }

    fn operation(&self, action: &str) -> Operation {
        let now = self.clock.now();
        Operation::accepted(Origin {
            id: OperationId::new(now),
            action: action.into(),
            version: 1,
            caller: "somebody".into(),
            parent: None,
            created_at: now,
            deadline: after(now, HOUR * 1_000),
            retention: HOUR * 1_000,
            link_key: 1,
            tracking_id: None,
            traceparent: None,
        })
    }

    /// The store tells that something has ended.
    fn heard(&self, action: &str) {
        let mut operation = self.operation(action);
        operation.finish(Outcome::Succeeded(Json::of(&()).unwrap()), self.clock.now());
        self.webhooks.inner.ended(&operation);
    }

    /// Those that are to be looked at.
    fn behind(&self) -> Vec<SubscriptionId> {
        self.webhooks.inner.known().behind.iter().copied().collect()
    }

    /// Something ends.
    async fn end(&self) {
        let (now, operation) = (self.clock.now(), self.operation("work"));
        let limits = ActiveLimits { total: 9, action: 9, caller: 9 };
        let input = Json::of(&()).unwrap();
        let new = NewOperation { operation, input, idempotency: None, limits, callback: None };
        let Accepted::New(_, claim) = self.store.accept(new).await.unwrap() else { panic!("accepted") };
        let outcome = Some(Outcome::Succeeded(Json::of(&()).unwrap()));
        self.store.append(claim, Change { entries: vec![], published: None, outcome, now }).await.unwrap();
    }

    /// Waits until the receiver was asked so often, and what came of it is written.
    async fn attempted(&mut self, times: usize) {
        self.attempts.wait_for(|attempts| *attempts == times).await.unwrap();
        self.until(|deliveries| deliveries.iter().all(|one| one.due_at > self.clock.now() || dead(one)))
            .await;
    }

    async fn until(&self, enough: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let waiting = async {
            loop {
                let deliveries = self.webhooks.deliveries(DeliveryFilter::default(), None, 9).await.unwrap();
                if enough(&deliveries) {
                    return deliveries;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it gets there")
    }

    /// Waits until the subscription is what is expected.
    async fn until_subscription(&self, id: SubscriptionId, is: impl Fn(&Subscription) -> bool) {
        let waiting = async {
            while !self.webhooks.find(id).is_some_and(|subscription| is(&subscription)) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it gets there");
    }
}

fn dead(delivery: &Delivery) -> bool {
    delivery.state == DeliveryState::Dead
}

async fn receiver(status: Arc<AtomicU16>) -> (SecretUrl, tokio::sync::watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = SecretUrl::new(&format!("http://{}/", listener.local_addr().unwrap()));
    let (attempts, counted) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let read = stream.read(&mut [0; 4096]).await.unwrap();
            assert_ne!(read, 0);
            let status = status.load(Ordering::SeqCst);
            let wish = if status == 429 { "retry-after: 7200\r\n" } else { "" };
            let answer =
                format!("HTTP/1.1 {status} X\r\n{wish}content-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            attempts.send_modify(|attempts| *attempts += 1);
        }
    });
    (url, counted)
}

#[tokio::test]
async fn a_delivery_is_tried_at_its_pauses_and_then_given_up() {
    let mut world = World::new(&[HOUR, HOUR * 5]).await;
    world.answers(StatusCode::INTERNAL_SERVER_ERROR);
    world.subscribe().await;

    world.end().await;
    world.attempted(1).await;
    for (times, pause) in [(2, HOUR), (3, HOUR * 5)] {
        let waits = world.until(|all| all.len() == 1).await.remove(0);
        let planned = crate::clock::until(world.clock.now(), waits.due_at);
        assert!(pause <= planned && planned <= pause + pause / 10, "{planned:?}");
        world.clock.advance(planned - Duration::from_millis(1));
        tokio::task::yield_now().await;
        assert_eq!(*world.attempts.borrow(), times - 1);
        world.clock.advance(Duration::from_millis(1));
        world.attempted(times).await;
    }

    let given_up = world.until(|all| all.iter().all(dead)).await;
    let expected = "given up after 3 attempts; at last, 127.0.0.1 answered 500";
    assert_eq!(given_up[0].error.as_deref(), Some(expected));
}

#[tokio::test]
async fn a_receiver_that_asks_to_be_left_alone_is_left_alone_with_everything() {
    let mut world = World::new(&[HOUR; 5]).await;
    world.answers(StatusCode::TOO_MANY_REQUESTS);
    world.subscribe().await;
    world.end().await;
    world.attempted(1).await;

    world.answers(StatusCode::OK);
    world.end().await;
    let later = |all: &[Delivery]| all.iter().all(|one| one.due_at > world.clock.now());
    let left = world.until(|all| all.len() == 2 && later(all)).await;
    assert!(left.iter().all(|one| one.due_at >= after(world.clock.now(), HOUR * 2)), "{left:?}");
    assert_eq!(*world.attempts.borrow(), 1, "the second end was not sent");

    world.clock.advance(HOUR * 2);
    world.until(<[Delivery]>::is_empty).await;
    assert_eq!(*world.attempts.borrow(), 3);
}

#[tokio::test]
async fn a_subscription_that_fails_for_days_is_disabled_and_one_success_is_enough_to_stay() {
    let mut world = World::new(&[]).await;
    world.answers(StatusCode::SERVICE_UNAVAILABLE);
    let id = world.subscribe().await;
    world.end().await;
    world.until_subscription(id, |one| one.failing_since.is_some()).await;

    world.clock.advance(HOUR * 71);
    world.answers(StatusCode::OK);
    world.end().await;
    world.until_subscription(id, |one| one.failing_since.is_none()).await;

    world.answers(StatusCode::SERVICE_UNAVAILABLE);
    world.end().await;
    world.until_subscription(id, |one| one.failing_since.is_some()).await;
    world.clock.advance(HOUR * 72);
    world.end().await;
    world.until_subscription(id, |one| one.disabled.is_some()).await;
    let disabled = world.webhooks.find(id).unwrap().disabled.clone().unwrap();
    assert_eq!(disabled.reason, "every delivery has failed for 72 hours");
    world.attempted(4).await;
}

#[tokio::test]
async fn an_end_that_nobody_is_told_of_makes_no_work() {
    let world = World::new(&[]).await;
    world.end().await;
    assert!(world.webhooks.inner.known().behind.is_empty());

    let id = world.subscribe().await;
    world.until_subscription(id, |one| one.place > crate::store::feed::FeedPlace::START).await;
    world.until(|_| world.behind().is_empty()).await;
    // Nothing is awaited in between, so nobody has looked at them.
    world.heard("rest");
    assert_eq!(world.behind(), []);
    world.heard("work");
    assert_eq!(world.behind(), [id]);
    world.end().await;
    world.until(|all| all.is_empty() && *world.attempts.borrow() == 1).await;
}

/// What was called `work`.
struct Job;

impl Action for Job {
    const NAME: &'static str = "job";
    type Input = ();
    type Output = ();
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("A job").alias("work")
    }

    async fn run(&self, _: &mut Context<String>, (): ()) -> Result<(), Failure> {
        Ok(())
    }
}

#[tokio::test]
async fn an_action_that_is_renamed_at_a_reload_keeps_its_subscribers() {
    let world = World::new(&[]).await;
    let id = world.subscribe().await;
    world.until(|_| world.behind().is_empty()).await;
    let mut registry = Registry::default();
    registry.register(Job, HOUR).unwrap();

    world.webhooks.inner.parts.actions.replace(registry);

    for name in ["work", "job"] {
        world.webhooks.inner.known().behind.clear();
        world.heard(name);
        assert_eq!(world.behind(), [id], "{name}");
    }
}
