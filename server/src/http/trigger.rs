//! `GET /v1/triggers/{action}/finished`: what has ended of an action, for workflows that start with it.
//!
//! Logic Apps' contract for polling triggers: 202 while there is nothing new, 200 with what is new, and in either
//! `Location` the URL to poll next. That URL has all there is to remember (`asked`), so the server keeps nothing about
//! those who poll.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use self::asked::{Asked, Mode};
use super::call::Call;
use super::problem::Problem;
use super::status::{applied, json};
use super::view::{self, View};
use super::{App, access, prefer, start};
use crate::action::Registered;
use crate::auth::Caller;
use crate::capability::Trigger;
use crate::clock::after;
use crate::store::feed::{Feed, FeedPage};

mod asked;

/// What an answer asks for if there is more to be had at once.
const AT_ONCE: u32 = 0;
/// And after an answer that was held, or before the first one that will be.
const SOON: u32 = 1;

/// Answers what has ended since the state in the URL, or, without one, from where on that will be told.
pub(crate) async fn finished(action: String, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    let registered = start::find(&app, &action)?;
    let poll = Poll { app: &app, call: &call, action: &registered, named: &action };
    let asked = Asked::read(&call);
    let caller = poll.admit(asked.as_ref().ok()).await?;
    let asked = asked?;
    let Some(state) = asked.state else {
        // The first call sets the beginning; what ended before it is history.
        let page = FeedPage { finished: Vec::new(), next: app.operations.feed_end().await?, more: false };
        return Ok(poll.answer(&asked, &caller, &page, None));
    };

    let feed = Feed {
        actions: Vec::new(),
        caller: (!asked.everybodys).then(|| Arc::clone(caller.name())),
        outcomes: asked.outcomes.clone(),
    };
    let wish = prefer::wait(&call.headers, app.settings.wait_cap);
    let hold = wish.and_then(|seconds| Some((app.hold(caller.name())?, seconds)));
    let held = hold.as_ref().map(|(_, seconds)| *seconds);
    let until = held.map(|seconds| after(app.operations.now(), Duration::from_secs(seconds)));
    let page = app.operations.finished(&registered, feed, state, asked.mode.size(), until).await?;
    drop(hold);
    // A key may have been revoked while the answer was held.
    let caller = if held.is_some() { poll.admit(Some(&asked)).await? } else { caller };
    Ok(poll.answer(&asked, &caller, &page, held))
}

/// One poll of a trigger.
struct Poll<'a> {
    app: &'a App,
    call: &'a Call,
    action: &'a Registered,
    /// The name of the action in the URL.
    named: &'a str,
}

impl Poll<'_> {
    /// Who polls: the caller for whom a link was made that is good for what is asked, else the key's.
    ///
    /// A link stands for its caller and ends with the caller's key. Without `asked` (it could not be read) there is no
    /// telling what a link is good for.
    ///
    /// # Errors
    /// 401 without a credential, 410 for a link whose time is over, 404 for a key that may not follow everybody's.
    async fn admit(&self, asked: Option<&Asked>) -> Result<Arc<Caller>, Problem> {
        let everybodys = asked.is_some_and(|asked| asked.everybodys);
        let may = |caller: &Caller| !everybodys || caller.may_observe();
        let mut expired = false;
        if let Some(token) = self.call.token()
            && let Some(asked) = asked
            && let Some(link) =
                self.app.signer.verify_trigger(&token, &asked.trigger(self.named), self.app.operations.now())
        {
            expired = link.expired;
            if !expired
                && let Some(caller) = self.app.authenticator.named(&link.caller).await?
                && may(&caller)
            {
                return Ok(caller);
            }
        }
        match self.app.caller(self.call).await? {
            Some(caller) if may(&caller) => Ok(caller),
            Some(_) => Err(access::nothing_here()),
            None if expired => Err(access::expired()),
            None => Err(Problem::unauthenticated()),
        }
    }

    fn answer(&self, asked: &Asked, caller: &Caller, page: &FeedPage, held: Option<u64>) -> Response {
        let Self { app, call, action, named: _ } = self;
        let mut views = page.finished.iter().map(|finished| View::new(&finished.operation));
        let (status, body) = match asked.mode {
            _ if page.finished.is_empty() => (StatusCode::ACCEPTED, Bytes::new()),
            Mode::Single => (StatusCode::OK, view::json(&views.next())),
            Mode::Batch => (StatusCode::OK, view::json(&views.collect::<Vec<_>>())),
        };
        let is_there = !body.is_empty();
        let mut answer = if is_there { json(status, body) } else { empty(status) };
        // The first call is not held, since it is to say from where on ends are told.
        let begins_holding =
            asked.state.is_none() && prefer::wait(&call.headers, app.settings.wait_cap).is_some();
        let seconds = match held {
            _ if page.more && is_there => AT_ONCE,
            Some(_) => SOON,
            None if page.more || begins_holding => SOON,
            None => app.trigger_pace(),
        };
        let token =
            app.signer.sign_trigger(&asked.trigger(action.name()), caller.name(), app.operations.now());
        let base: Cow<'_, str> = app.base(call);
        let next = asked.next(&base, action.name(), page.next, token.reveal());
        let next = HeaderValue::from_maybe_shared(Bytes::from(next)).expect("a URL is visible ASCII");
        let headers = answer.headers_mut();
        headers.insert(header::RETRY_AFTER, seconds.into());
        headers.insert(header::LOCATION, next);
        applied(&mut answer, held);
        answer
    }
}

fn empty(status: StatusCode) -> Response {
    let mut answer = Response::new(Bytes::new().into());
    *answer.status_mut() = status;
    answer
}

impl Asked {
    /// What a link must be good for to be answered this.
    fn trigger(&self, action: &str) -> Trigger {
        Trigger { action: action.into(), everybodys: self.everybodys, outcomes: self.outcomes.clone() }
    }
}

impl App {
    fn trigger_pace(&self) -> u32 {
        u32::try_from(self.settings.trigger_retry_after.as_secs()).unwrap_or(u32::MAX).max(1)
    }
}
