//! Who may do what: a link that grants, or a key, in the order that the contract gives them.

use std::sync::Arc;

use raincheck_openapi::ProblemCode;

use super::App;
use super::call::Call;
use super::problem::Problem;
use crate::auth::Caller;
use crate::capability::{Right, Verdict};
use crate::operation::{Operation, OperationId};
use crate::store::Found;

/// A caller who was let in to an operation.
pub(crate) struct Admitted {
    pub(crate) operation: Arc<Operation>,
    /// The key it used, if not a link.
    pub(crate) caller: Option<Arc<Caller>>,
    /// The link's token, if it used one.
    pub(crate) token: Option<String>,
}

impl Admitted {
    /// On whose account its held answers go: a link's on that of the operation's owner.
    pub(crate) fn account(&self) -> &Arc<str> {
        self.caller.as_ref().map_or(&self.operation.caller, |caller| caller.name())
    }
}

/// Lets a caller in to the operation `id` of `action` by a link for `right`, or by a key that `admits` says yes to.
///
/// # Errors
/// In this order: 410 for a genuine link whose time is over, 404 for a valid key, else 401. A tombstone is 410 for
/// its links and its owner, and not there for everyone else.
pub(crate) async fn admit(
    app: &App,
    call: &Call,
    action: &str,
    id: &str,
    right: &Right,
    admits: impl Fn(&Caller, &Operation) -> bool,
) -> Result<Admitted, Problem> {
    // An id that is none is treated like one that is unknown: nobody learns the difference.
    let id: Option<OperationId> = id.parse().ok();
    let token = call.token();
    let verdict = match (&token, id) {
        (Some(token), Some(id)) => app.signer.verify(token, id, right, app.operations.now()),
        _ => Verdict::NotGranted,
    };
    let caller = match verdict {
        Verdict::Granted => None,
        Verdict::Expired | Verdict::NotGranted => app.caller(call).await?,
    };
    if verdict == Verdict::NotGranted && caller.is_none() {
        return Err(Problem::unauthenticated());
    }
    let found = match id {
        Some(id) => app.operations.read(id).await?,
        None => None,
    };
    // What was read is under the name that its action has now; links go on to have the one that it had.
    let renamed = app.operations.registry().renamed(action).cloned();
    let action = renamed.as_deref().unwrap_or(action);
    match found {
        Some(Found::Operation(operation)) if &*operation.action == action => {
            if verdict == Verdict::Granted {
                let token = token.map(std::borrow::Cow::into_owned);
                return Ok(Admitted { operation, caller: None, token });
            }
            match caller {
                Some(caller) if admits(&caller, &operation) => {
                    Ok(Admitted { operation, caller: Some(caller), token: None })
                }
                _ if verdict == Verdict::Expired => Err(expired()),
                _ => Err(Problem::not_found()),
            }
        }
        Some(Found::Gone(tombstone)) if &*tombstone.action == action => {
            let owner = caller.is_some_and(|caller| *caller.name() == tombstone.caller);
            match verdict {
                Verdict::Granted => Err(gone()),
                _ if owner => Err(gone()),
                Verdict::Expired => Err(expired()),
                Verdict::NotGranted => Err(Problem::not_found()),
            }
        }
        // Forgotten, never there, or of another action. A link that was good once is not a key.
        _ if verdict == Verdict::Expired && caller.is_none() => Err(Problem::unauthenticated()),
        _ => Err(Problem::not_found()),
    }
}

/// The caller, who must have a key with the role that `may` asks for.
///
/// # Errors
/// 401 without a valid key; 404 if the key has not got the role, whatever there is to be seen with it.
pub(crate) async fn require(
    app: &App,
    call: &Call,
    may: impl Fn(&Caller) -> bool,
) -> Result<Arc<Caller>, Problem> {
    let caller = app.caller(call).await?.ok_or_else(Problem::unauthenticated)?;
    if may(&caller) { Ok(caller) } else { Err(nothing_here()) }
}

/// The answer to a valid key that has not got the role, whatever there is to be seen with it.
pub(crate) fn nothing_here() -> Problem {
    Problem::new(ProblemCode::NotFound, "there is nothing here for this key")
}

pub(crate) fn gone() -> Problem {
    Problem::new(ProblemCode::OperationGone, "the operation has ended and is no longer kept")
}

/// The operation in `found`, for somebody who may know of it.
pub(crate) fn kept(found: Found) -> Result<Arc<Operation>, Problem> {
    match found {
        Found::Operation(operation) => Ok(operation),
        Found::Gone(_) => Err(gone()),
    }
}

pub(crate) fn expired() -> Problem {
    Problem::new(ProblemCode::LinkExpired, "the link was genuine, but its time is over")
}
