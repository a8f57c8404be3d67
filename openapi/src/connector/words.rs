//! Texts as connectors show them: plain, in sentence case or title case, made from what the actions say.

/// Microsoft's limit for what names something.
pub(super) const LONGEST_SUMMARY: usize = 80;

/// Without Markdown and line breaks: nothing renders those.
pub(super) fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "")
}

/// A sentence: begins with a capital letter, ends with a full stop.
pub(super) fn sentence(text: &str) -> String {
    let text = capital(&plain(text));
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

/// A sentence without its end, as summaries are.
pub(super) fn summary(text: &str) -> String {
    capital(plain(text).trim_end_matches(|last: char| !last.is_alphanumeric() && last != ')'))
}

/// `submit-talk`, `submit_talk` and `submitTalk` as `Submit Talk`.
pub(super) fn title(name: &str) -> String {
    words(name).iter().map(|word| capital(word)).collect::<Vec<_>>().join(" ")
}

/// `submit-talk` as `submit talk`.
pub(super) fn spoken(name: &str) -> String {
    words(name).join(" ").to_lowercase()
}

/// The name of an operation: begins with a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let breaks = !letter.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase());
        if breaks {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(letter);
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_style_become_titles() {
        for name in ["custom-status", "custom_status", "customStatus", "CustomStatus"] {
            assert_eq!(title(name), "Custom Status");
        }
        assert_eq!(title("id"), "Id");
        assert_eq!(title("part2b"), "Part2b");
        assert_eq!(spoken("submit-talk"), "submit talk");
    }

    #[test]
    fn a_summary_has_no_end_and_a_sentence_has_one() {
        assert_eq!(summary("submit `it`.  "), "Submit it");
        assert_eq!(sentence("submit\n it"), "Submit it.");
        assert_eq!(sentence("Really?"), "Really?");
    }
}
