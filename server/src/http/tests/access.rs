use http::Method;

use super::*;

const UNKNOWN: &str = "0198f3a0-5c1e-7abc-8def-0123456789ab";

#[tokio::test]
async fn an_unknown_operation_and_somebody_elses_are_the_same_404() {
    let world = World::new().await;
    let (url, _) = parts(&world.approval().await);
    let other = world.key_with(&["start"], "other").await;
    let ask = async |url: &str| {
        let answer = world.send(request(Method::GET, url, &[("x-api-key", &other)], "")).await;
        let id = url.rsplit('/').next().unwrap();
        answer.text.replace(id, "ID").replace(answer.header("x-request-id"), "REQUEST")
    };

    let foreign = ask(&url).await;

    let (base, _) = url.rsplit_once('/').unwrap();
    assert_eq!(foreign, ask(&format!("{base}/{UNKNOWN}")).await);
    assert_eq!(foreign, ask(&format!("{base}/nonsense")).await);
    let wrong_action = url.replace("request-approval", "countdown");
    assert_eq!(foreign.replace("request-approval", "countdown"), ask(&wrong_action).await);
}

#[tokio::test]
async fn without_a_credential_that_grants_the_answer_is_401() {
    let world = World::new().await;
    let location = world.approval().await;
    let (url, token) = parts(&location);
    let (other, _) = parts(&world.approval().await);
    let flipped: String = token.chars().rev().collect();

    for target in [
        url.clone(),
        format!("{url}?token={flipped}"),
        format!("{url}?token={token}&token={token}"),
        format!("{other}?token={token}"),
        url.replace(url.rsplit('/').next().unwrap(), "nonsense"),
    ] {
        let answer = world.get(&target).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (401, "unauthenticated"), "{target}");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"raincheck\"");
    }
}

#[tokio::test]
async fn a_status_link_does_one_thing() {
    let world = World::new().await;
    let location = world.approval().await;
    let (url, token) = parts(&location);

    for (method, target) in [
        (Method::DELETE, location.clone()),
        (Method::POST, format!("{url}/events/decision?token={token}")),
        (Method::POST, format!("/v1/actions/request-approval?token={token}")),
        (Method::GET, location.replace("request-approval", "countdown")),
    ] {
        let answer = world.send(request(method.clone(), &target, &[], "{}")).await;
        assert!(matches!(answer.status.as_u16(), 401 | 404), "{method} {target}: {answer:?}");
    }
}

#[tokio::test]
async fn a_link_and_a_key_together_are_fine_and_the_one_that_grants_wins() {
    let world = World::new().await;
    let location = world.approval().await;
    let other = world.key_with(&["start"], "other").await;

    let by_link = world.send(request(Method::GET, &location, &[("x-api-key", &other)], "")).await;
    assert_eq!(by_link.status, 202);

    let (url, _) = parts(&location);
    let by_key = world.call(Method::GET, &format!("{url}?token=garbage"), &[], "").await;
    assert_eq!(by_key.status, 202);
}

#[tokio::test]
async fn observers_read_and_only_operators_and_allowed_starters_cancel() {
    let world = World::new().await;
    let (url, _) = parts(&world.approval().await);
    let observer = world.key_with(&["observe"], "observer").await;
    let operator = world.key_with(&["operate"], "operator").await;

    let seen = world.send(request(Method::GET, &url, &[("x-api-key", &observer)], "")).await;
    assert_eq!(seen.status, 202);
    let refused = world.send(request(Method::DELETE, &url, &[("x-api-key", &observer)], "")).await;
    assert_eq!(refused.status, 404);
    let asked = world.send(request(Method::DELETE, &url, &[("x-api-key", &operator)], "")).await;
    assert!(asked.status.is_success(), "{asked:?}");
}

#[tokio::test]
async fn a_start_needs_the_role_start() {
    let world = World::new().await;
    let operator = world.key_with(&["operate"], "operator").await;

    let forbidden =
        world.send(request(Method::POST, "/v1/actions/countdown", &[("x-api-key", &operator)], "{}")).await;
    assert_eq!((forbidden.status.as_u16(), &*forbidden.code()), (403, "forbidden"));
    let unknown =
        world.send(request(Method::POST, "/v1/actions/countdown", &[("x-api-key", "rck_x")], "{}")).await;
    assert_eq!((unknown.status.as_u16(), &*unknown.code()), (401, "unauthenticated"));
}

#[tokio::test]
async fn a_genuine_link_whose_time_is_over_says_so() {
    let world = World::new().await;
    let (url, _) = parts(&world.approval().await);
    let id = url.rsplit('/').next().unwrap();
    let Some(crate::store::Found::Operation(operation)) =
        world.app.operations.read(id.parse().unwrap()).await.unwrap()
    else {
        panic!("it is there");
    };
    let mut short = (*operation.origin).clone();
    short.deadline = operation.created_at;
    short.retention = Duration::ZERO;
    let link = world.app.signer.link_url("", &short, &crate::capability::Right::Status);
    world.clock.advance(Duration::from_secs(2));

    let expired = world.get(&link).await;
    assert_eq!((expired.status.as_u16(), &*expired.code()), (410, "link-expired"));
    let with_key = world.call(Method::GET, &link, &[], "").await;
    assert_eq!(with_key.status, 202);
}
