//! Resuming: a token that was stored at any point of any dialect leads to the outcome.

use raincheck::{Client, Dialect, Operation, ResumeToken};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use crate::compact::{Reader, Writer};
use crate::support::*;

/// The same token, from a store that keeps JSON and from one that keeps what machines read.
fn stored(token: &ResumeToken) -> [ResumeToken; 2] {
    let text = serde_json::to_string(token).unwrap();
    let compact = token.serialize(Writer).unwrap();
    let restored = [serde_json::from_str(&text).unwrap(), ResumeToken::deserialize(Reader(compact)).unwrap()];
    assert!(restored.iter().all(|restored| restored == token));
    restored
}

/// A server that needs five polls, of which one fails; and two more for a result that is elsewhere.
async fn serve(dialect: Option<Dialect>) -> MockServer {
    let server = MockServer::start().await;
    let made = json!({"name": "made"});
    let uris = json!({"statusQueryGetUri": "/op?code=1", "terminatePostUri": "/end?code=1"});
    let resource = |state: &str| done(json!({"name": "made", "properties": {"provisioningState": state}}));
    let (start, running, ended) = match dialect {
        Some(Dialect::StatusMonitor) => {
            let monitor = |status: &str| done(json!({"status": status})).insert_header("retry-after", "0");
            (
                located("/other").insert_header("azure-asyncoperation", "/op"),
                monitor("Running"),
                monitor("Succeeded"),
            )
        }
        Some(Dialect::BodyState) => (resource("Creating"), resource("Updating"), resource("Succeeded")),
        Some(Dialect::DurableFunctions) => (
            ResponseTemplate::new(202).set_body_json(uris),
            done(json!({"runtimeStatus": "Running"})),
            done(json!({"runtimeStatus": "Completed", "output": made})),
        ),
        Some(_) => (located("/op"), located("/op"), done(made.clone())),
        None => {
            (ResponseTemplate::new(303).insert_header("location", "/op"), located("/op"), done(made.clone()))
        }
    };
    let broken = ResponseTemplate::new(503).insert_header("retry-after", "0");
    let polls = [running.clone(), broken.clone(), running.clone(), running, ended];
    if dialect == Some(Dialect::BodyState) {
        answers(&server, "GET", "/start", polls).await;
    } else {
        answers(&server, "GET", "/op", polls).await;
        answers(&server, "GET", "/start", [broken, done(made)]).await;
    }
    answers(&server, "PUT", "/start", [start]).await;
    answers(&server, "POST", "/end", [ResponseTemplate::new(202)]).await;
    server
}

async fn put(client: &Client, server: &MockServer) -> Operation<Value> {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    client.operation(http.put(format!("{}/start", server.uri()))).await.unwrap()
}

#[tokio::test]
async fn a_token_of_any_moment_in_any_dialect_leads_to_the_outcome() {
    let dialects = [Dialect::Location, Dialect::StatusMonitor, Dialect::BodyState, Dialect::DurableFunctions];
    for dialect in dialects.map(Some).into_iter().chain([None]) {
        for polls_before in 0..7 {
            let server = serve(dialect).await;
            let mut operation = put(&client(&server), &server).await;
            for _ in 0..polls_before {
                let _ = operation.poll().await;
            }
            let token = operation.token();
            drop(operation);

            for token in stored(&token) {
                let resumed: Operation<Value> = client(&server).attach(token);
                assert_eq!(resumed.dialect(), dialect);
                assert_eq!(resumed.await.unwrap()["name"], "made", "{dialect:?} after {polls_before} polls");
            }
        }
    }
}

#[tokio::test]
async fn a_monitor_that_said_succeeded_is_not_asked_again_after_a_resumption() {
    let server = serve(Some(Dialect::StatusMonitor)).await;
    let mut operation = put(&client(&server), &server).await;
    for _ in 0..5 {
        let _ = operation.poll().await;
    }
    let [token, _] = stored(&operation.token());
    let before = server.received_requests().await.unwrap().len();

    let resumed: Operation<Value> = client(&server).attach(token);
    resumed.await.unwrap();

    let requests = server.received_requests().await.unwrap();
    assert!(requests[before..].iter().all(|request| request.url.path() == "/start"));
}

#[tokio::test]
async fn an_orchestration_is_ended_with_a_stored_token() {
    let server = serve(Some(Dialect::DurableFunctions)).await;
    let [_, token] = stored(&put(&client(&server), &server).await.token());

    let mut resumed: Operation<Value> = client(&server).attach(token);
    resumed.cancel().await.unwrap();

    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[1].url.path(), "/end");
    assert!(requests[1].url.query().unwrap().contains("code=1"));
}

#[tokio::test]
async fn the_token_of_an_error_leads_to_the_outcome() {
    let server = serve(Some(Dialect::Location)).await;
    let mut operation = put(&client(&server), &server).await;
    operation.poll().await.unwrap();
    let failed = operation.poll().await.unwrap_err();

    let [token, _] = stored(failed.token().unwrap());
    let resumed: Operation<Value> = client(&server).attach(token);

    assert_eq!(resumed.await.unwrap()["name"], "made");
}

#[tokio::test]
async fn a_credential_that_expires_midway_leaves_a_token_for_a_client_with_a_new_one() {
    let server = MockServer::start().await;
    starts(&server, [accepted(&server, "0")]).await;
    polls(&server, [running("0"), ResponseTemplate::new(401), running("0"), succeeded(7)]).await;
    let operation: Operation<u32> = client(&server).start("countdown", &()).await.unwrap();

    let expired = operation.await.unwrap_err();
    let renewed = builder(server.uri()).api_key("rck_renewed").build().unwrap();
    let resumed: Operation<u32> = renewed.attach(expired.token().unwrap().clone());

    assert!(expired.is_unauthorized());
    assert_eq!(resumed.await.unwrap(), 7);
    let last = server.received_requests().await.unwrap().pop().unwrap();
    assert_eq!(header(&last, "authorization").unwrap(), "Bearer rck_renewed");
}

#[test]
fn a_compact_token_that_is_damaged_is_refused_without_repeating_it() {
    for damaged in
        ["", "http://h/a?token=secret", r#"{"v":1,"url":"secret"}"#, r#"{"v":2,"url":"http://h/secret"}"#]
    {
        let error = ResumeToken::deserialize(Reader(damaged.to_owned())).unwrap_err();

        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
