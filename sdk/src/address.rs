//! URLs: joined, resolved on every hop, and kept out of what people print.

use url::{Origin, Url};

use crate::Error;

/// Reads a URL that the caller gave.
pub(crate) fn parse(text: &str) -> Result<Url, Error> {
    // The text itself stays out of the message: it may be a status URL.
    let url = Url::parse(text)
        .map_err(|cause| Error::usage("the URL is not a valid absolute URL").because(cause))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Error::usage("the URL must begin with http:// or https:// and name a host"));
    }
    Ok(url)
}

/// `base` with further path segments. A base may have a path of its own, when the server is behind a gateway.
pub(crate) fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path.trim_start_matches('/').split('/'));
    }
    url
}

/// Where a `Location` leads, seen from the URL that was asked (RFC 3986). `None` if it leads nowhere: not a
/// URL, not HTTP, or from https to plain http, where the status URL could be read on the way.
pub(crate) fn resolve(asked: &Url, location: &str) -> Option<Url> {
    let mut url = asked.join(location.trim()).ok()?;
    url.set_fragment(None);
    let acceptable = match url.scheme() {
        "https" => true,
        "http" => asked.scheme() == "http",
        _ => false,
    };
    acceptable.then_some(url)
}

/// Whether two URLs share scheme, host and port, so that a credential for the one may go to the other.
pub(crate) fn same_origin(origin: &Origin, url: &Url) -> bool {
    *origin == url.origin()
}

/// Takes the secrets of a URL out of a text that came from elsewhere: servers like to repeat the URL that
/// they did not find.
pub(crate) fn without_secrets(text: &str, url: &Url) -> String {
    // Shorter values (`api-version=1`) are no secrets, and would tear holes into every text.
    const SECRET_LENGTH: usize = 12;
    let mut text = text.to_owned();
    for pair in url.query().unwrap_or_default().split('&') {
        let raw = pair.split_once('=').map_or(pair, |(_, value)| value);
        if raw.len() >= SECRET_LENGTH {
            text = text.replace(raw, "…");
        }
    }
    for (_, value) in url.query_pairs() {
        if value.len() >= SECRET_LENGTH {
            text = text.replace(&*value, "…");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_base_keeps_its_path_and_an_action_cannot_leave_its_segment() {
        let base = url("https://api.example/raincheck/?x=1#y");

        assert_eq!(
            join(&base, "/v1/actions/a b?c").as_str(),
            "https://api.example/raincheck/v1/actions/a%20b%3Fc"
        );
        assert_eq!(join(&url("http://h"), "/v1/x").as_str(), "http://h/v1/x");
    }

    #[test]
    fn locations_are_resolved_against_the_url_that_was_asked() {
        let asked = url("http://h/v1/actions/a/operations/1?token=t");

        assert_eq!(
            resolve(&asked, "2?token=u").unwrap().as_str(),
            "http://h/v1/actions/a/operations/2?token=u"
        );
        assert_eq!(resolve(&asked, "/x").unwrap().as_str(), "http://h/x");
        assert_eq!(resolve(&asked, "//other/x").unwrap().as_str(), "http://other/x");
        assert_eq!(resolve(&asked, "https://other/x#part").unwrap().as_str(), "https://other/x");
    }

    #[test]
    fn a_location_never_leaves_https_or_http_altogether() {
        let asked = url("https://h/a");

        assert_eq!(resolve(&asked, "http://h/b"), None);
        assert_eq!(resolve(&asked, "file:///etc/passwd"), None);
        assert_eq!(resolve(&asked, "http://[broken"), None);
    }

    #[test]
    fn the_token_of_a_url_is_taken_out_of_a_text() {
        let asked = url("http://h/a?api-version=1&token=abcdefghijklmnop%2Bq");

        let text = without_secrets("no /a?token=abcdefghijklmnop%2Bq, nor abcdefghijklmnop+q", &asked);

        assert_eq!(text, "no /a?token=…, nor …");
    }
}
