use super::*;
use crate::{Context, EventSettings, Failure, Settings};

/// Takes three answers, then says what it got.
struct Listener {
    gate: Gate,
}

impl Action for Listener {
    const NAME: &'static str = "listener";
    type Input = Option<u64>;
    type Output = Vec<Option<String>>;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Listen").event(EventSettings::new::<String>("answer"))
    }

    async fn run(
        &self,
        cx: &mut Context<String>,
        patience: Option<u64>,
    ) -> Result<Vec<Option<String>>, Failure> {
        cx.step("prepare", async |_| {
            self.gate.pass().await;
            Ok::<_, Failure>(())
        })
        .await?;
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(cx.event("answer", patience.map(Duration::from_secs)).await?);
        }
        Ok(answers)
    }
}

async fn send(process: &Process, id: OperationId, body: &str) {
    process.operations.send_event(id, "answer", Json::of(body).unwrap(), None).await.unwrap();
}

fn texts(answers: &[&str]) -> Vec<Option<String>> {
    answers.iter().map(|answer| Some((*answer).to_owned())).collect()
}

#[tokio::test]
async fn events_that_come_before_they_are_awaited_are_kept_in_their_order() {
    let world = World::new();
    let gate = Gate::closed();
    let process = world.boot(|registry| register(registry, Listener { gate: gate.clone() })).await;
    let id = process.start::<Listener>(None::<u64>).await;
    gate.reached().await;
    send(&process, id, "a").await;
    send(&process, id, "b").await;
    gate.open();

    send(&process, id, "c").await;

    assert_eq!(process.output::<Vec<Option<String>>>(id).await, texts(&["a", "b", "c"]));
}

#[tokio::test]
async fn events_survive_a_crash_taken_or_not() {
    let world = World::new();
    let gate = Gate::closed();
    gate.open();
    let process = world.boot(|registry| register(registry, Listener { gate: gate.clone() })).await;
    let id = process.start::<Listener>(None::<u64>).await;
    send(&process, id, "a").await;
    process
        .until_journal(id, |journal| journal.iter().any(|entry| matches!(entry, Entry::Taken { .. })))
        .await;
    process.crash().await;

    let process = world.boot(|_| ()).await;
    send(&process, id, "b").await;
    process.crash().await;
    let process = world.boot(|registry| register(registry, Listener { gate: gate.clone() })).await;
    send(&process, id, "c").await;

    assert_eq!(process.output::<Vec<Option<String>>>(id).await, texts(&["a", "b", "c"]));
}

#[tokio::test]
async fn an_event_that_does_not_come_in_time_is_none() {
    let world = World::new();
    let gate = Gate::closed();
    gate.open();
    let process = world.boot(|registry| register(registry, Listener { gate: gate.clone() })).await;
    let id = process.start::<Listener>(Some(10_u64)).await;
    send(&process, id, "a").await;

    for waiting in ["/event:answer:1", "/event:answer:2"] {
        let set = |entry: &Entry| matches!(entry, Entry::Timer { command, .. } if command == waiting);
        process.until_journal(id, |journal| journal.iter().any(set)).await;
        process.advance(Duration::from_secs(10));
    }

    assert_eq!(process.output::<Vec<Option<String>>>(id).await, [Some("a".to_owned()), None, None]);
}
