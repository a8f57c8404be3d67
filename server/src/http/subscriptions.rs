//! `/v1/subscriptions`: who is told of what has ended.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http::{HeaderValue, StatusCode, header};
use raincheck_openapi::subscription::{
    DeliveryFormat, NewSecret, NewSubscription, Outcome, Scope, SubscriptionView,
};
use raincheck_openapi::{InvalidField, ProblemCode, paths};
use tracing::info;
use warp::reply::{Reply, Response};

use super::App;
use super::body::{self, BodyLimits, Input};
use super::call::Call;
use super::problem::Problem;
use super::status::json;
use super::view::{self, Millis};
use crate::action::{Registered, fit};
use crate::auth::Caller;
use crate::capability::Verdict;
use crate::operation::State;
use crate::outbound::Refused;
use crate::subscription::{Disabled, Format, SecretUrl, SigningSecret, Subscription, SubscriptionId};
use crate::webhooks::Subscribe;

/// The longest URL that may be told.
const LONGEST_URL: usize = 4096;

/// What a caller may hear of a URL that is refused: not what a name leads to, and not what an operator allows.
const URL_EXPECTED: &str = "expected an https URL of a public host, without a user name and a password, of up to 4096 \
                            bytes; other places are for the operator of this server to allow";

/// Makes a subscription.
pub(crate) async fn subscribe<B: Buf, E>(
    call: Arc<Call>,
    app: Arc<App>,
    body: impl Stream<Item = Result<B, E>>,
) -> Result<Response, Problem> {
    let caller = app.caller(&call).await?.ok_or_else(Problem::unauthenticated)?;
    let asked: NewSubscription = read(&app, &call, body).await?;
    let NewSubscription { action, outcomes, url, scope, format, secret } = asked;
    let action = app.operations.action(&action).ok_or_else(|| {
        Problem::invalid(vec![InvalidField::member("/action", "this server has no action of that name")])
    })?;
    permit(&caller, &action, scope)?;
    let url = receiver(&app, &call, &url).map_err(|detail| refused("/url", detail))?;
    let secret = secret_of(secret)?;
    let wish = Subscribe {
        caller: Arc::clone(caller.name()),
        action: Arc::clone(action.name()),
        everybodys: scope == Scope::All,
        outcomes: outcomes.into_iter().map(state).collect(),
        format: domain_format(format),
        url,
        secret,
    };
    let Some(made) = app.webhooks.subscribe(wish).await? else {
        return Err(Problem::new(ProblemCode::TooManySubscriptions, "there are as many as there may be")
            .with_retry_after(crate::retry_after::busy(super::dice::throw())));
    };
    info!(
        request.id = call.id(), subscription.id = %made.id, caller = &**caller.name(),
        receiver.host = made.url.host(), "a subscription was made"
    );
    let view = SubscriptionView { secret: Some(made.secret.reveal()), ..show_subscription(&made) };
    let token = app.signer.sign_unsubscribe(made.link_key, made.id);
    let path = paths::subscription(&made.id.to_string());
    let location = format!("{}{path}?token={}", app.base(&call), token.reveal());
    let location = HeaderValue::from_maybe_shared(Bytes::from(location)).expect("a URL is visible ASCII");
    let mut answer = json(StatusCode::CREATED, view::json(&view));
    answer.headers_mut().insert(header::LOCATION, location);
    Ok(answer)
}

/// A subscription, for its owner and those who may observe.
pub(crate) async fn show(id: String, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    let caller = app.caller(&call).await?.ok_or_else(Problem::unauthenticated)?;
    let found = find(&app, &id).filter(|found| found.caller == *caller.name() || caller.may_observe());
    let found = found.ok_or_else(not_found)?;
    Ok(json(StatusCode::OK, view::json(&show_subscription(&found))))
}

