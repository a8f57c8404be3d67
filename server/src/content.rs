//! What a request's body says, whatever its spelling: one hash for equal JSON. Pure.
//!
//! Equal means: the same members with the same values in any order, strings by value, numbers as they are written.
//! The hashes are keyed, so that a copy of the store does not let anybody try out what a short input may have been.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::value::RawValue;
use sha2::Sha256;

use crate::operation::OperationId;

/// Why a body is not JSON that can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Not UTF-8.
    #[error("the body is not UTF-8")]
    Encoding,
    /// Not JSON.
    #[error("the body is not JSON: line {line}, column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A string with half a surrogate pair.
    #[error("the body has a string that is not Unicode")]
    Unicode,
    /// An object names a member twice; which one counts would be a guess.
    #[error("an object in the body names a member twice: `{0}`")]
    Twice(String),
    /// Nested too deeply.
    #[error("the body is nested more than {DEPTH} deep")]
    Depth,
}

/// How deep JSON may be nested: what `serde_json` takes, so that nothing is accepted that no handler could read.
const DEPTH: usize = 127;

/// How much of a member's name an error repeats.
const SHOWN: usize = 100;

/// The text of a body: UTF-8, a byte order mark skipped.
///
/// # Errors
/// [`Malformed::Encoding`].
pub fn text(mut body: Vec<u8>) -> Result<String, Malformed> {
    if body.starts_with(b"\xEF\xBB\xBF") {
        body.drain(..3);
    }
    String::from_utf8(body).map_err(|_| Malformed::Encoding)
}

/// One JSON value, read as far as comparing needs.
#[derive(Debug)]
pub struct Content<'a>(Node<'a>);

#[derive(Debug)]
enum Node<'a> {
    // Numbers, true, false, null: as written.
    Word(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Members(BTreeMap<Cow<'a, str>, Node<'a>>),
}

impl<'a> Content<'a> {
    /// Reads `text`, which must be one JSON value without duplicate members.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        // `serde_json` decides what JSON is; the walk below only has to find its way through what is right.
        let valid: &RawValue = serde_json::from_str(text)
            .map_err(|error| Malformed::Syntax { line: error.line(), column: error.column() })?;
        Walk { rest: valid.get() }.value(0).map(Self)
    }
}

struct Walk<'a> {
    rest: &'a str,
}

