//! `submit-talk`: a submission goes over three desks of a conference, and its speaker wants to know how it stands.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{Action, Context, Failure, Settings};

/// A talk that somebody would like to give.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Presentation {
    /// The talk's title.
    pub title: String,
    /// What it is about, in some sentences.
    pub description: String,
    /// The track of the conference that it is meant for.
    pub track: String,
    /// Who would give it.
    pub speaker: Speaker,
}

/// Who would give the talk.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Speaker {
    /// Full name.
    pub name: String,
    /// Where the organisers can write to.
    pub email: String,
    /// Who they are, in some sentences.
    pub bio: String,
    /// Where they live.
    pub country: String,
}

/// Where a submission is: the custom status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Stage {
    /// Somebody checks that it follows the rules.
    Moderation,
    /// The committee reads it.
    Shortlisting,
    /// The committee makes the programme.
    Selection,
    /// It is in the programme.
    Approved,
    /// It is not.
    Rejected,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Whether it is in the programme.
    pub outcome: Outcome,
    /// The desk that decided.
    pub stage: Stage,
    /// A sentence for the speaker.
    pub message: String,
}

/// In the programme, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Outcome {
    /// In the programme.
    Approved,
    /// Not in the programme.
    Rejected,
}

/// One of the three desks: how long it takes and how it decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Desk {
    /// How long a submission lies there.
    pub takes: Duration,
    /// How it decides.
    pub decides: Verdict,
}

/// How a desk decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It lets everything through.
    Accept,
    /// It lets nothing through.
    Reject,
    /// It lets this share through, 0 to 1. With a seed, the same title always fares the same.
    Odds {
        /// The share that it lets through.
        accept: f64,
        /// Makes the dice repeatable.
        seed: Option<u64>,
    },
}

/// The action.
#[derive(Debug, Clone)]
pub struct SubmitTalk {
    /// The desk that checks the rules.
    pub moderation: Desk,
    /// The desk that reads.
    pub shortlisting: Desk,
    /// The desk that makes the programme.
    pub selection: Desk,
}

impl Default for SubmitTalk {
    /// Two seconds at each desk; nine of ten pass moderation, the other desks let half of them through.
    fn default() -> Self {
        let desk =
            |accept| Desk { takes: Duration::from_secs(2), decides: Verdict::Odds { accept, seed: None } };
        Self { moderation: desk(0.9), shortlisting: desk(0.5), selection: desk(0.5) }
    }
}

impl Action for SubmitTalk {
    const NAME: &'static str = "submit-talk";
    type Input = Presentation;
    type Output = Decision;
    type Status = Stage;

    fn settings(&self) -> Settings {
        Settings::new("Submit a talk to the conference")
            .description(
                "Takes a submission over moderation, shortlisting and selection. The custom status tells at which desk it \
                 is; the result tells what became of it.",
            )
            .pace(1)
            .callers_may_cancel()
            .caller_links(["cancel"])
            .example(serde_json::json!({
                "title": "Give me a ticket: long work over plain HTTP",
                "description": "Why 202, Location and Retry-After are all you need.",
                "track": "Integration",
                "speaker": {
                    "name": "Ada Example",
                    "email": "ada@example.com",
                    "bio": "Builds things that take a while.",
                    "country": "Australia"
                }
            }))
            .output_example(serde_json::json!({
                "outcome": "Approved",
                "stage": "Selection",
                "message": "Congratulations, Ada Example! \"Give me a ticket\" is in the programme."
            }))
    }

    async fn run(&self, cx: &mut Context<Stage>, talk: Presentation) -> Result<Decision, Failure> {
        let desks = [
            (Stage::Moderation, "moderate", self.moderation),
            (Stage::Shortlisting, "shortlist", self.shortlisting),
            (Stage::Selection, "select", self.selection),
        ];
        for (place, (stage, step, desk)) in (0..).zip(desks) {
            cx.custom_status(stage);
            cx.progress(place * 33);
            cx.sleep(desk.takes).await?;
            let passes = cx.step(step, async |_| Ok::<_, Failure>(desk.passes(stage, &talk)?)).await?;
            if !passes {
                cx.custom_status(Stage::Rejected);
                return Ok(Decision::rejected(stage, &talk));
            }
        }
        cx.custom_status(Stage::Approved);
        Ok(Decision::approved(&talk))
    }
}

impl Desk {
    /// What a person would decide; a step, because asking twice may give two answers.
    fn passes(&self, stage: Stage, talk: &Presentation) -> Result<bool, getrandom::Error> {
        Ok(match self.decides {
            Verdict::Accept => true,
            Verdict::Reject => false,
            Verdict::Odds { accept, seed: Some(seed) } => {
                let digest = Sha256::new()
                    .chain_update(seed.to_be_bytes())
                    .chain_update([stage as u8])
                    .chain_update(&talk.title)
                    .finalize();
                let number = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
                share(number) < accept
            }
            Verdict::Odds { accept, seed: None } => share(getrandom::u32()?) < accept,
        })
    }
}

fn share(number: u32) -> f64 {
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

impl Decision {
    fn approved(talk: &Presentation) -> Self {
        let message =
            format!("Congratulations, {}! \"{}\" is in the programme.", talk.speaker.name, talk.title);
        Self { outcome: Outcome::Approved, stage: Stage::Selection, message }
    }

    fn rejected(stage: Stage, talk: &Presentation) -> Self {
        let why = match stage {
            Stage::Moderation => "does not follow the rules for submissions",
            Stage::Shortlisting => "did not make the shortlist",
            Stage::Selection | Stage::Approved | Stage::Rejected => "did not find a place in the programme",
        };
        let message = format!("Sorry, {}: \"{}\" {why}.", talk.speaker.name, talk.title);
        Self { outcome: Outcome::Rejected, stage, message }
    }
}
