use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn hash(text: &str) -> [u8; 32] {
    ContentSecret::new([1; 32]).content(&Content::parse(text).unwrap())
}

fn refusal(text: &str) -> Malformed {
    Content::parse(text).unwrap_err()
}

#[test]
fn order_and_spaces_do_not_count() {
    assert_eq!(
        hash(r#"{"a":1,"b":[true,null,"x"]}"#),
        hash(" { \"b\" : [ true , null , \"x\" ] ,\n\t\"a\" : 1 } ")
    );
}

#[test]
fn strings_count_by_value_and_numbers_as_written() {
    assert_eq!(hash(r#"{"\u0061":"\u00e9\n"}"#), hash("{\"a\":\"é\\u000a\"}"));
    assert_ne!(hash("1"), hash("1.0"));
    assert_ne!(hash("100"), hash("1e2"));
}

#[test]
fn different_values_have_different_hashes() {
    let values =
        ["0", "\"0\"", "[]", "{}", "[[]]", "[0]", "[0,0]", "[[0],0]", r#"{"0":0}"#, "null", "\"\"", "[\"\"]"];
    for (i, one) in values.iter().enumerate() {
        for other in &values[i + 1..] {
            assert_ne!(hash(one), hash(other), "{one} and {other}");
        }
    }
}

#[test]
fn a_member_that_is_named_twice_is_found_at_any_depth_and_in_any_spelling() {
    assert_eq!(refusal(r#"{"a":1,"a":1}"#), Malformed::Twice("a".into()));
    assert_eq!(refusal(r#"[{"b":{"a":1,"\u0061":2}}]"#), Malformed::Twice("a".into()));
    assert!(Content::parse(r#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    assert_eq!(refusal("{\n\"a\": }"), Malformed::Syntax { line: 2, column: 6 });
    assert_eq!(refusal(r#""\ud800""#), Malformed::Unicode);
    assert!(matches!(refusal(""), Malformed::Syntax { .. }));
    assert!(matches!(refusal("1 2"), Malformed::Syntax { .. }));
}

#[test]
fn nesting_is_limited_where_serde_json_limits_it() {
    for depth in [1, 126, 127, 128, 129, 100_000] {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));

        let readable = serde_json::from_str::<Value>(&text).is_ok();

        assert_eq!(Content::parse(&text).is_ok(), readable, "{depth}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_other_encodings_are_refused() {
    assert_eq!(text(b"\xEF\xBB\xBF{}".to_vec()).unwrap(), "{}");
    assert_eq!(text(b"{}".to_vec()).unwrap(), "{}");
    assert_eq!(text(b"\xFF\xFE{\0}\0".to_vec()), Err(Malformed::Encoding));
}

#[test]
fn an_idempotency_key_is_visible_ascii_bare_or_quoted() {
    for (header, key) in [("abc", "abc"), ("\"abc\"", "abc"), (" abc ", "abc"), (r#""a\"b\\c""#, "a\"b\\c")] {
        assert_eq!(idempotency_key(header.as_bytes()).as_deref(), Some(key), "{header}");
    }
    let (longest, longer) = ("x".repeat(255), "x".repeat(256));
    assert!(idempotency_key(longest.as_bytes()).is_some());
    for header in [
        "",
        "\"\"",
        "\"",
        "a b",
        "é",
        "\"abc",
        "abc\"",
        "a\"b",
        "\"a\"b\"",
        "\"a\\b\"",
        "\"abc\";v=1",
        &longer,
    ] {
        assert_eq!(idempotency_key(header.as_bytes()), None, "{header}");
    }
}

#[test]
fn an_idempotency_key_is_scoped_to_its_caller_and_action() {
    let secret = ContentSecret::new([1; 32]);

    let key = secret.start_key("a", "bc", "d");

    assert_ne!(key, secret.start_key("ab", "c", "d"));
    assert_ne!(key, secret.start_key("a", "b", "cd"));
    assert_ne!(key, ContentSecret::new([2; 32]).start_key("a", "bc", "d"));
    let id = OperationId::from_bytes([1; 16]);
    assert_ne!(secret.event_key(id, "n", "k"), secret.event_link(id, "n", "k"));
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_hashes_the_same_in_every_layout(value in json()) {
        let (compact, pretty) = (value.to_string(), serde_json::to_string_pretty(&value).unwrap());

        prop_assert_eq!(hash(&compact), hash(&pretty));
    }

    #[test]
    fn equal_hashes_mean_equal_values(one in json(), other in json()) {
        prop_assert_eq!(hash(&one.to_string()) == hash(&other.to_string()), one == other);
    }

    #[test]
    fn garbage_never_panics(text in ".{0,200}", json in "[\\[\\]{}:,\"\\\\ 01eu]{0,40}") {
        let _ = (Content::parse(&text), Content::parse(&json), idempotency_key(text.as_bytes()));
    }
}
