use super::*;
use crate::{Context, Failure, RetryPolicy, Settings};

/// So many of these run a step at a time.
pub(super) struct Limited {
    limit: Option<usize>,
    gate: Gate,
    effects: Effects,
}

impl Action for Limited {
    const NAME: &'static str = "limited";
    type Input = u32;
    type Output = u32;
    type Status = String;

    fn settings(&self) -> Settings {
        match self.limit {
            Some(limit) => Settings::new("Limited").concurrency(limit),
            None => Settings::new("Not limited"),
        }
    }

    async fn run(&self, cx: &mut Context<String>, number: u32) -> Result<u32, Failure> {
        cx.step("work", async |_| {
            self.effects.happen("running");
            self.gate.pass().await;
            Ok::<_, Failure>(number)
        })
        .await
    }
}

pub(super) fn limited(world: &World, gate: &Gate, limit: Option<usize>) -> Limited {
    Limited { limit, gate: gate.clone(), effects: world.effects.clone() }
}

#[tokio::test]
async fn operations_over_the_concurrency_limit_queue_as_not_started_first_in_first_out() {
    let world = World::new();
    let gate = Gate::closed();
    let narrow = limited(&world, &gate, Some(2));
    let process = world.boot(|registry| register(registry, narrow)).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(process.start::<Limited>(number).await);
    }
    gate.reached().await;
    gate.reached().await;

    assert_eq!(world.effects.count("running"), 2);
    for id in &ids[2..] {
        assert_eq!(process.read(*id).await.state, State::NotStarted);
    }

    gate.open();
    for (number, id) in (0..).zip(ids) {
        assert_eq!(process.output::<u32>(id).await, number);
    }
}

#[tokio::test]
async fn an_operation_that_queues_can_be_canceled() {
    let world = World::new();
    let gate = Gate::closed();
    let narrow = limited(&world, &gate, Some(2));
    let process = world.boot(|registry| register(registry, narrow)).await;
    for number in 0..2 {
        process.start::<Limited>(number).await;
    }
    let queued = process.start::<Limited>(2).await;

    process.operations.cancel(queued).await.unwrap();

    assert_eq!(process.ended(queued).await.state, State::Canceled);
}

/// Says too much.
struct Verbose;

impl Action for Verbose {
    const NAME: &'static str = "verbose";
    type Input = String;
    type Output = String;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, what: String) -> Result<String, Failure> {
        let much = || "x".repeat(2_000);
        match what.as_str() {
            "output" => Ok(much()),
            "result" => cx.step("say", async |_| Ok::<_, Failure>(much())).await,
            "journal" => {
                for _ in 0..50 {
                    cx.step("note", async |_| Ok::<_, Failure>(())).await?;
                }
                Ok(String::new())
            }
            _ => {
                cx.custom_status("short".to_owned());
                cx.custom_status(much());
                Ok(String::new())
            }
        }
    }
}

#[tokio::test]
async fn what_is_larger_than_its_limit_ends_the_operation_with_a_word_for_it() {
    let world = World::new();
    let limits = HandlerLimits { result_bytes: 1_000, status_bytes: 100, journal_entries: 20 };
    let process = world.boot_with(limits, |registry| register(registry, Verbose)).await;

    for (what, code) in
        [("output", "output-too-large"), ("result", "result-too-large"), ("journal", "journal-too-long")]
    {
        let id = process.start::<Verbose>(what).await;
        assert_eq!(process.ended(id).await.problem.as_ref().unwrap().code, code);
    }
}

#[tokio::test]
async fn a_custom_status_that_is_too_large_is_not_shown() {
    let world = World::new();
    let limits = HandlerLimits { status_bytes: 100, ..HandlerLimits::default() };
    let process = world.boot_with(limits, |registry| register(registry, Verbose)).await;

    let id = process.start::<Verbose>("status").await;

    assert_eq!(process.ended(id).await.custom_status.as_ref().unwrap().get(), "\"short\"");
}

/// One at a time; its first attempt fails, or it waits at its gate.
struct Turnstile {
    gate: Gate,
    effects: Effects,
    fails_first: bool,
}

impl Action for Turnstile {
    const NAME: &'static str = "turnstile";
    type Input = u32;
    type Output = u32;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Turnstile").concurrency(1)
    }

    async fn run(&self, cx: &mut Context<String>, number: u32) -> Result<u32, Failure> {
        cx.step("pass", async |_| {
            self.effects.happen("tried");
            if self.fails_first && self.effects.count("tried") == 1 {
                return Err(Failure::retryable("busy", "busy"));
            }
            self.gate.pass().await;
            Ok(number)
        })
        .retry(RetryPolicy::new(3).first(Duration::from_secs(10)).jitter(0.0))
        .await
    }
}

