//! `request-approval`: waits for a person, for as long as it takes, and holds no thread while it does.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::notify::{Asked, Links};
use crate::{Action, Context, EventSettings, Failure, FailureKind, Question, RetryPolicy, Settings};

mod notify;

pub use self::notify::{Message, Notifier};

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

/// The action: waits for the event `decision`, whose link opens a page with two buttons.
#[derive(Debug, Clone, Default)]
pub struct RequestApproval {
    /// Who is told that a decision is asked for. `None`: whoever starts an approval passes its link on.
    pub notifier: Option<Notifier>,
    /// After how long they are told again. `None`: they are not.
    pub remind_after: Option<Duration>,
}

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
                 send it to whoever shall decide: opened in a browser, it shows a page with two buttons, and only \
                 these decide. The status link does not give it.",
            )
            .event(
                EventSettings::new::<ApprovalDecision>(DECISION)
                    .choice("approve", "Approve", serde_json::json!({ "approved": true }))
                    .choice("reject", "Reject", serde_json::json!({ "approved": false }))
                    .asks(|request: ApprovalInput| Question {
                        title: "Your approval is asked for".to_owned(),
                        text: request.subject,
                    }),
            )
            .step_description(
                "Waits until a person decides, for three days or as long as you say. The operator of the server gives out the \
                 link for the decision.",
            )
            .failure("approval-timeout", 422)
            .failure("notification-failed", 424)
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
        let told = cx.operation().to_string();
        let links = Links {
            page: cx.event_url(DECISION)?,
            approve: cx.choice_url(DECISION, "approve")?,
            reject: cx.choice_url(DECISION, "reject")?,
        };
        let asked = Asked { subject: &request.subject, operation: &told, links: &links, again: false };
        // Its result is in the journal: what is under way stays as it is when the configuration changes.
        let remind_after: Option<Duration> = cx
            .step("notify", async |step| {
                self.tell(asked, &step.idempotency_key()).await?;
                Ok::<_, Failure>(self.remind_after)
            })
            .retry(persistent())
            .await?;
        let mut decision = None;
        let mut left = patience;
        if let Some(first) = remind_after.filter(|first| *first < patience) {
            decision = cx.event(DECISION, Some(first)).await?;
            left = patience - first;
            if decision.is_none() {
                let again = Asked { again: true, ..asked };
                let reminded = cx
                    .step("remind", async |step| self.tell(again, &step.idempotency_key()).await)
                    .retry(persistent());
                match reminded.await {
                    Ok(()) => cx.custom_status("Waiting for a decision, after a reminder".to_owned()),
                    Err(failure) if failure.kind() == FailureKind::Canceled => return Err(failure),
                    // They were told once; the decision may still come. The engine has logged why.
                    Err(_) => {}
                }
            }
        }
        if decision.is_none() {
            decision = cx.event(DECISION, Some(left)).await?;
        }
        let Some(ApprovalDecision { approved, comment }) = decision else {
            return Err(Failure::new("approval-timeout", "nobody decided in time"));
        };
        cx.custom_status(if approved { "Approved" } else { "Declined" }.to_owned());
        Ok(ApprovalResult { approved, comment })
    }
}

impl RequestApproval {
    async fn tell(&self, asked: Asked<'_>, idempotency_key: &str) -> Result<(), Failure> {
        match &self.notifier {
            Some(notifier) => notifier.tell(asked, idempotency_key).await,
            None => Ok(()),
        }
    }
}

/// For about ten minutes: a chat or a mail service that is down for a moment keeps nobody from deciding.
fn persistent() -> RetryPolicy {
    RetryPolicy::new(12)
}
