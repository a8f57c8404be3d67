//! Subscriptions and deliveries, as operators see them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::Timestamp;
use raincheck_openapi::ProblemCode;
use raincheck_openapi::management::{DeliveryPage, DeliverySummary, SubscriptionList, SubscriptionSummary};
use warp::reply::{Reply, Response};

use super::super::App;
use super::super::access::require;
use super::super::call::Call;
use super::super::problem::Problem;
use super::super::status::json;
use super::super::subscriptions::show_subscription;
use super::super::view::{self, Millis};
use super::{page_size, unusable};
use crate::auth::Caller;
use crate::delivery::{Delivery, DeliveryId, DeliveryState, Receiver};
use crate::store::subscriptions::{DeliveryFilter, DeliveryPlace};
use crate::subscription::{Subscription, SubscriptionId};

/// All subscriptions.
pub(crate) async fn subscriptions(call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    require(&app, &call, Caller::may_observe).await?;
    let subscriptions = app.webhooks.all().iter().map(|subscription| summary(subscription)).collect();
    Ok(json(StatusCode::OK, view::json(&SubscriptionList { subscriptions })))
}

/// Tells a disabled subscription again.
pub(crate) async fn enable(id: String, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    require(&app, &call, Caller::may_operate).await?;
    let id = subscription_id(&id)?;
    let enabled = app.webhooks.enable(id).await?.ok_or_else(no_subscription)?;
    Ok(json(StatusCode::OK, view::json(&summary(&enabled))))
}

/// Ends a subscription.
pub(crate) async fn remove(id: String, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    require(&app, &call, Caller::may_operate).await?;
    if app.webhooks.unsubscribe(subscription_id(&id)?).await? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Err(no_subscription())
}

/// A page of deliveries.
pub(crate) async fn deliveries(call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    require(&app, &call, Caller::may_observe).await?;
    let state = match call.parameter("state") {
        Some(word) => Some(state(&word).ok_or_else(|| unusable("state", "expecting, waiting or dead"))?),
        None => None,
    };
    let subscription = match call.parameter("subscription") {
        Some(id) => Some(id.parse().map_err(|_| unusable("subscription", "a subscription's id"))?),
        None => None,
    };
    let before = match call.parameter("cursor") {
        Some(cursor) => Some(read_cursor(&cursor).ok_or_else(|| unusable("cursor", "a page's `next`"))?),
        None => None,
    };
    let size = page_size(&call)?;
    let filter = DeliveryFilter { state, subscription };
    let mut deliveries = app.webhooks.deliveries(filter, before, size + 1).await?;
    let more = deliveries.len() > size;
    deliveries.truncate(size);
    let next = deliveries.last().filter(|_| more).map(|last| cursor(DeliveryPlace::of(last)));
    let deliveries = deliveries.iter().map(|delivery| shown(&app, delivery)).collect();
    Ok(json(StatusCode::OK, view::json(&DeliveryPage { deliveries, next })))
}

/// Tries a dead delivery again, as if it were new.
pub(crate) async fn replay(id: String, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    require(&app, &call, Caller::may_operate).await?;
    let detail = "there is no dead delivery of that id whose receiver is still there";
    let not_found = || Problem::new(ProblemCode::NotFound, detail);
    let id: DeliveryId = id.parse().map_err(|_| not_found())?;
    if app.webhooks.replay(id).await? { Ok(StatusCode::ACCEPTED.into_response()) } else { Err(not_found()) }
}

fn summary(subscription: &Subscription) -> SubscriptionSummary {
    SubscriptionSummary {
        view: show_subscription(subscription),
        caller: subscription.caller.to_string(),
        failing_since: subscription.failing_since.map(|since| Millis(since).to_string()),
    }
}

fn shown(app: &App, delivery: &Delivery) -> DeliverySummary {
    let Delivery { id, operation, receiver, state, attempts, created_at, due_at, error } = delivery;
    let (subscription, host) = match receiver {
        Receiver::Subscription(id) => (Some(*id), app.webhooks.find(*id).map(|found| found.url.host())),
        Receiver::Callback(url) => (None, Some(url.host())),
    };
    DeliverySummary {
        id: id.to_string(),
        operation: operation.to_string(),
        subscription: subscription.map(|id| id.to_string()),
        host,
        state: word(*state).to_owned(),
        attempts: *attempts,
        created_at: Millis(*created_at).to_string(),
        due_at: Millis(*due_at).to_string(),
        error: error.clone(),
    }
}

const fn word(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Expecting => "expecting",
        DeliveryState::Waiting => "waiting",
        DeliveryState::Dead => "dead",
    }
}

fn state(text: &str) -> Option<DeliveryState> {
    [DeliveryState::Expecting, DeliveryState::Waiting, DeliveryState::Dead]
        .into_iter()
        .find(|state| word(*state) == text)
}

fn subscription_id(id: &str) -> Result<SubscriptionId, Problem> {
    id.parse().map_err(|_| no_subscription())
}

fn no_subscription() -> Problem {
    Problem::new(ProblemCode::NotFound, "there is no such subscription")
}

// Opaque, so that what is in it may change.
fn cursor(DeliveryPlace { created_at, id }: DeliveryPlace) -> String {
    URL_SAFE_NO_PAD.encode([&created_at.as_millisecond().to_be_bytes()[..], id.as_bytes()].concat())
}

fn read_cursor(cursor: &str) -> Option<DeliveryPlace> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (created_at, id) = bytes.split_at_checked(8)?;
    Some(DeliveryPlace {
        created_at: Timestamp::from_millisecond(i64::from_be_bytes(created_at.try_into().ok()?)).ok()?,
        id: DeliveryId::from_bytes(id.try_into().ok()?),
    })
}
