//! `countdown`: takes as long, and ends, as its caller says. For trying clients.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{Action, Context, Failure, Settings};

/// How long, in how many steps, and how to end.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CountdownInput {
    /// How long it takes in all. With 0 the steps run without waiting.
    pub seconds: f64,
    /// How many steps it takes.
    #[schema(minimum = 1, maximum = 1000)]
    #[serde(deserialize_with = "one_to_a_thousand")]
    pub steps: u16,
    /// End as `Failed` with this code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fail: Option<String>,
}

fn one_to_a_thousand<'de, D: Deserializer<'de>>(steps: D) -> Result<u16, D::Error> {
    let steps = u16::deserialize(steps)?;
    if (1..=1_000).contains(&steps) { Ok(steps) } else { Err(D::Error::custom("expected 1 to 1000")) }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CountdownResult {
    /// How many steps were taken.
    pub steps: u16,
}

/// The action.
#[derive(Debug, Clone, Copy, Default)]
pub struct Countdown;

impl Action for Countdown {
    const NAME: &'static str = "countdown";
    type Input = CountdownInput;
    type Output = CountdownResult;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Count down")
            .description("Takes as long as you say, in as many steps as you say, and fails if you say so. For trying clients.")
            .pace(1)
            .callers_may_cancel()
            .caller_links(["cancel"])
            .example(serde_json::json!({ "seconds": 6, "steps": 3 }))
            .output_example(serde_json::json!({ "steps": 3 }))
    }

    async fn run(&self, cx: &mut Context<String>, input: CountdownInput) -> Result<CountdownResult, Failure> {
        let CountdownInput { seconds, steps, fail } = input;
        let total = Duration::try_from_secs_f64(seconds)
            .map_err(|_| Failure::new("bad-duration", "`seconds` must be a number from 0 up"))?;
        let share = total / u32::from(steps);
        for tick in 1..=steps {
            let left = steps - tick;
            cx.step("tick", async |_| Ok::<_, Failure>(left)).await?;
            cx.custom_status(format!("{left} left"));
            cx.progress(u8::try_from(u32::from(tick) * 100 / u32::from(steps)).unwrap_or(100));
            cx.sleep(share).await?;
        }
        match fail {
            Some(code) => Err(Failure::new(code, "the countdown failed, as it was asked to")),
            None => Ok(CountdownResult { steps }),
        }
    }
}