/// Ends a subscription; by its link, its owner, or an operator. 410 to a link whose subscription is gone.
pub(crate) async fn unsubscribe(id: String, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    let parsed: Option<SubscriptionId> = id.parse().ok();
    let verdict = match (call.token(), parsed) {
        (Some(token), Some(id)) => app.signer.verify_unsubscribe(&token, id, app.operations.now()),
        _ => Verdict::NotGranted,
    };
    let by_link = verdict == Verdict::Granted;
    if !by_link {
        let caller = app.caller(&call).await?.ok_or_else(Problem::unauthenticated)?;
        find(&app, &id)
            .filter(|found| found.caller == *caller.name() || caller.may_operate())
            .ok_or_else(not_found)?;
    }
    let Some(id) = parsed else { return Err(not_found()) };
    if app.webhooks.unsubscribe(id).await? {
        info!(request.id = call.id(), subscription.id = %id, by_link, "a subscription was ended");
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if by_link {
        return Err(Problem::new(ProblemCode::LinkExpired, "the subscription has been ended, or replaced"));
    }
    Err(not_found())
}

/// Changes the secret of a subscription, for its owner.
pub(crate) async fn change_secret<B: Buf, E>(
    id: String,
    call: Arc<Call>,
    app: Arc<App>,
    body: impl Stream<Item = Result<B, E>>,
) -> Result<Response, Problem> {
    let caller = app.caller(&call).await?.ok_or_else(Problem::unauthenticated)?;
    let found = find(&app, &id).filter(|found| found.caller == *caller.name()).ok_or_else(not_found)?;
    let NewSecret { secret } = read(&app, &call, body).await?;
    let changed = app.webhooks.change_secret(found.id, secret_of(secret)?).await?.ok_or_else(not_found)?;
    info!(request.id = call.id(), subscription.id = %found.id, "a subscription has another secret");
    let view = SubscriptionView { secret: Some(changed.secret.reveal()), ..show_subscription(&changed) };
    Ok(json(StatusCode::OK, view::json(&view)))
}

/// The URL that a request names, if it may be told there.
///
/// # Errors
/// What is expected instead. Which rule forbids it goes to the log.
pub(crate) fn receiver(app: &App, call: &Call, url: &str) -> Result<SecretUrl, &'static str> {
    if url.len() > LONGEST_URL {
        return Err(URL_EXPECTED);
    }
    app.webhooks.url(url).map_err(|rule: Refused| {
        info!(request.id = call.id(), %rule, "a URL to be told at was refused");
        URL_EXPECTED
    })
}

/// What its owner sees of a subscription.
pub(crate) fn show_subscription(subscription: &Subscription) -> SubscriptionView {
    let Subscription {
        id,
        caller: _, // operators only
        action,
        everybodys,
        outcomes,
        format,
        url,
        secret: _,        // shown once
        former_secret: _, // never shown
        link_key: _,
        created_at,
        place: _,
        failing_since: _, // operators only
        disabled,
    } = subscription;
    let all = [Outcome::Succeeded, Outcome::Failed, Outcome::Canceled];
    let told = |outcome: &Outcome| outcomes.is_empty() || outcomes.contains(&state(*outcome));
    SubscriptionView {
        id: id.to_string(),
        action: action.to_string(),
        outcomes: all.into_iter().filter(told).collect(),
        scope: if *everybodys { Scope::All } else { Scope::Own },
        format: wire_format(*format),
        host: url.host(),
        created_at: Millis(*created_at).to_string(),
        disabled_at: disabled.as_ref().map(|Disabled { at, .. }| Millis(*at).to_string()),
        disabled_reason: disabled.as_ref().map(|Disabled { reason, .. }| reason.clone()),
        secret: None,
    }
}

// As with a start: everybody may know which actions there are, so nothing is given away.
fn permit(caller: &Caller, action: &Registered, scope: Scope) -> Result<(), Problem> {
    let starts = || action.names().any(|name| caller.may_start(name));
    let (may, detail) = match scope {
        Scope::All => (caller.may_observe(), "to be told of everybody's operations takes the role `observe`"),
        Scope::Own => (caller.may_observe() || starts(), "the key may not start that action"),
    };
    if may { Ok(()) } else { Err(Problem::new(ProblemCode::Forbidden, detail)) }
}

async fn read<T: serde::de::DeserializeOwned, B: Buf, E>(
    app: &App,
    call: &Call,
    body: impl Stream<Item = Result<B, E>>,
) -> Result<T, Problem> {
    let limits = &app.settings.limits;
    let body = body::read(call, body, BodyLimits { bytes: limits.body, time: limits.body_time }).await?;
    let asked = Input::read(call, body, None, fit::<T>).value?;
    asked.read().map_err(|error| Problem::internal().caused_by(error))
}

fn secret_of(text: Option<String>) -> Result<SigningSecret, Problem> {
    match text {
        Some(text) => SigningSecret::parse(&text).map_err(|error| refused("/secret", error.to_string())),
        None => Ok(SigningSecret::generate()),
    }
}

fn find(app: &App, id: &str) -> Option<Arc<Subscription>> {
    app.webhooks.find(id.parse().ok()?)
}

fn refused(pointer: &str, detail: impl Into<String>) -> Problem {
    Problem::invalid(vec![InvalidField::member(pointer, detail)])
}

fn not_found() -> Problem {
    Problem::new(ProblemCode::NotFound, "there is no such subscription")
}

const fn state(outcome: Outcome) -> State {
    match outcome {
        Outcome::Succeeded => State::Succeeded,
        Outcome::Failed => State::Failed,
        Outcome::Canceled => State::Canceled,
    }
}

const fn domain_format(format: DeliveryFormat) -> Format {
    match format {
        DeliveryFormat::CloudeventsStructured => Format::Structured,
        DeliveryFormat::CloudeventsBinary => Format::Binary,
        DeliveryFormat::View => Format::View,
    }
}

const fn wire_format(format: Format) -> DeliveryFormat {
    match format {
        Format::Structured => DeliveryFormat::CloudeventsStructured,
        Format::Binary => DeliveryFormat::CloudeventsBinary,
        Format::View => DeliveryFormat::View,
    }
}
