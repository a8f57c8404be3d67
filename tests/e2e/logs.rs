//! The log of a whole story: it names operations, and gives nothing away.

use serde_json::{Value, json};

use crate::harness::{Answer, Launch, ServerProcess};

/// What only callers may know: it goes in as input, as an event, as a wrong credential.
const SECRETS: [&str; 6] = [
    "kn-title-7f3a",
    "kn-mail-7f3a@example.com",
    "kn-bio-7f3a",
    "kn-subject-7f3a",
    "kn-comment-7f3a",
    "kn-broken-7f3a",
];

/// What callers say so that operators find it.
const TRACKING: &str = "run-7f3a";
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct Story {
    ids: Vec<String>,
    tokens: Vec<String>,
}

#[tokio::test]
async fn a_log_names_operations_and_gives_nothing_away() {
    for format in ["text", "json"] {
        let launch = Launch::new().config(&format!(
            "[log]\nformat = \"{format}\"\nfilter = \"debug,raincheck_server=trace\"\n\
             [samples.submit_talk.moderation]\ntakes = \"10ms\"\n\
             [samples.submit_talk.shortlisting]\ntakes = \"10ms\"\n\
             [samples.submit_talk.selection]\ntakes = \"10ms\"\n"
        ));
        let server = launch.start().await;

        let Story { ids, tokens } = tell(&server).await;
        let key = server.key.clone();
        assert!(server.terminate().await.success());

        let log = launch.log();
        for id in ids.iter().map(String::as_str).chain([TRACKING, TRACE]) {
            assert!(log.contains(id), "{format}: nothing about {id} in\n{log}");
        }
        assert!(tokens.len() >= 8);
        for secret in SECRETS.into_iter().chain([key.as_str()]).chain(tokens.iter().map(String::as_str)) {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{format}: {secret} is in the log");
        }
        if format == "json" {
            for line in log.lines() {
                assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
            }
        }
    }
}

/// Everything that callers do, well and badly.
async fn tell(server: &ServerProcess) -> Story {
    let post =
        |path: &str, body: Value| server.http.post(server.url(path)).bearer_auth(&server.key).json(&body);
    let (mut ids, mut urls) = (Vec::new(), Vec::new());

    let talk = json!({
        "title": SECRETS[0], "description": "d", "track": "t",
        "speaker": { "name": "n", "email": SECRETS[1], "bio": SECRETS[2], "country": "c" }
    });
    let talk = Answer::to(post("/v1/actions/submit-talk", talk).header("idempotency-key", "k-1")).await;
    let approval =
        post("/v1/actions/request-approval?links=cancel,event:decision", json!({ "subject": SECRETS[3] }));
    let approval = Answer::to(approval).await;
    let countdown = json!({ "seconds": 0, "steps": 2, "fail": "no-luck" });
    let countdown = post("/v1/actions/countdown", countdown).header("x-ms-client-tracking-id", TRACKING);
    let countdown = Answer::to(countdown.header("traceparent", TRACE)).await;
    for answer in [&talk, &approval, &countdown] {
        assert_eq!(answer.status, 202, "{answer:?}");
        ids.push(answer.view().id);
        urls.extend([answer.location(), answer.header("operation-location").to_owned()]);
    }
    let links = approval.json()["links"].clone();
    let link = |name: &str| links[name].as_str().expect("a link").to_owned();
    urls.extend([link("cancel"), link("event:decision")]);

    let decision = json!({ "approved": true, "comment": SECRETS[4] });
    assert_eq!(Answer::to(server.http.post(link("event:decision")).json(&decision)).await.status, 202);
    for answer in [&talk, &approval, &countdown] {
        for url in [answer.location(), answer.header("operation-location").to_owned()] {
            Answer::to(server.http.get(&url).header("prefer", "wait=10")).await;
        }
    }
    let canceled =
        Answer::to(post("/v1/actions/request-approval?links=cancel", json!({ "subject": SECRETS[3] }))).await;
    let cancel = canceled.json()["links"]["cancel"].as_str().expect("a link").to_owned();
    assert_eq!(Answer::to(server.http.delete(&cancel)).await.status, 202);
    ids.push(canceled.view().id);
    urls.extend([cancel, canceled.location()]);

    let follow = server.http.get(server.url("/v1/triggers/countdown/finished")).bearer_auth(&server.key);
    let trigger = Answer::to(follow).await.location();
    urls.extend([Answer::to(server.http.get(&trigger)).await.location(), trigger]);

    // And what goes wrong.
    let bad = server.http.post(server.url("/v1/actions/countdown")).bearer_auth(&server.key);
    assert_eq!(Answer::to(bad.body(format!("{{\"{}", SECRETS[5]))).await.status, 400);
    let unfit = json!({ "seconds": SECRETS[5], "steps": 1 });
    assert_eq!(Answer::to(post("/v1/actions/countdown", unfit)).await.status, 422);
    let foreign = talk.location().replace("submit-talk", "countdown");
    assert_eq!(Answer::to(server.http.get(foreign)).await.status, 404);
    let bent = format!("{}x{}", talk.location(), SECRETS[5]);
    assert_eq!(Answer::to(server.http.get(bent)).await.status, 401);
    assert_eq!(Answer::to(server.http.get(server.url("/v1")).bearer_auth(SECRETS[5])).await.status, 404);
    for path in ["/admin/v1/operations".to_owned(), format!("/admin/v1/operations/{}/journal", ids[0])] {
        assert_eq!(
            Answer::to(server.http.get(server.admin(&path)).bearer_auth(&server.key)).await.status,
            200
        );
    }
    let links = server.http.post(server.admin(&format!("/admin/v1/operations/{}/links", ids[0])));
    let links =
        Answer::to(links.bearer_auth(&server.key).json(&json!({ "rights": ["status", "cancel"] }))).await;
    urls.extend(
        ["status", "cancel"].map(|right| links.json()["links"][right].as_str().expect("a link").to_owned()),
    );

    let tokens = urls.iter().map(|url| url.split_once("token=").expect("a link").1.to_owned()).collect();
    Story { ids, tokens }
}
