use super::*;
use crate::{Context, Failure};

/// Six branches of five steps each, so that results come in another order in each run.
struct Storm {
    effects: Effects,
    gate: Gate,
    /// The run stops at the gate after this many effects, over all runs.
    stop_at: Vec<u32>,
}

impl Action for Storm {
    const NAME: &'static str = "storm";
    type Input = ();
    type Output = Vec<Vec<u32>>;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<Vec<Vec<u32>>, Failure> {
        let branches = (0..6)
            .map(|branch| {
                cx.branch("worker", move |mut cx| async move {
                    let mut results = Vec::new();
                    for step in 0..5 {
                        // The name is the same in all: only the branch tells them apart.
                        let result = cx
                            .step("work", async |_| {
                                for _ in 0..(branch * 7 + step * 3) % 5 {
                                    tokio::task::yield_now().await;
                                }
                                self.effects.happen(format!("{branch}.{step}"));
                                if self.stop_at.contains(&self.effects.total()) {
                                    self.gate.pass().await;
                                }
                                Ok::<_, Failure>(branch * 10 + step)
                            })
                            .await?;
                        results.push(result);
                    }
                    Ok(results)
                })
            })
            .collect();
        cx.all(branches).await
    }
}

#[tokio::test]
async fn storm_concurrent_branches_killed_twice_get_their_own_results() {
    for seed in 0..10 {
        let world = World::new();
        let gate = Gate::closed();
        let storm = || Storm {
            effects: world.effects.clone(),
            gate: gate.clone(),
            stop_at: vec![3 + seed, 16 + seed],
        };
        let mut process = world.boot(|registry| register(registry, storm())).await;
        let id = process.start::<Storm>(()).await;

        for _ in 0..2 {
            gate.reached().await;
            process.crash().await;
            process = world.boot(|registry| register(registry, storm())).await;
        }
        gate.open();

        let expected: Vec<Vec<u32>> =
            (0..6).map(|branch| (0..5).map(|step| branch * 10 + step).collect()).collect();
        assert_eq!(process.output::<Vec<Vec<u32>>>(id).await, expected);
        for branch in 0..6 {
            for step in 0..5 {
                let count = world.effects.count(&format!("{branch}.{step}"));
                assert!((1..=3).contains(&count), "{branch}.{step} ran {count} times");
            }
        }
    }
}

#[tokio::test]
async fn a_step_whose_result_is_in_the_journal_does_not_run_again() {
    let world = World::new();
    let gate = Gate::closed();
    let storm = || Storm { effects: world.effects.clone(), gate: gate.clone(), stop_at: vec![20] };
    let process = world.boot(|registry| register(registry, storm())).await;
    let id = process.start::<Storm>(()).await;
    gate.reached().await;
    process.crash().await;

    // What is in the journal now is what the next run must not do again.
    let process = world.boot(|_| ()).await;
    let journaled: Vec<String> = process
        .journal(id)
        .await
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Step { result: crate::journal::Completion::Value(value), .. } => {
                Some(value.get().to_owned())
            }
            _ => None,
        })
        .collect();
    process.crash().await;
    let process = world.boot(|registry| register(registry, storm())).await;
    gate.open();
    process.ended(id).await;

    assert!(!journaled.is_empty());
    for result in journaled {
        let number: u32 = result.parse().unwrap();
        assert_eq!(world.effects.count(&format!("{}.{}", number / 10, number % 10)), 1, "{number}");
    }
}
