use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const HEADER: HeaderName = HeaderName::from_static(headers::APIM_REFERRER_PREFIX);

fn gateway(text: &str) -> TrustedGateway {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn told(trusted: &[&str], lines: &[&str]) -> Option<String> {
    let trusted: Vec<_> = trusted.iter().map(|text| gateway(text)).collect();
    let headers = lines.iter().map(|line| (HEADER, HeaderValue::from_str(line).unwrap())).collect();
    prefix(&trusted, &headers)
}

#[test]
fn a_prefix_within_a_trusted_gateway_is_the_base() {
    for (trusted, line, base) in [
        ("https://gw.example", "https://gw.example", "https://gw.example"),
        ("https://gw.example", "https://gw.example/", "https://gw.example"),
        ("https://gw.example", "https://gw.example/apim/rc", "https://gw.example/apim/rc"),
        ("https://gw.example/", "HTTPS://GW.Example:443/apim/", "https://gw.example/apim"),
        ("https://gw.example:8443", "https://gw.example:8443/a", "https://gw.example:8443/a"),
        ("https://gw.example/apim", "https://gw.example/apim", "https://gw.example/apim"),
        ("https://gw.example/apim/", "https://gw.example/apim/rc-1", "https://gw.example/apim/rc-1"),
        ("https://*.apim.example", "https://eu-1.apim.example/rc", "https://eu-1.apim.example/rc"),
        ("https://*.apim.example", "https://a.b.apim.example", "https://a.b.apim.example"),
        ("https://10.0.0.7", "https://10.0.0.7/x", "https://10.0.0.7/x"),
        ("https://[fd00::7]", "https://[fd00::7]:443/x", "https://[fd00::7]/x"),
    ] {
        assert_eq!(told(&[trusted], &[line]).as_deref(), Some(base), "{line} within {trusted}");
    }
}

#[test]
fn a_prefix_outside_of_every_trusted_gateway_is_ignored() {
    let trusted = ["https://gw.example/apim", "https://*.apim.example/rc"];
    for line in [
        "",
        "gw.example/apim",
        "//gw.example/apim",
        "/apim",
        "http://gw.example/apim",
        "ftp://gw.example/apim",
        "https://gw.example",
        "https://gw.example/",
        "https://gw.example/apimposter",
        "https://gw.example/APIM",
        "https://gw.example:444/apim",
        "https://evil.example/apim",
        "https://gw.example.evil.example/apim",
        "https://evilgw.example/apim",
        "https://gw.example./apim",
        "https://apim.example/rc",
        "https://.apim.example/rc",
        "https://a..apim.example/rc",
        "https://evilapim.example/rc",
        "https://a.apim.example.evil.example/rc",
        "https://a.apim.example/x/rc",
        "https://*.apim.example/rc",
    ] {
        assert_eq!(told(&trusted, &[line]), None, "{line}");
    }
}

#[test]
fn a_prefix_that_parsers_may_read_differently_is_ignored() {
    for line in [
        "https://me@gw.example/apim",
        "https://me:secret@gw.example/apim",
        "https://gw.example@evil.example/apim",
        "https://gw.example:443@evil.example/apim",
        "https://@gw.example/apim",
        "https://gw.example/apim?x=1",
        "https://gw.example/apim?",
        "https://gw.example/apim#x",
        "https://gw.example/apim#",
        "https://gw.example#@evil.example/apim",
        "https://gw.example/apim/../x",
        "https://gw.example/apim/..",
        "https://gw.example/./apim",
        "https://gw.example/x/../apim",
        "https://gw.example/%2e%2e/apim",
        "https://gw.example/apim/.%2E/x",
        "https://gw.example/apim%2f..%2fx",
        "https://gw.example/apim/%20",
        "https://gw.example//apim",
        "https://gw.example/apim//",
        "https:/gw.example/apim",
        "https:///gw.example/apim",
        "https:\\\\gw.example\\apim",
        "https://evil.example\\@gw.example/apim",
        "https://evil.example\\.gw.example/apim",
        "https://gw.exa\tmple/apim",
        "https://gw.example /apim",
        "https://gw.example/apim, https://gw.example/apim",
        "https://%67w.example/apim",
        "https://gw%2eexample/apim",
        "https://gw.example:/apim/\"><script>",
        "https://gw.example:99999/apim",
        "https://gw.example:/apim",
        "https://gw.example:0443/apim",
        "https://xn--/apim",
    ] {
        assert_eq!(told(&["https://gw.example"], &[line]), None, "{line}");
    }
    let long = format!("https://gw.example/{}", "a".repeat(LONGEST_PREFIX));
    assert_eq!(told(&["https://gw.example"], &[&long]), None);
    assert_eq!(told(&["https://127.0.0.1"], &["https://127.1"]), None);
}

#[test]
fn a_repeated_header_is_ignored() {
    let line = "https://gw.example/apim";

    assert_eq!(told(&["https://gw.example"], &[line, line]), None);
    assert_eq!(told(&["https://gw.example"], &[line]).as_deref(), Some(line));
    assert_eq!(told(&[], &[line]), None);
    assert_eq!(told(&["https://gw.example"], &[]), None);
}

#[test]
fn a_configured_gateway_is_an_https_origin_with_a_path() {
    for text in [
        "https://gw.example",
        "https://gw.example:8443/apim/rc",
        "https://*.azure-apim.net",
        "https://*.azure-apim.net/apim",
        "https://[fd00::7]/x",
    ] {
        assert_eq!(gateway(text).to_string(), text);
    }
    for text in [
        "",
        "gw.example",
        "http://gw.example",
        "https://*",
        "https://*.net",
        "https://*.10.0.0.7",
        "https://a.*.example.com",
        "https://*a.example.com",
        "https://**.example.com",
        "https://*..example.com",
        "https://me@gw.example",
        "https://gw.example?x",
        "https://gw.example#x",
        "https://gw.example/../x",
        "https://gw.example/*",
    ] {
        assert_eq!(text.parse::<TrustedGateway>(), Err(NotAGateway), "{text}");
    }
}

const TRUSTED: [&str; 3] =
    ["https://gw.example/apim", "https://*.apim.example.net/rc/v1", "https://other.example:8443"];

/// What RFC 3986 and browsers agree on: the accepted base is what a plain reading of it says it is.
fn lies_within(base: &str) -> bool {
    let Some(rest) = base.strip_prefix("https://") else { return false };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let within =
        |root: &str| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    let clean = !path.contains(['?', '#', '\\', '%', '@'])
        && path.split('/').all(|segment| segment != "." && segment != "..");
    clean
        && match authority {
            "gw.example" => within("apim"),
            "other.example:8443" => true,
            host => {
                let label = host.strip_suffix(".apim.example.net");
                label.is_some_and(|label| {
                    !label.is_empty()
                        && label.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
                }) && within("rc/v1")
            }
        }
}

/// Texts made of the pieces that attacks on URL matchers are made of, around the real names.
fn attacks() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "https://",
        "http://",
        "HTTPS://",
        "https:",
        "//",
        "/",
        "\\",
        "@",
        ":",
        "443",
        "8443",
        "?",
        "#",
        "%2f",
        "%2e",
        "..",
        ".",
        "%00",
        "\t",
        " ",
        ",",
        ";",
        "*",
        "gw.example",
        "GW.EXAMPLE",
        "evil.example",
        "apim",
        "apim.example.net",
        "x.apim.example.net",
        "other.example",
        "rc",
        "v1",
        "evil",
        "[::1]",
        "127.0.0.1",
        "xn--",
        "-",
        "_",
        "a",
    ]);
    prop::collection::vec(pieces, 1..10).prop_map(|pieces| pieces.concat())
}

