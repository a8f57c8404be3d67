//! Which headers of an HTTP action do not get through.

/// §1.2 stripped request headers [D]: these are removed without a word.
pub(crate) fn is_stripped(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    match &*name {
        "content-disposition" | "content-encoding" | "content-type" => false,
        "allow" | "cookie" | "expires" | "host" | "last-modified" | "origin" | "set-cookie"
        | "transfer-encoding" => true,
        _ => name.starts_with("accept-") || name.starts_with("content-"),
    }
}

#[test]
fn what_is_stripped_is_what_the_documentation_lists() {
    for name in
        ["Accept-Language", "Accept-Encoding", "Content-Length", "Cookie", "Host", "Origin", "Expires"]
    {
        assert!(is_stripped(name), "{name}");
    }
    for name in
        ["Accept", "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Prefer", "X-API-Key"]
    {
        assert!(!is_stripped(name), "{name}");
    }
}
