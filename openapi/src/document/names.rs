//! Names that generated clients see: operation ids and the prefixes of schemas. Unique, and made from the
//! actions' own.

use std::collections::{BTreeMap, BTreeSet};

/// The names of a document's actions and operations.
pub(super) struct Names {
    by_action: BTreeMap<String, String>,
    operation_ids: BTreeSet<String>,
}

impl Names {
    /// Names for `actions`.
    pub(super) fn new<'a>(actions: impl Iterator<Item = &'a str>) -> Self {
        let mut taken = BTreeSet::new();
        let by_action =
            actions.map(|action| (action.to_owned(), unique(pascal(action), &mut taken))).collect();
        Self { by_action, operation_ids: BTreeSet::new() }
    }

    /// `submit-talk` as `SubmitTalk`.
    pub(super) fn pascal(&self, action: &str) -> String {
        self.by_action.get(action).cloned().unwrap_or_else(|| pascal(action))
    }

    /// An operation id that no other operation has.
    pub(super) fn operation_id(&mut self, wanted: String) -> String {
        unique(wanted, &mut self.operation_ids)
    }
}

/// `wanted`, or with the first number behind it that makes it one of its kind: `a-1b` and `a1b` are both
/// `A1b`.
pub(super) fn unique(wanted: String, taken: &mut BTreeSet<String>) -> String {
    let mut name = wanted.clone();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{wanted}{number}");
        number += 1;
    }
    name
}

/// `submit-talk` as `SubmitTalk`.
pub(super) fn pascal(name: &str) -> String {
    name.split('-')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_the_same_get_numbers() {
        let names = Names::new(["a-1b", "a1b", "submit-talk"].into_iter());

        assert_eq!(names.pascal("a-1b"), "A1b");
        assert_eq!(names.pascal("a1b"), "A1b2");
        assert_eq!(names.pascal("submit-talk"), "SubmitTalk");
    }
}
