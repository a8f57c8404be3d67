//! URLs: joined, resolved on every hop, and kept out of what people print.

use url::Url;

use crate::Error;

/// Reads a URL that the caller gave.
pub(crate) fn parse(text: &str) -> Result<Url, Error> {
    // The text itself stays out of the message: it may be a status URL.
    let url = Url::parse(text)
        .map_err(|cause| Error::usage("the URL is not a valid absolute URL").because(cause))?;
    acceptable(&url)?;
    Ok(url)
}

/// Whether a request can go to this URL at all.
pub(crate) fn acceptable(url: &Url) -> Result<(), Error> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Error::usage("the URL must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::usage("a URL takes no user name and password here; send them in a header"));
    }
    Ok(())
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

/// How the URLs in answers are taken.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    /// What lies below the first URL is asked for below the second.
    pub(crate) rewrites: Vec<(Url, Url)>,
}

impl Routes {
    /// Where a `Location` leads, seen from the URL that was asked (RFC 3986). `None` if it leads nowhere: not
    /// a URL, not HTTP, or from https to plain http, where the status URL could be read on the way.
    pub(crate) fn resolve(&self, asked: &Url, location: &str) -> Option<Url> {
        let location = location.trim();
        // By the letter of RFC 3986 an empty one leads back to the start; it is a server that had nothing to
        // say.
        if location.is_empty() {
            return None;
        }
        let url = bare(asked.join(location).ok()?);
        let url = self
            .rewrites
            .iter()
            .find_map(|(from, to)| moved(&url, from, to).or_else(|| behind(asked, location, &url, from, to)))
            .unwrap_or(url);
        let acceptable = match url.scheme() {
            "https" => true,
            "http" => asked.scheme() == "http",
            _ => false,
        };
        acceptable.then_some(url)
    }
}

/// Without what is never sent: a fragment, and a user name and password, which nobody may put into the mouth
/// of a client.
fn bare(mut url: Url) -> Url {
    if url.as_str().bytes().any(|byte| matches!(byte, b'#' | b'@')) {
        url.set_fragment(None);
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    url
}

/// What a server behind a gateway means by a relative `Location`: it knows its own paths, not the gateway's.
/// `None` if the gateway has put in its own already.
fn behind(asked: &Url, location: &str, plain: &Url, from: &Url, to: &Url) -> Option<Url> {
    if Url::parse(location).is_ok() || plain.origin() != to.origin() || moved(plain, to, from).is_some() {
        return None;
    }
    let inside = moved(asked, to, from)?.join(location).ok()?;
    moved(&bare(inside), from, to)
}

/// The URL moved from below `from` to below `to`, if it lies there, by whole segments of the path.
fn moved(url: &Url, from: &Url, to: &Url) -> Option<Url> {
    let rest =
        Origin::of(from).has(url).then(|| url.path().strip_prefix(from.path().trim_end_matches('/')))??;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let mut moved = to.clone();
    moved.set_path(&format!("{}{rest}", to.path().trim_end_matches('/')));
    moved.set_query(url.query());
    Some(moved)
}

/// Scheme, host and port of an http or https URL: what a credential is bound to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    secure: bool,
    port: u16,
    host: Box<str>,
}

impl Origin {
    pub(crate) fn of(url: &Url) -> Self {
        Self {
            secure: url.scheme() == "https",
            port: port(url),
            host: url.host_str().unwrap_or_default().into(),
        }
    }

    /// Whether the URL lies on this origin, so that a credential may go there.
    pub(crate) fn has(&self, url: &Url) -> bool {
        let scheme = if self.secure { "https" } else { "http" };
        url.scheme() == scheme && self.port == port(url) && url.host_str() == Some(&*self.host)
    }
}

fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or_default()
}

