use super::*;
use crate::{Context, Failure, Settings};

/// At most two of these run a step at a time.
struct Narrow {
    gate: Gate,
    effects: Effects,
}

impl Action for Narrow {
    const NAME: &'static str = "narrow";
    type Input = u32;
    type Output = u32;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Narrow").concurrency(2)
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

#[tokio::test]
async fn operations_over_the_concurrency_limit_queue_as_not_started_first_in_first_out() {
    let world = World::new();
    let gate = Gate::closed();
    let narrow = Narrow { gate: gate.clone(), effects: world.effects.clone() };
    let process = world.boot(|registry| register(registry, narrow)).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(process.start::<Narrow>(number).await);
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
    let narrow = Narrow { gate: gate.clone(), effects: world.effects.clone() };
    let process = world.boot(|registry| register(registry, narrow)).await;
    for number in 0..2 {
        process.start::<Narrow>(number).await;
    }
    let queued = process.start::<Narrow>(2).await;

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
