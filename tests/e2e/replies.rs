//! What the server answers is what its document says: status, media type, headers and body.

use std::collections::BTreeSet;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Answer, TestServer};

/// A server with its document.
struct Documented {
    server: TestServer,
    document: Value,
    seen: BTreeSet<(String, String, u16)>,
}

impl Documented {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let document = server.get_bare("/openapi.json").await.json();
        Self { server, document, seen: BTreeSet::new() }
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.server.http.request(method, self.server.url(url)).bearer_auth(&self.server.key)
    }

    fn post(&self, url: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, url).json(body)
    }

    /// Sends the request and holds the answer against the document.
    async fn check(&mut self, request: RequestBuilder, status: u16) -> Answer {
        let (client, request) = request.build_split();
        let request = request.expect("a request");
        let (method, path) = (request.method().as_str().to_lowercase(), request.url().path().to_owned());
        let answer = Answer::to(RequestBuilder::from_parts(client, request)).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let template = self.template(&path);
        let response = resolved(
            &self.document,
            &self.document["paths"][&template][&method]["responses"][status.to_string()],
        );
        assert!(response.is_object(), "{method} {template} has no answer {status}");
        self.check_headers(&response, &answer);
        self.check_body(&response, &answer);
        self.seen.insert((template, method, status));
        answer
    }

    /// The path as the document writes it.
    fn template(&self, path: &str) -> String {
        let fits = |template: &&String| {
            let (ours, theirs): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
            ours.len() == theirs.len()
                && ours.iter().zip(&theirs).all(|(one, other)| one == other || *other == "{id}")
        };
        let paths = self.document["paths"].as_object().expect("paths");
        paths.keys().find(fits).unwrap_or_else(|| panic!("{path} is not in the document")).clone()
    }

    fn check_headers(&self, response: &Value, answer: &Answer) {
        let documented = response["headers"].as_object().cloned().unwrap_or_default();
        for (name, header) in &documented {
            let header = resolved(&self.document, header);
            match answer.headers.get(name) {
                Some(value) => {
                    let text = value.to_str().expect("visible ASCII");
                    let value = text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number));
                    self.validate(&header["schema"], &value, &format!("{name} of {answer:?}"));
                }
                None => assert_ne!(header["required"], true, "{name} is not in {answer:?}"),
            }
        }
        // What callers act upon is documented where it is sent.
        for name in ["location", "operation-location", "retry-after", "etag", "allow", "www-authenticate"] {
            let known = documented.keys().any(|documented| documented.eq_ignore_ascii_case(name));
            assert!(known || !answer.headers.contains_key(name), "{name} is not documented for {answer:?}");
        }
    }

    fn check_body(&self, response: &Value, answer: &Answer) {
        let Some(content) = response["content"].as_object() else {
            return assert!(answer.text.is_empty(), "a body is not documented for {answer:?}");
        };
        let media_type = answer.header("content-type");
        let documented = content
            .get(media_type)
            .unwrap_or_else(|| panic!("{media_type:?} is not documented for {answer:?}"));
        let body = if media_type == "text/event-stream" { json!(answer.text) } else { answer.json() };
        self.validate(&documented["schema"], &body, &format!("{answer:?}"));
    }

    fn validate(&self, schema: &Value, value: &Value, what: &str) {
        let mut schema = schema.clone();
        // References lead into the document, so the schema takes its components along.
        schema["components"] = self.document["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\nin {what}");
    }
}

/// What a `$ref` leads to.
fn resolved(document: &Value, value: &Value) -> Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            document.pointer(reference.trim_start_matches('#')).expect("a reference that leads").clone()
        }
        None => value.clone(),
    }
}