/// Takes the secrets of a URL out of a text that came from elsewhere: servers like to repeat the URL that
/// they did not find.
pub(crate) fn without_secrets(text: &str, url: &Url) -> String {
    // Shorter values (`api-version=1`) are no secrets, and would tear holes into every text.
    const SECRET_LENGTH: usize = 12;
    // The whole of it, however short its token is or wherever in the path.
    let whole = url.as_str();
    let mut text = if url.path().len() > 1 { text.replace(whole, "…") } else { text.to_owned() };
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

/// A text without the queries of the URLs in it, known or not: that is where tokens are.
pub(crate) fn without_queries(text: &str) -> String {
    let mut parts = text.split('?');
    let mut legible = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        legible.push('?');
        let ends = |c: char| c.is_whitespace() || "\"'<>(){}[],;\\".contains(c);
        let (word, rest) = part.split_at(part.find(ends).unwrap_or(part.len()));
        legible.push_str(if word.contains('=') { "…" } else { word });
        legible.push_str(rest);
    }
    legible
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

    fn resolve(asked: &Url, location: &str) -> Option<Url> {
        Routes::default().resolve(asked, location)
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
    fn an_empty_location_leads_nowhere_and_a_user_name_in_one_is_dropped() {
        let asked = url("https://h/a");

        assert_eq!(resolve(&asked, "  "), None);
        assert_eq!(resolve(&asked, "//me:secret@other/x").unwrap().as_str(), "https://other/x");
    }

    #[test]
    fn a_location_never_leaves_https_or_http_altogether() {
        let asked = url("https://h/a");

        assert_eq!(resolve(&asked, "http://h/b"), None);
        assert_eq!(resolve(&asked, "file:///etc/passwd"), None);
        assert_eq!(resolve(&asked, "http://[broken"), None);
    }

    #[test]
    fn a_server_behind_a_gateway_is_asked_through_it() {
        let rewrites = vec![(url("http://inside:8080/api/"), url("https://gateway/rain"))];
        let routes = Routes { rewrites };
        let asked = url("https://gateway/rain/start");
        let resolved = |location: &str| routes.resolve(&asked, location).map(String::from);

        assert_eq!(resolved("http://inside:8080/api/op/1?t=2").unwrap(), "https://gateway/rain/op/1?t=2");
        assert_eq!(resolved("https://elsewhere/op/1").unwrap(), "https://elsewhere/op/1");
        // Not below the prefix, so still plain http.
        assert_eq!(resolved("http://inside:8080/apiary"), None);
        assert_eq!(resolved("http://inside/api/op/1"), None);
    }

    #[test]
    fn a_relative_location_behind_a_gateway_is_meant_from_inside() {
        let through = |from: &str, location: &str| {
            let routes = Routes { rewrites: vec![(url(from), url("https://gateway/rain"))] };
            routes.resolve(&url("https://gateway/rain/a/1"), location).map(String::from).unwrap()
        };

        for from in ["http://inside:8080/api", "http://inside:8080"] {
            assert_eq!(through(from, "2?t=3"), "https://gateway/rain/a/2?t=3");
            assert_eq!(through(from, "/rain/a/2"), "https://gateway/rain/a/2");
        }
        assert_eq!(through("http://inside:8080/api", "/api/b/2"), "https://gateway/rain/b/2");
        assert_eq!(through("http://inside:8080", "/b/2"), "https://gateway/rain/b/2");
        assert_eq!(through("http://inside:8080", "https://gateway/b/2"), "https://gateway/b/2");
        assert_eq!(through("http://inside:8080/api", "/else"), "https://gateway/else");
        assert_eq!(through("http://inside:8080", "//other/b"), "https://other/b");
    }

    #[test]
    fn queries_are_taken_out_of_a_text_and_questions_are_not() {
        let text = without_queries("Why? See \"http://h/a?t=1&u=2\" (or /b?t=3), not c? or d?e");

        assert_eq!(text, "Why? See \"http://h/a?…\" (or /b?…), not c? or d?e");
    }

    #[test]
    fn the_token_of_a_url_is_taken_out_of_a_text() {
        let asked = url("http://h/a?api-version=1&token=abcdefghijklmnop%2Bq");

        let text = without_secrets("no /a?token=abcdefghijklmnop%2Bq, nor abcdefghijklmnop+q", &asked);

        assert_eq!(text, "no /a?token=…, nor …");
        assert_eq!(without_secrets("no http://h/a/short?t=1.", &url("http://h/a/short?t=1")), "no ….");
    }
}