/// A true prefix with something written into it at some place.
fn tampered() -> impl Strategy<Value = String> {
    let whole = prop::sample::select(vec![
        "https://gw.example/apim/c1",
        "https://eu.apim.example.net/rc/v1/c1",
        "https://other.example:8443/c1",
    ]);
    (whole, any::<prop::sample::Index>(), attacks(), "[ -~\t]{0,4}").prop_map(|(whole, at, one, two)| {
        let at = at.index(whole.len() + 1);
        format!("{}{one}{two}{}", &whole[..at], &whole[at..])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn no_prefix_that_an_attacker_makes_leads_elsewhere(
        line in prop_oneof![attacks(), tampered(), "https://[ -~\t]{0,40}", "[ -~\t]{0,60}"],
    ) {
        if let Some(base) = told(&TRUSTED, &[&line]) {
            prop_assert!(lies_within(&base), "{line:?} was taken as {base:?}");
            // Another parser reads the answer's URLs in the same way.
            let uri: http::Uri = format!("{base}/v1/x?token=t").parse().unwrap();
            let url: Url = format!("{base}/v1/x?token=t").parse().unwrap();
            prop_assert_eq!(uri.host(), url.host_str());
            prop_assert_eq!(uri.path(), url.path());
            // And nothing was mended: the text says the same, but for case and the default port.
            let said = line.trim_matches(' ').trim_end_matches('/').to_ascii_lowercase().replace(":443", "");
            prop_assert_eq!(said, base.to_ascii_lowercase().replace(":443", ""));
        }
    }

    #[test]
    fn every_path_below_a_trusted_gateway_is_taken(label in "[a-z0-9]{1,12}", path in "(/[A-Za-z0-9_-]{1,12}){0,4}") {
        let line = format!("https://{label}.apim.example.net/rc/v1{path}");

        prop_assert_eq!(told(&TRUSTED, &[&line]), Some(line));
    }
}
