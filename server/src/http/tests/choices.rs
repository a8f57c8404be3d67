//! The page of an event link, and the form that it sends.

use http::Method;

use super::*;

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// An approval that waits: its status URL, and its event link.
async fn approval(world: &World, subject: &'static str) -> (String, String) {
    let answer = world.post("/v1/actions/request-approval?links=event:decision", &[], subject).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let link = answer.json()["links"]["event:decision"].as_str().unwrap().to_owned();
    (answer.header("location").to_owned(), link)
}

/// What a browser gets for the link.
async fn open(world: &World, link: &str) -> Page {
    Page::of(world.public.answer(request(Method::GET, link, &[HTML], ""), loopback()).await).await
}

/// What it gets for the page's form.
async fn submit(world: &World, link: &str, body: &'static str) -> Page {
    Page::of(world.public.answer(request(Method::POST, link, &[HTML, FORM], body), loopback()).await).await
}

#[derive(Debug)]
struct Page {
    status: u16,
    html: String,
}

impl Page {
    async fn of(answer: warp::reply::Response) -> Self {
        let (parts, body) = answer.into_parts();
        let header =
            |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        let policy = header("content-security-policy");
        for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{policy}");
        }
        for (name, value) in
            [("cache-control", "no-store"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")]
        {
            assert_eq!(header(name), value);
        }
        assert!(parts.headers.contains_key("x-request-id"));
        let html = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Self { status: parts.status.as_u16(), html }
    }

    fn buttons(&self) -> Vec<&str> {
        let values = self.html.split("<button name=\"choice\" value=\"").skip(1);
        values.map(|rest| rest.split('"').next().unwrap()).collect()
    }
}

#[tokio::test]
async fn opening_a_link_shows_its_choices_and_decides_nothing() {
    let world = World::new().await;
    let (location, link) = approval(&world, r#"{"subject":"<b>Travel</b> & \"more\""}"#).await;

    let page = open(&world, &link).await;
    let scanner = world.public.answer(request(Method::GET, &link, &[], ""), loopback()).await;
    let head = world.public.answer(request(Method::HEAD, &link, &[], ""), loopback()).await;

    assert_eq!((page.status, page.buttons()), (200, vec!["approve", "reject"]), "{page:?}");
    assert!(page.html.contains("&lt;b&gt;Travel&lt;/b&gt; &amp; &quot;more&quot;"), "{page:?}");
    assert_eq!((scanner.status().as_u16(), head.status().as_u16()), (200, 200));
    let view = world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;
    assert_eq!(view["status"], "Running");
}

#[tokio::test]
async fn a_link_may_lead_to_a_choice_and_still_decides_nothing() {
    let world = World::new().await;
    let (_, link) = approval(&world, r#"{"subject":"x"}"#).await;

    assert_eq!(open(&world, &format!("{link}&choice=reject")).await.buttons(), ["reject", "approve"]);
    assert_eq!(open(&world, &format!("{link}&choice=other")).await.buttons(), ["approve", "reject"]);
}

#[tokio::test]
async fn the_button_decides_once_and_the_page_says_how() {
    let world = World::new().await;
    let (location, link) = approval(&world, r#"{"subject":"x"}"#).await;

    let chosen = submit(&world, &link, "choice=approve").await;
    assert_eq!((chosen.status, chosen.buttons()), (202, vec![]));
    assert!(chosen.html.contains("Recorded: Approve."), "{chosen:?}");
    let view = world.until(&location, |view| view["status"] == "Succeeded").await;
    assert_eq!(view["output"]["approved"], true);

    let again = submit(&world, &link, "choice=approve").await;
    let other = submit(&world, &link, "choice=reject").await;
    let opened = open(&world, &format!("{link}&choice=reject")).await;
    assert_eq!((again.status, other.status, opened.status), (202, 409, 200));
    for page in [again, other, opened] {
        assert!(page.html.contains("Recorded: Approve.") && page.buttons().is_empty(), "{page:?}");
    }
}

#[tokio::test]
async fn a_page_says_that_somebody_else_was_faster_or_that_it_is_too_late() {
    let world = World::new().await;
    let (_, answered) = approval(&world, r#"{"subject":"x"}"#).await;
    world.send(request(Method::POST, &answered, &[], r#"{"approved":true,"comment":"By program"}"#)).await;
    let (location, canceled) = approval(&world, r#"{"subject":"x"}"#).await;
    world.call(Method::DELETE, &parts(&location).0, &[], "").await;
    world.until(&location, |view| view["status"] == "Canceled").await;

    for (link, says) in [(answered, "has been answered already"), (canceled, "ended before it was answered")]
    {
        let opened = open(&world, &link).await;
        let pressed = submit(&world, &link, "choice=approve").await;
        assert_eq!((opened.status, pressed.status), (200, 409), "{says}");
        for page in [opened, pressed] {
            assert!(page.html.contains(says) && page.buttons().is_empty(), "{page:?}");
        }
    }
}

#[tokio::test]
async fn a_form_makes_one_declared_choice_and_nothing_else() {
    let world = World::new().await;
    let (location, link) = approval(&world, r#"{"subject":"x"}"#).await;

    for body in [
        "",
        "choice=",
        "choice=other",
        "choice=approve&choice=reject",
        "approved=true",
        "{\"approved\":true}",
    ] {
        let page = submit(&world, &link, body).await;
        assert!(
            page.status == 422 && page.html.contains("expected one of approve, reject"),
            "{body}: {page:?}"
        );
        let answer = world.send(request(Method::POST, &link, &[FORM], body)).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (422, "invalid-input"), "{body}");
    }
    let view = world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;
    assert_eq!(view["status"], "Running");
    // Without a browser, the answer is that of every event.
    let sent = world.send(request(Method::POST, &link, &[FORM], "choice=reject")).await;
    assert_eq!((sent.status.as_u16(), sent.json()["id"].is_string()), (202, true));
}

#[tokio::test]
async fn a_page_is_for_whoever_has_the_link() {
    let world = World::new().await;
    let (location, link) = approval(&world, r#"{"subject":"secret-subject"}"#).await;
    let (event, _) = link.split_once('?').unwrap();
    let (_, status_token) = location.split_once('?').unwrap();

    for (url, headers, status) in [
        (event.to_owned(), vec![HTML], 401),
        (format!("{event}?{status_token}"), vec![HTML], 401),
        (format!("{event}?{status_token}"), vec![HTML, ("x-api-key", &*world.key)], 404),
        (link.replace("/decision", "/other"), vec![HTML], 401),
        (link.replace("request-approval", "countdown"), vec![HTML], 404),
    ] {
        let page =
            Page::of(world.public.answer(request(Method::GET, &url, &headers, ""), loopback()).await).await;
        assert_eq!(page.status, status, "{url} {page:?}");
        assert!(!page.html.contains("secret-subject"), "{page:?}");
        assert!(!page.html.contains("token="), "{page:?}");
    }
    // Programs get what they always get.
    let refused = world.get(event).await;
    assert_eq!((refused.status.as_u16(), &*refused.code()), (401, "unauthenticated"));
}

#[tokio::test]
async fn a_page_of_an_operation_that_is_no_longer_kept_says_so() {
    let world = World::new().await;
    let (location, link) = approval(&world, r#"{"subject":"x"}"#).await;
    world.call(Method::DELETE, &parts(&location).0, &[], "").await;
    world.until(&location, |view| view["status"] == "Canceled").await;

    world.clock.advance(Duration::from_secs(8 * 24 * 3600));

    let swept = async {
        while open(&world, &link).await.status == 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), swept).await.unwrap();
    let page = open(&world, &link).await;
    assert!(page.status == 410 && page.html.contains("no longer kept"), "{page:?}");
}
