//! `request-approval`: waits for a person, for as long as it takes, and holds no thread while it does.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Action, Context, EventSettings, Failure, Settings};

/// What is to be approved.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalInput {
    /// What it is about; the person who decides sees it.
    pub subject: String,
    /// How many seconds to wait for the decision; three days if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // `int32`, which utoipa would say of it, ends at half of what is taken.
    #[schema(nullable = false, minimum = 1, maximum = 4_294_967_295_u64, value_type = Option<u32>, format = Int64)]
    pub timeout_seconds: Option<NonZeroU32>,
}

/// The event `decision`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalDecision {
    /// Yes or no.
    pub approved: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub comment: Option<String>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalResult {
    /// Yes or no.
    pub approved: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub comment: Option<String>,
}

/// The action.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestApproval;

const DECISION: &str = "decision";
const THREE_DAYS: Duration = Duration::from_secs(3 * 24 * 3600);

impl Action for RequestApproval {
    const NAME: &'static str = "request-approval";
    type Input = ApprovalInput;
    type Output = ApprovalResult;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Ask a person for approval")
            .description(
                "Waits until somebody who holds the event link decides. Ask for that link with `?links=event:decision` and \
                 send it to whoever shall decide; the status link does not give it.",
            )
            .step_description(
                "Waits until a person decides, for three days or as long as you say. The operator of the server gives out the \
                 link for the decision.",
            )
            .event(EventSettings::new::<ApprovalDecision>(DECISION))
            .failure("approval-timeout", 422)
            .deadline(Duration::from_secs(30 * 24 * 3600))
            .pace(2)
            .callers_may_cancel()
            .caller_links(["cancel", "event:decision"])
            .example(serde_json::json!({ "subject": "Travel to the conference, 1,200 EUR", "timeoutSeconds": 86400 }))
            .output_example(serde_json::json!({ "approved": true, "comment": "Enjoy the conference" }))
    }

    async fn run(&self, cx: &mut Context<String>, request: ApprovalInput) -> Result<ApprovalResult, Failure> {
        cx.custom_status("Waiting for a decision".to_owned());
        let patience =
            request.timeout_seconds.map_or(THREE_DAYS, |seconds| Duration::from_secs(seconds.get().into()));
        let Some(ApprovalDecision { approved, comment }) = cx.event(DECISION, Some(patience)).await? else {
            return Err(Failure::new("approval-timeout", "nobody decided in time"));
        };
        cx.custom_status(if approved { "Approved" } else { "Declined" }.to_owned());
        Ok(ApprovalResult { approved, comment })
    }
}