#[tokio::test]
async fn every_kind_of_answer_is_as_documented() {
    let mut documented = Documented::start().await;
    let api = &mut documented;
    let (get, delete) = (Method::GET, Method::DELETE);

    // One that waits, with links; canceled in the end.
    let start = "/v1/actions/request-approval";
    let waiting = api
        .check(api.post(&format!("{start}?links=cancel,event:decision"), &json!({ "subject": "s" })), 202)
        .await;
    let (location, monitor) = (waiting.location(), waiting.header("operation-location").to_owned());
    let resource = location.split('?').next().expect("a URL").to_owned();
    api.check(api.request(get.clone(), &location), 202).await;
    let tag = api.check(api.request(get.clone(), &monitor), 200).await.header("etag").to_owned();
    let same = api.request(get.clone(), &monitor).header("if-none-match", &tag);
    assert!([200, 304].contains(&Answer::to(same.try_clone().expect("no stream")).await.status));
    api.check(api.post(&format!("{resource}/events/decision"), &json!({ "approved": 1 })), 422).await;
    api.check(api.request(delete.clone(), &resource), 202).await;
    api.server.ended(&location).await;
    api.check(api.request(get.clone(), &location), 409).await;
    api.check(api.request(delete.clone(), &resource), 200).await;
    api.check(api.post(&format!("{resource}/events/decision"), &json!({ "approved": true })), 409).await;

    // One that gets its event.
    let decided = api.check(api.post(start, &json!({ "subject": "s" })), 202).await.location();
    let event = format!("{}/events/decision", decided.split('?').next().expect("a URL"));
    api.check(api.post(&event, &json!({ "approved": true, "comment": "yes" })), 202).await;
    api.server.ended(&decided).await;
    let tag = api.check(api.request(get.clone(), &decided), 200).await.header("etag").to_owned();
    api.check(api.request(get.clone(), &decided).header("if-none-match", tag), 304).await;

    let updates = decided.replace('?', "/events?");
    let told = api.check(api.request(get.clone(), &updates), 200).await.text;
    let id = told.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id");
    api.check(api.request(get.clone(), &updates).header("last-event-id", id), 204).await;

    // One that succeeds and one that fails, waited for and not.
    let start = "/v1/actions/countdown";
    let (good, bad) =
        (json!({ "seconds": 0, "steps": 2 }), json!({ "seconds": 0, "steps": 1, "fail": "no-luck" }));
    let succeeded = api.check(api.post(start, &good).header("prefer", "wait=20"), 200).await;
    api.check(api.request(delete, succeeded.location().split('?').next().expect("a URL")), 409).await;
    api.check(api.post(start, &bad).header("prefer", "wait=20"), 422).await;
    let failed = api.check(api.post(start, &bad), 202).await;
    api.server.ended(&failed.location()).await;
    api.check(api.request(get.clone(), &failed.location()), 422).await;
    let monitored = api.check(api.request(get.clone(), failed.header("operation-location")), 200).await;
    let tag = monitored.header("etag").to_owned();
    api.check(
        api.request(get.clone(), failed.header("operation-location")).header("if-none-match", tag),
        304,
    )
    .await;

    // A trigger, by its link: nothing, one; and what it does not know.
    let feed = "/v1/triggers/countdown/finished";
    let first = api.check(api.request(get.clone(), feed), 202).await.location();
    api.check(api.post(start, &good).header("prefer", "wait=20"), 200).await;
    api.check(api.server.http.get(&first), 200).await;
    api.check(api.request(get.clone(), &format!("{feed}?triggerState=x")), 400).await;
    let nobody = api.server.http.get(api.server.url(feed)).header("x-api-key", "rck_other");
    api.check(nobody, 401).await;
    let starter = api.server.key_with(&["start"], "starter").await;
    let others =
        api.server.http.get(api.server.url(&format!("{feed}?scope=all"))).header("x-api-key", starter);
    api.check(others, 404).await;

    // And what is refused.
    let key = ("idempotency-key", "one");
    api.check(api.post(start, &good).header(key.0, key.1), 202).await;
    api.check(api.post(start, &good).header(key.0, key.1), 202).await;
    api.check(api.post(start, &bad).header(key.0, key.1), 422).await;
    api.check(api.post(start, &good).header(key.0, "two words"), 400).await;
    api.check(api.request(Method::POST, start).body("{"), 400).await;
    api.check(api.request(Method::POST, start).header("content-type", "text/xml").body("<a/>"), 415).await;
    api.check(api.request(Method::POST, start).body(" ".repeat((1 << 20) + 1)), 413).await;
    api.check(api.post(start, &json!({ "seconds": "many", "steps": 1 })), 422).await;
    api.check(api.post(&format!("{start}?links=event:decision"), &good), 403).await;
    let nobody = |request: reqwest::RequestBuilder| request.header("x-api-key", "rck_other");
    api.check(nobody(api.server.http.post(api.server.url(start)).json(&good)), 401).await;
    let unknown = format!("{start}/operations/01900000-0000-7000-8000-000000000000");
    api.check(api.request(get.clone(), &unknown), 404).await;
    api.check(api.request(get.clone(), &format!("{unknown}/status")), 404).await;
    api.check(api.request(get, &format!("{unknown}/events")), 404).await;

    // Who is told of ends.
    let subscriptions = "/v1/subscriptions";
    let hook = json!({ "action": "countdown", "url": "https://hooks.example/ends" });
    let made = api.check(api.post(subscriptions, &hook), 201).await;
    let one = format!("{subscriptions}/{}", made.json()["id"].as_str().expect("an id"));
    api.check(api.request(Method::GET, &one), 200).await;
    api.check(api.post(&format!("{one}/secret"), &json!({})), 200).await;
    let inside = json!({ "action": "countdown", "url": "https://127.0.0.1/" });
    api.check(api.post(subscriptions, &inside), 422).await;
    api.check(api.post(start, &good).header("x-callback-url", "https://127.0.0.1/"), 422).await;
    api.check(nobody(api.server.http.post(api.server.url(subscriptions)).json(&hook)), 401).await;
    api.check(api.request(Method::DELETE, &one), 204).await;
    api.check(api.request(Method::DELETE, &one), 404).await;
    api.check(api.server.http.delete(made.location()), 410).await;

    assert!(documented.seen.len() >= 37, "{:?}", documented.seen);
}
