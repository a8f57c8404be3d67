//! The actions that come with the server.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{ApprovalConfig, units};
use crate::samples::{Desk, SubmitTalk, Verdict};

/// The actions that come with the server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplesConfig {
    /// Whether they are there at all.
    pub enabled: bool,
    /// The Call for Speakers.
    pub submit_talk: SubmitTalkConfig,
    /// The approval.
    pub request_approval: ApprovalConfig,
}

/// How the desks of `submit-talk` work.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubmitTalkConfig {
    /// Makes the dice repeatable: the same title then always fares the same.
    pub seed: Option<u64>,
    /// The desk that checks the rules.
    #[serde(deserialize_with = "moderation")]
    pub moderation: DeskConfig,
    /// The desk that reads.
    #[serde(deserialize_with = "shortlisting")]
    pub shortlisting: DeskConfig,
    /// The desk that makes the programme.
    #[serde(deserialize_with = "selection")]
    pub selection: DeskConfig,
}

/// How one desk works.
#[derive(Debug, Clone, PartialEq)]
pub struct DeskConfig {
    /// How long a submission lies there.
    pub takes: Duration,
    /// How it decides.
    pub decides: DeskDecision,
    /// The share that it lets through when chance decides: from 0 to 1.
    pub odds: f64,
}

/// How a desk decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeskDecision {
    /// By chance, with its odds.
    Random,
    /// It lets everything through.
    Accept,
    /// It lets nothing through.
    Reject,
}

impl Default for SamplesConfig {
    fn default() -> Self {
        let (submit_talk, request_approval) = (SubmitTalkConfig::default(), ApprovalConfig::default());
        Self { enabled: true, submit_talk, request_approval }
    }
}

impl Default for SubmitTalkConfig {
    // A few seconds in all, so that a demo is short and polls still see each desk at work.
    fn default() -> Self {
        let desk = |odds| DeskConfig { takes: Duration::from_secs(2), decides: DeskDecision::Random, odds };
        Self { seed: None, moderation: desk(0.9), shortlisting: desk(0.5), selection: desk(0.5) }
    }
}

impl SubmitTalkConfig {
    /// The desks with their keys.
    pub(super) const fn desks(&self) -> [(&'static str, &DeskConfig); 3] {
        [
            ("samples.submit_talk.moderation", &self.moderation),
            ("samples.submit_talk.shortlisting", &self.shortlisting),
            ("samples.submit_talk.selection", &self.selection),
        ]
    }
}

impl From<&SubmitTalkConfig> for SubmitTalk {
    fn from(config: &SubmitTalkConfig) -> Self {
        let SubmitTalkConfig { seed, moderation, shortlisting, selection } = config;
        let desk = |desk: &DeskConfig| Desk {
            takes: desk.takes,
            decides: match desk.decides {
                DeskDecision::Random => Verdict::Odds { accept: desk.odds, seed: *seed },
                DeskDecision::Accept => Verdict::Accept,
                DeskDecision::Reject => Verdict::Reject,
            },
        };
        Self { moderation: desk(moderation), shortlisting: desk(shortlisting), selection: desk(selection) }
    }
}

/// A desk as a file says it: what it leaves out stays as it is at this desk.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct PartOfDesk {
    #[serde(deserialize_with = "units::optional_duration")]
    takes: Option<Duration>,
    decides: Option<DeskDecision>,
    odds: Option<f64>,
}

fn over<'de, D: Deserializer<'de>>(desk: DeskConfig, deserializer: D) -> Result<DeskConfig, D::Error> {
    let PartOfDesk { takes, decides, odds } = PartOfDesk::deserialize(deserializer)?;
    Ok(DeskConfig {
        takes: takes.unwrap_or(desk.takes),
        decides: decides.unwrap_or(desk.decides),
        odds: odds.unwrap_or(desk.odds),
    })
}

fn moderation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DeskConfig, D::Error> {
    over(SubmitTalkConfig::default().moderation, deserializer)
}

fn shortlisting<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DeskConfig, D::Error> {
    over(SubmitTalkConfig::default().shortlisting, deserializer)
}

fn selection<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DeskConfig, D::Error> {
    over(SubmitTalkConfig::default().selection, deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_action() {
        let action = SubmitTalk::default();

        let configured = SubmitTalk::from(&SubmitTalkConfig::default());

        assert_eq!(configured.moderation, action.moderation);
        assert_eq!(configured.shortlisting, action.shortlisting);
        assert_eq!(configured.selection, action.selection);
    }
}
