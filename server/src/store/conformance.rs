//! The suite that every store passes, and the port's real documentation: one case for each promise.
//!
//! A store's own test file is a factory and one line:
//!
//! ```
//! use std::sync::Arc;
//! use raincheck_server::store::conformance::Factory;
//! use raincheck_server::store::sqlite::{SqliteOptions, SqliteStore};
//!
//! struct InDirectory(tempfile::TempDir);
//!
//! impl Factory for InDirectory {
//!     type Store = SqliteStore;
//!
//!     async fn open(&self) -> Arc<SqliteStore> {
//!         Arc::new(SqliteStore::open(SqliteOptions::new(self.0.path())).expect("the directory is writable"))
//!     }
//!
//!     async fn stop_owner(&self, store: &SqliteStore) {
//!         store.disown_all().await.expect("the store is open");
//!     }
//! }
//!
//! raincheck_server::store_conformance!(InDirectory(tempfile::tempdir().expect("there is room")));
//! # fn main() {}
//! ```

use std::sync::Arc;

use super::Store;
use super::keys::KeyStore;
use super::subscriptions::SubscriptionStore;

pub mod accepting;
pub mod appending;
pub mod claiming;
pub mod finishing;
pub mod keys;
pub mod listing;
#[cfg(unix)]
pub mod power_loss;
pub mod reading;
pub mod reopening;
pub(super) mod sample;
pub mod signaling;
pub mod subscribing;
pub mod sweeping;

/// Makes the stores that the cases test. One factory is one place for data; each case needs a new one.
pub trait Factory: Send + Sync {
    /// The store.
    type Store: Store + KeyStore + SubscriptionStore;

    /// Opens the store on this factory's data: empty the first time, later as a process finds it that starts after
    /// the last one was killed. The cases drop the store that they have before they open it again.
    fn open(&self) -> impl Future<Output = Arc<Self::Store>> + Send;

    /// Makes `store` believe that the process that runs its operations has stopped, so that they can be claimed.
    fn stop_owner(&self, store: &Self::Store) -> impl Future<Output = ()> + Send;
}