impl<'a> Walk<'a> {
    fn value(&mut self, depth: usize) -> Result<Node<'a>, Malformed> {
        self.skip_spaces();
        match self.rest.as_bytes().first() {
            Some(b'{' | b'[') if depth == DEPTH => Err(Malformed::Depth),
            Some(b'{') => self.members(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => self.string().map(Node::Text),
            _ => {
                let end = self.rest.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(self.rest.len());
                Ok(Node::Word(self.take(end)))
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Node<'a>, Malformed> {
        let mut items = Vec::new();
        if self.is_empty("]") {
            return Ok(Node::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.skip_spaces();
            if self.take(1) == "]" {
                return Ok(Node::List(items));
            }
        }
    }

    fn members(&mut self, depth: usize) -> Result<Node<'a>, Malformed> {
        let mut members = BTreeMap::new();
        if self.is_empty("}") {
            return Ok(Node::Members(members));
        }
        loop {
            self.skip_spaces();
            let name = self.string()?;
            self.skip_spaces();
            self.take(":".len());
            let value = self.value(depth)?;
            if let Some(twice) = members.get_key_value(&name) {
                return Err(Malformed::Twice(twice.0.chars().take(SHOWN).collect()));
            }
            members.insert(name, value);
            self.skip_spaces();
            if self.take(1) == "}" {
                return Ok(Node::Members(members));
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let bytes = self.rest.as_bytes();
        let mut end = 1;
        let mut escaped = false;
        while bytes[end] != b'"' {
            let escape = bytes[end] == b'\\';
            escaped |= escape;
            end += if escape { 2 } else { 1 };
        }
        let quoted = self.take(end + 1);
        if escaped {
            serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| Malformed::Unicode)
        } else {
            Ok(Cow::Borrowed(&quoted[1..end]))
        }
    }

    // Steps over the opening bracket, and over the closing one if nothing is between them.
    fn is_empty(&mut self, closing: &str) -> bool {
        self.take(1);
        self.skip_spaces();
        let empty = self.rest.starts_with(closing);
        if empty {
            self.take(1);
        }
        empty
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, end: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

/// The secret of a store that keys its hashes: made once, never changed, or replays would no longer be recognised.
#[derive(Clone)]
pub struct ContentSecret(Hmac<Sha256>);

impl ContentSecret {
    /// Keys the hashes with `secret`.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Hmac::new_from_slice(&secret).expect("HMAC takes keys of every length"))
    }

    /// The hash of `content`: the same for equal JSON.
    #[must_use]
    pub fn content(&self, content: &Content<'_>) -> [u8; 32] {
        let mut hash = self.hash("content", &[]);
        content.0.write(&mut hash);
        hash.finalize().into_bytes().into()
    }

    /// What stands for a body that cannot be read: not the hash of any content.
    #[must_use]
    pub fn nothing(&self) -> [u8; 32] {
        self.hash("nothing", &[]).finalize().into_bytes().into()
    }

    /// The hash of a start's idempotency key, in the scope of its caller and action.
    #[must_use]
    pub fn start_key(&self, caller: &str, action: &str, key: &str) -> [u8; 32] {
        self.hash("start", &[caller.as_bytes(), action.as_bytes(), key.as_bytes()])
            .finalize()
            .into_bytes()
            .into()
    }

    /// What a start without a key is recognised by: its caller, its action, where it comes from, and its content.
    #[must_use]
    pub fn shield_key(&self, caller: &str, action: &str, origin: &str, content: [u8; 32]) -> [u8; 32] {
        let parts = [caller.as_bytes(), action.as_bytes(), origin.as_bytes(), &content];
        self.hash("shield", &parts).finalize().into_bytes().into()
    }

    /// The hash of an event's idempotency key, in the scope of its operation and name.
    #[must_use]
    pub fn event_key(&self, operation: OperationId, name: &str, key: &str) -> [u8; 32] {
        let parts = [&operation.as_bytes()[..], name.as_bytes(), key.as_bytes()];
        self.hash("event", &parts).finalize().into_bytes().into()
    }

    /// What an event link stands for that delivers once.
    #[must_use]
    pub fn event_link(&self, operation: OperationId, name: &str, token: &str) -> [u8; 32] {
        let parts = [&operation.as_bytes()[..], name.as_bytes(), token.as_bytes()];
        self.hash("event link", &parts).finalize().into_bytes().into()
    }

    fn hash(&self, purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut hash = self.0.clone();
        write_text(&mut hash, purpose.as_bytes());
        for part in parts {
            write_text(&mut hash, part);
        }
        hash
    }
}

impl fmt::Debug for ContentSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentSecret(..)")
    }
}

impl Node<'_> {
    // A letter, then a length: no two values have one encoding.
    fn write(&self, hash: &mut Hmac<Sha256>) {
        match self {
            Self::Word(word) => {
                hash.update(b"w");
                write_text(hash, word.as_bytes());
            }
            Self::Text(text) => {
                hash.update(b"s");
                write_text(hash, text.as_bytes());
            }
            Self::List(items) => {
                hash.update(b"l");
                hash.update(&(items.len() as u64).to_be_bytes());
                items.iter().for_each(|item| item.write(hash));
            }
            Self::Members(members) => {
                hash.update(b"m");
                hash.update(&(members.len() as u64).to_be_bytes());
                for (name, value) in members {
                    write_text(hash, name.as_bytes());
                    value.write(hash);
                }
            }
        }
    }
}

fn write_text(hash: &mut Hmac<Sha256>, text: &[u8]) {
    hash.update(&(text.len() as u64).to_be_bytes());
    hash.update(text);
}

/// The key that an `Idempotency-Key` header names: `abc` and `"abc"` are one. `None` if it is not usable.
///
/// ```
/// use raincheck_server::content::idempotency_key;
/// assert_eq!(idempotency_key(b"\"abc\""), idempotency_key(b"abc"));
/// assert_eq!(idempotency_key(b"two words"), None);
/// ```
#[must_use]
pub fn idempotency_key(header: &[u8]) -> Option<Cow<'_, str>> {
    let header = std::str::from_utf8(header).ok()?.trim_matches([' ', '\t']);
    let key = match header.strip_prefix('"') {
        None if header.contains('"') => return None,
        None => Cow::Borrowed(header),
        // A structured field's string (RFC 8941 §3.3.3): only `\"` and `\\` are escapes.
        Some(rest) => unescape(rest.strip_suffix('"')?)?,
    };
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && (1..=255).contains(&key.len())).then_some(key)
}

fn unescape(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.contains(['\\', '"']) {
        return Some(Cow::Borrowed(inner));
    }
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => return None,
            '\\' => plain.push(chars.next().filter(|next| matches!(next, '"' | '\\'))?),
            _ => plain.push(char),
        }
    }
    Some(Cow::Owned(plain))
}

#[cfg(test)]
mod tests;
