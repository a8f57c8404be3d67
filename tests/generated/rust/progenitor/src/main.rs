//! The client that progenitor makes, against a server: `with-progenitor BASE_URL`, with the key in `RAINCHECK_KEY`. It
//! starts one operation for each end and prints what it saw of each as a line of JSON.

use futures::future::try_join_all;
use serde_json::{Value, json};

// docs: begin progenitor
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, RETRY_AFTER};

// `Client`, `types`, and progenitor's own `Error` and `ResponseValue`.
progenitor::generate_api!("api.json");
use types::{CountdownInput, CountdownResult, CountdownStatus, Problem};

/// How long the server asks to wait.
fn pause(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(5))
}

async fn result(
    client: &Client,
    id: &uuid::Uuid,
    mut show: impl FnMut(&CountdownStatus),
) -> Result<Option<CountdownResult>, Error<Problem>> {
    loop {
        let answer: ResponseValue<CountdownStatus> = client.get_countdown(id, None, None).await?;
        if answer.status() == 200 {
            return Ok(answer.into_inner().output);
        }
        show(&answer);
        tokio::time::sleep(pause(answer.headers())).await;
    }
}
// docs: end progenitor

async fn seen(base: &str, end: &str, work: CountdownInput) -> Result<Value, Box<dyn std::error::Error>> {
    let key = std::env::var("RAINCHECK_KEY")?;
    // docs: begin progenitor-start
    let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {key}").parse()?)]);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    let client = Client::new_with_client(base, http);
    let accepted = client.start_countdown(None, None, None, None, &work).await?;
    tokio::time::sleep(pause(accepted.headers())).await;
    // docs: end progenitor-start
    let location = accepted.headers()["location"].to_str()?.to_owned();
    if end == "is-canceled" {
        // docs: begin progenitor-cancel
        client.cancel_countdown(&accepted.id).await?;
        // docs: end progenitor-cancel
    }
    let mut shown = Vec::new();
    let ended = result(&client, &accepted.id, |view| shown.push(view.custom_status.clone())).await;
    let mut seen = match ended {
        Ok(output) => {
            json!({ "http": 200, "status": "Succeeded", "steps": output.map(|output| output.steps) })
        }
        // docs: begin progenitor-failure
        Err(Error::ErrorResponse(problem)) => {
            let status = problem.operation.as_ref().map(|operation| operation.status);
            json!({ "http": problem.status, "status": status, "code": problem.code })
        }
        // docs: end progenitor-failure
        Err(error) => return Err(error.into()),
    };
    seen["end"] = json!(end);
    seen["id"] = json!(accepted.id);
    seen["location"] = json!(location);
    seen["shown"] = json!(shown);
    Ok(seen)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::args().nth(1).ok_or("usage: with-progenitor BASE_URL")?;
    let work = CountdownInput { seconds: 4.0, steps: 3.try_into()?, fail: None };
    let works = [
        ("succeeds", work.clone()),
        ("fails", CountdownInput { fail: Some("out-of-paper".into()), ..work.clone() }),
        ("is-canceled", CountdownInput { seconds: 60.0, ..work }),
    ];
    for line in try_join_all(works.map(|(end, work)| seen(&base, end, work))).await? {
        println!("{line}");
    }
    Ok(())
}