/// Makes a test of each case of the suite. Takes an expression that makes a new [`Factory`](crate::store::conformance::Factory).
#[macro_export]
macro_rules! store_conformance {
    ($factory:expr) => {
        $crate::store_conformance! { $factory;
            accepting:
                an_accepted_operation_is_readable_at_once,
                the_same_id_again_is_a_replay,
                the_same_key_and_content_again_is_a_replay,
                a_key_that_was_bound_under_a_former_name_is_a_replay,
                a_key_that_counts_for_a_while_is_given_up_after_it,
                one_of_many_concurrent_accepts_with_one_key_is_new,
                a_key_with_other_content_is_refused,
                a_key_is_bound_only_by_an_accepted_start,
                every_limit_counts_active_operations,
                a_replay_comes_before_the_limits,
                a_key_can_be_asked_without_accepting_anything,
                room_can_be_asked_for_without_accepting_anything;
            appending:
                appends_are_committed_in_the_order_of_the_calls,
                entries_a_status_and_the_end_appear_together,
                an_append_that_is_refused_writes_nothing,
                a_published_status_is_what_readers_see,
                a_time_that_readers_saw_never_goes_back,
                a_call_that_is_dropped_is_done_or_not_done,
                of_concurrent_ends_one_stands_and_all_agree;
            signaling:
                an_event_reaches_the_owner_and_the_journal,
                an_event_that_comes_again_does_nothing_again,
                an_event_key_with_another_body_is_refused,
                a_repeated_event_is_recognised_after_the_end,
                only_so_many_events_may_wait,
                what_would_become_of_an_event_can_be_asked_without_writing_it,
                only_the_first_cancel_is_recorded,
                an_end_from_outside_stands,
                what_has_ended_hears_nothing,
                an_unknown_operation_is_not_found;
            claiming:
                a_claim_has_the_whole_journal_in_order,
                the_oldest_come_first,
                what_somebody_runs_is_not_given_out,
                a_new_claim_fences_the_earlier_one,
                what_has_ended_is_not_given_out,
                an_operation_of_an_unknown_action_waits_and_shows_running,
                what_happens_while_nobody_runs_it_is_in_the_journal;
            reading:
                an_unknown_operation_is_nothing,
                a_journal_comes_in_pages,
                a_change_is_told_to_the_listener_once_it_is_readable;
            listing:
                the_newest_come_first_in_pages,
                children_are_among_those_of_their_own_time,
                each_part_of_a_filter_lets_only_its_own_through,
                pages_stay_exact_while_operations_change;
            finishing:
                whatever_ends_is_in_the_feed_in_the_order_of_the_commits,
                the_end_of_the_feed_is_between_what_has_ended_and_what_will,
                a_feed_has_only_what_it_lets_through,
                nothing_is_lost_or_doubled_while_many_end_at_once,
                what_is_no_longer_kept_is_in_no_feed,
                a_place_is_good_after_a_restart,
                a_place_of_another_store_is_the_end,
                an_end_is_told_to_the_listener_once_it_is_in_the_feed;
            subscribing:
                a_subscription_is_stored_as_it_was_made,
                the_same_subscription_again_takes_the_place_of_the_first,
                ends_are_owed_once_and_only_from_where_a_subscription_is,
                what_is_due_is_found_receiver_by_receiver,
                an_attempt_leaves_what_it_came_to,
                a_change_is_what_the_subscription_is_from_then_on,
                a_callback_is_accepted_with_its_operation_and_due_with_its_end,
                deliveries_are_listed_in_pages;
            sweeping:
                a_deadline_ends_an_operation_that_nobody_runs,
                what_is_not_due_stays,
                retention_is_followed_by_a_tombstone_and_then_nothing,
                a_key_is_remembered_through_the_tombstone,
                a_sweep_does_no_more_than_it_is_told,
                something_due_earlier_is_told_to_the_listener;
            reopening:
                an_active_operation_goes_on_where_it_was,
                an_ended_operation_stays_as_it_was,
                keys_are_remembered,
                limits_count_what_was_there_before,
                what_is_active_is_counted_by_action,
                a_tombstone_is_still_gone,
                nothing_is_possible_after_close;
            keys:
                a_key_is_stored_as_it_was_given,
                a_name_in_use_is_refused,
                a_revoked_key_stays_and_its_name_is_free,
                secrets_are_made_once_and_stay;
        }
    };
    ($factory:expr; $($module:ident: $($case:ident),+;)+) => {
        $(
            mod $module {
                #[allow(unused_imports, reason = "whatever the factory's expression needs")]
                use super::*;
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $case() {
                        $crate::store::conformance::$module::$case(&$factory).await;
                    }
                )+
            }
        )+
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_in_the_list() {
        let list = include_str!("conformance.rs");
        let modules = [
            include_str!("conformance/accepting.rs"),
            include_str!("conformance/appending.rs"),
            include_str!("conformance/claiming.rs"),
            include_str!("conformance/finishing.rs"),
            include_str!("conformance/keys.rs"),
            include_str!("conformance/listing.rs"),
            include_str!("conformance/reading.rs"),
            include_str!("conformance/reopening.rs"),
            include_str!("conformance/signaling.rs"),
            include_str!("conformance/subscribing.rs"),
            include_str!("conformance/sweeping.rs"),
        ];

        let cases = modules.iter().flat_map(|module| module.split("\npub async fn ").skip(1));
        let names: Vec<&str> = cases.filter_map(|case| case.split('(').next()).collect();

        assert!(!names.is_empty());
        for name in names {
            assert!(
                list.contains(&format!("                {name},"))
                    || list.contains(&format!("                {name};")),
                "{name}"
            );
        }
    }
}
