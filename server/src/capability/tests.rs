use proptest::prelude::*;

use super::*;

fn signer(numbers: &[u32]) -> Signer {
    Signer::new(numbers.iter().map(|&number| (number, [number as u8; 32]))).unwrap()
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn any_right() -> impl Strategy<Value = Right> {
    prop_oneof![Just(Right::Status), Just(Right::Cancel), "[a-z-]{1,20}".prop_map(Right::Event)]
}

fn any_id() -> impl Strategy<Value = OperationId> {
    any::<[u8; 16]>().prop_map(OperationId::from_bytes)
}

#[test]
fn a_token_is_short_and_needs_no_escaping() {
    let token = signer(&[1]).sign_parts(1, OperationId::from_bytes([7; 16]), &Right::Status, second(1_000));

    assert_eq!(token.reveal().len(), 32);
    assert!(token.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
}

#[test]
fn a_token_holds_until_its_last_second_and_is_known_after_it() {
    let id = OperationId::from_bytes([7; 16]);
    let signer = signer(&[1]);
    let token = signer.sign_parts(1, id, &Right::Status, second(1_000));

    assert_eq!(signer.verify(token.reveal(), id, &Right::Status, second(1_000)), Verdict::Granted);
    assert_eq!(signer.verify(token.reveal(), id, &Right::Status, second(1_001)), Verdict::Expired);
}

#[test]
fn a_new_key_signs_and_the_old_ones_still_verify() {
    let id = OperationId::from_bytes([7; 16]);
    let old = signer(&[1]).sign_parts(1, id, &Right::Cancel, second(1_000));
    let both = signer(&[2, 1]);

    assert_eq!(both.newest(), 2);
    assert_eq!(both.verify(old.reveal(), id, &Right::Cancel, second(0)), Verdict::Granted);
    assert_eq!(both.sign_parts(1, id, &Right::Cancel, second(1_000)), old);
}

#[test]
fn retiring_a_key_ends_its_links() {
    let id = OperationId::from_bytes([7; 16]);
    let old = signer(&[1]).sign_parts(1, id, &Right::Status, second(1_000));
    let new = signer(&[2]);

    assert_eq!(new.verify(old.reveal(), id, &Right::Status, second(0)), Verdict::NotGranted);
    let again = new.sign_parts(1, id, &Right::Status, second(1_000));
    assert_eq!(new.verify(again.reveal(), id, &Right::Status, second(0)), Verdict::Granted);
}

#[test]
fn a_signer_needs_distinct_keys() {
    assert_eq!(Signer::new([]).unwrap_err(), BadSecrets::Missing);
    assert_eq!(Signer::new([(1, [0; 32]), (1, [1; 32])]).unwrap_err(), BadSecrets::Twice(1));
    assert_eq!(Signer::new([(1 << 24, [0; 32])]).unwrap_err(), BadSecrets::Number(1 << 24));
}

#[test]
fn neither_tokens_nor_secrets_show_themselves() {
    let signer = signer(&[1]);
    let token = signer.sign_parts(1, OperationId::from_bytes([7; 16]), &Right::Status, second(1));

    assert_eq!(format!("{token:?}"), "Capability(..)");
    assert_eq!(format!("{signer:?}"), "[1]");
}

proptest! {
    #[test]
    fn what_was_signed_is_granted(id in any_id(), right in any_right(), expiry in 1_i64..4_000_000_000) {
        let signer = signer(&[1, 2]);
        let token = signer.sign_parts(2, id, &right, second(expiry));

        prop_assert_eq!(signer.verify(token.reveal(), id, &right, second(expiry - 1)), Verdict::Granted);
    }

    #[test]
    fn every_flipped_bit_is_refused(id in any_id(), right in any_right(), bit in 0..LENGTH * 8) {
        let signer = signer(&[1, 2]);
        let token = signer.sign_parts(1, id, &right, second(1_000));
        let mut bytes = URL_SAFE_NO_PAD.decode(token.reveal()).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);

        let verdict = signer.verify(&URL_SAFE_NO_PAD.encode(bytes), id, &right, second(0));

        prop_assert_eq!(verdict, Verdict::NotGranted);
    }

    #[test]
    fn a_token_of_another_operation_or_right_is_refused(
        id in any_id(), other in any_id(), right in any_right(), wrong in any_right(),
    ) {
        let signer = signer(&[1]);
        let token = signer.sign_parts(1, id, &right, second(1_000));

        if other != id {
            prop_assert_eq!(signer.verify(token.reveal(), other, &right, second(0)), Verdict::NotGranted);
        }
        if wrong != right {
            prop_assert_eq!(signer.verify(token.reveal(), id, &wrong, second(0)), Verdict::NotGranted);
        }
    }

    #[test]
    fn a_token_of_another_key_is_refused(id in any_id(), right in any_right(), secret in any::<[u8; 32]>()) {
        prop_assume!(secret != [1; 32]);
        let token = Signer::new([(1, secret)]).unwrap().sign_parts(1, id, &right, second(1_000));

        prop_assert_eq!(signer(&[1]).verify(token.reveal(), id, &right, second(0)), Verdict::NotGranted);
    }

    #[test]
    fn garbage_is_refused_without_panic(token in ".{0,64}", id in any_id(), right in any_right()) {
        prop_assert_eq!(signer(&[1]).verify(&token, id, &right, second(0)), Verdict::NotGranted);
    }
}

#[test]
fn the_link_that_ends_a_subscription_does_nothing_else() {
    let signer = signer(&[1]);
    let subscription = SubscriptionId::from_bytes([7; 16]);
    let token = signer.sign_unsubscribe(1, subscription);

    let verify = |id| signer.verify_unsubscribe(token.reveal(), SubscriptionId::from_bytes(id), second(1));
    assert_eq!(verify([7; 16]), Verdict::Granted);
    assert_eq!(verify([8; 16]), Verdict::NotGranted);
    for right in [Right::Status, Right::Cancel, Right::Event(String::new())] {
        let id = OperationId::from_bytes([7; 16]);
        assert_eq!(signer.verify(token.reveal(), id, &right, second(1)), Verdict::NotGranted);
        let other = signer.sign_parts(1, id, &right, second(1_000));
        assert_eq!(signer.verify_unsubscribe(other.reveal(), subscription, second(1)), Verdict::NotGranted);
    }
}