/// Nothing more is to be shown of it: whatever wakes it from now on is its own.
async fn shown_running(process: &Process, id: OperationId) {
    process.advance(Duration::from_secs(1));
    process.until(id, |operation| operation.state == State::Running).await;
}

#[tokio::test]
async fn a_limited_step_that_failed_asks_for_its_turn_again() {
    let world = World::new();
    let gate = Gate::closed();
    gate.open();
    let turnstile = Turnstile { gate, effects: world.effects.clone(), fails_first: true };
    let process = world.boot(|registry| register(registry, turnstile)).await;
    let id = process.start::<Turnstile>(7).await;
    while world.effects.count("tried") == 0 {
        tokio::task::yield_now().await;
    }
    shown_running(&process, id).await;
    let tries = async {
        while world.effects.count("tried") < 2 {
            // A timer that is set after the clock has moved is due at once: nothing can be missed.
            process.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    };

    tokio::time::timeout(Duration::from_secs(20), tries).await.unwrap();

    assert_eq!(process.output::<u32>(id).await, 7);
}

#[tokio::test]
async fn a_limited_step_that_was_interrupted_asks_for_its_turn_again() {
    let world = World::new();
    let gate = Gate::closed();
    let turnstile = || Turnstile { gate: gate.clone(), effects: world.effects.clone(), fails_first: false };
    let process = world.boot(|registry| register(registry, turnstile())).await;
    let id = process.start::<Turnstile>(7).await;
    gate.reached().await;
    shown_running(&process, id).await;
    process.crash().await;

    let process = world.boot(|registry| register(registry, turnstile())).await;
    gate.open();

    assert_eq!(process.output::<u32>(id).await, 7);
}

/// One at a time, in the order in which they pass.
struct Queue {
    gate: Gate,
    passed: Arc<Mutex<Vec<u32>>>,
}

impl Action for Queue {
    const NAME: &'static str = "queue";
    type Input = u32;
    type Output = ();
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Queue").concurrency(1)
    }

    async fn run(&self, cx: &mut Context<String>, number: u32) -> Result<(), Failure> {
        cx.step("pass", async |_| {
            self.gate.pass().await;
            self.passed.lock().unwrap().push(number);
            Ok::<_, Failure>(())
        })
        .await
    }
}

#[tokio::test]
async fn operations_that_queued_before_a_crash_queue_in_the_same_order_after_it() {
    let world = World::new();
    let gate = Gate::closed();
    let passed = Arc::new(Mutex::new(Vec::new()));
    let queue = || Queue { gate: gate.clone(), passed: passed.clone() };
    let process = world.boot(|registry| register(registry, queue())).await;
    process.start::<Queue>(0).await;
    gate.reached().await;
    let mut queued = Vec::new();
    for number in 1..=200 {
        // Ids tell the order of acceptance to the millisecond.
        process.advance(Duration::from_millis(1));
        queued.push(process.start::<Queue>(number).await);
    }
    process.crash().await;

    let process = world.boot(|registry| register(registry, queue())).await;
    gate.open();
    for id in queued {
        process.ended(id).await;
    }

    // The first one had its turn before the crash: whether it gets the next one first is nobody's business.
    passed.lock().unwrap().retain(|number| *number > 0);
    assert_eq!(*passed.lock().unwrap(), (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_start_that_was_refused_is_not_counted_as_running() {
    let world = World::new();
    let gate = Gate::closed();
    let narrow = limited(&world, &gate, Some(2));
    let process = world.boot(|registry| register(registry, narrow)).await;
    let id = process.start::<Limited>(0).await;
    gate.reached().await;
    let mut operation = (*process.read(id).await).clone();
    Arc::make_mut(&mut operation.origin).id = OperationId::new(process.clock.now());
    let limits = crate::store::ActiveLimits { total: 0, action: 0, caller: 0 };
    let new = crate::store::NewOperation {
        operation,
        input: Json::of(&0).unwrap(),
        idempotency: None,
        limits,
        callback: None,
    };
    let action = process.operations.registry().find(Limited::NAME).unwrap().clone();
    let accept = process.halting.halt(Place::BeforeAccept);
    let mut refused = std::pin::pin!(process.engine.submit(action.clone(), new));
    tokio::select! {
        _ = &mut refused => unreachable!("it waits at the gate"),
        () = accept.reached() => {}
    }

    process.operations.terminate(id).await.unwrap();
    process.engine.inner.count.subscribe().wait_for(|count| *count == 1).await.unwrap();
    while process.engine.inner.runs().contains_key(&id) {
        tokio::task::yield_now().await;
    }
    accept.open();

    assert!(matches!(refused.await, Ok(crate::store::Accepted::Full)));
    assert_eq!(process.engine.running(), 0);
}
