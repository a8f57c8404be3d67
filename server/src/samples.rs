//! The actions of the default binary, each written as a user would write it.

mod countdown;
mod request_approval;
mod submit_talk;

pub use countdown::{Countdown, CountdownInput, CountdownResult};
pub use request_approval::{
    ApprovalDecision, ApprovalInput, ApprovalResult, Message, Notifier, RequestApproval,
};
pub use submit_talk::{Decision, Desk, Outcome, Presentation, Speaker, Stage, SubmitTalk, Verdict};
