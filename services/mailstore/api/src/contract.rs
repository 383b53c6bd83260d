//! The contract: what every mailstore does, one public function for each rule.
//!
//! [`contract_tests!`](crate::contract_tests) makes a test of each:
//!
//! ```text
//! async fn fixture() -> Fixture { .. }
//! staffetta_mailstore_api::contract_tests!(fixture);
//! ```
//!
//! [`through_grpc`] puts any fixture behind real servers, for a second round.
//!
//! The functions panic where the store breaks a rule.

mod actor;

pub mod accounts;
pub mod bodies;
pub mod concurrency;
pub mod copy_move;
pub mod delivery;
pub mod expunge;
pub mod fetch;
pub mod idempotency;
pub mod mailboxes;
pub mod maildrops;
pub mod recent;
mod round_trip;
pub mod search;
pub mod store;
pub mod sync;
pub mod watch;

pub use round_trip::through_grpc;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use staffetta_chassis::clock::Manual;
use staffetta_directory_api::{AccountId, Quota, ShardEpoch};

use crate::{Access, Mailstore};

/// A store under test. Cases may share what lies behind it: each makes accounts of its own.
pub struct Fixture {
    /// The store.
    pub mailstore: Arc<dyn Mailstore>,
    /// Another handle on it, as another pod of the shard is.
    pub other: Arc<dyn Mailstore>,
    /// Where both take the time from; it shows a time after 2020.
    pub clock: Manual,
    /// Logs an account in for IMAP and POP3.
    pub access: Arc<dyn Fn(AccountId, ShardEpoch, Quota) -> Access + Send + Sync>,
    /// Empties the expunge journals of an account, as if much time and many expunges had passed.
    pub forget_expunged: Arc<dyn Fn(AccountId) -> BoxFuture<'static, ()> + Send + Sync>,
    /// What must live as long as the store.
    pub guard: Box<dyn Any + Send>,
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// Makes one `#[tokio::test]` of each rule, in a module for each group. The argument is a function in scope:
/// `async fn() -> Fixture`.
#[macro_export]
macro_rules! contract_tests {
    ($factory:ident) => {
        $crate::contract_group! { $factory, mailboxes:
            an_account_comes_with_default_mailboxes_all_subscribed,
            create_makes_missing_parents_and_refuses_a_taken_name,
            create_keeps_the_special_use,
            inbox_is_one_in_any_case,
            status_counts_messages_unseen_and_octets,
            open_shows_uids_first_unseen_and_keywords,
            rename_takes_children_and_keeps_uids_and_generation,
            rename_refuses_missing_taken_and_inner_names,
            rename_makes_missing_parents,
            rename_of_inbox_moves_its_messages_only,
            delete_removes_messages_and_frees_quota,
            delete_with_children_leaves_noselect,
            inbox_cannot_be_deleted,
            uid_validity_grows_whenever_a_name_returns,
            subscriptions_name_anything_and_outlive_mailboxes,
            missing_mailboxes_are_not_found,
            the_id_of_a_deleted_mailbox_is_not_found,
        }
        $crate::contract_group! { $factory, delivery:
            deliver_stores_in_the_inbox_of_every_target,
            deliver_of_the_same_transaction_stores_once_even_after_expunge,
            deliver_adds_the_targets_that_lack_the_transaction,
            deliver_is_all_or_nothing_and_names_who_refuses,
            deliver_refuses_a_stale_epoch,
            deliver_refuses_no_target_and_a_target_twice,
            append_keeps_flags_date_and_octets,
            append_refuses_missing_and_noselect_mailboxes,
            append_over_quota_stores_nothing,
            any_octets_are_a_message,
            large_bodies_arrive_whole,
        }
        $crate::contract_group! { $factory, sync:
            nothing_new_is_an_empty_delta,
            new_messages_appear_with_their_flags,
            flag_changes_of_another_session_are_told,
            expunged_messages_vanish,
            what_came_and_went_between_is_not_told_as_new,
            below_the_floor_a_delta_is_full,
            modseq_grows_with_every_change_over_all_mailboxes,
            resync_on_open_tells_what_changed_and_vanished,
            resync_of_another_generation_is_void,
            resync_below_the_floor_is_full,
        }
        $crate::contract_group! { $factory, recent:
            select_claims_recent_once,
            examine_claims_nothing,
            sync_claims_recent_for_one_session_only,
            copies_are_recent_in_their_mailbox,
        }
        $crate::contract_group! { $factory, fetch:
            metadata_comes_in_uid_order_without_missing_messages,
            skeleton_and_header_come_when_asked_for,
            changed_since_leaves_older_messages_out,
            hundreds_of_messages_arrive_in_order,
        }
        $crate::contract_group! { $factory, store:
            flags_are_replaced_added_and_removed,
            unchanged_since_holds_changed_messages_back,
            flags_that_are_so_already_keep_their_modseq,
            keywords_keep_their_first_spelling,
            missing_messages_are_left_out,
        }
        $crate::contract_group! { $factory, copy_move:
            copies_keep_flags_date_and_body,
            copied_uids_pair_up_in_order,
            copy_is_all_or_nothing_within_the_quota,
            copy_needs_a_selectable_target,
            copy_of_nothing_changes_nothing,
            copy_into_the_same_mailbox_doubles,
            move_takes_messages_away_and_tells_both_mailboxes,
            move_works_at_the_quota,
        }
        $crate::contract_group! { $factory, expunge:
            only_deleted_messages_among_the_asked_go,
            expunge_frees_quota_and_raises_modseq,
            expunge_of_nothing_changes_nothing,
            uids_are_never_used_twice,
        }
        $crate::contract_group! { $factory, bodies:
            ranges_come_in_order_and_are_cut_at_the_end,
            a_missing_message_is_marked_and_the_rest_goes_on,
            chunks_are_bounded_and_each_range_ends_once,
            a_copy_outlives_its_source,
            no_ranges_give_no_chunks,
        }
        $crate::contract_group! { $factory, search:
            flags_and_keywords,
            internal_dates_and_sent_dates,
            sizes_and_modseq,
            header_text_is_decoded_and_caseless,
            body_text_is_decoded,
            keys_combine_among_the_asked,
        }
        $crate::contract_group! { $factory, watch:
            a_change_by_another_handle_is_told,
            every_kind_of_change_is_told,
            only_watched_accounts_are_told,
            the_stream_ends_with_the_commands,
            a_purged_account_ends,
        }
        $crate::contract_group! { $factory, maildrops:
            a_maildrop_is_a_snapshot_under_one_lease,
            a_lease_expires_and_the_old_holder_removes_nothing,
            renewal_keeps_a_lease_alive,
            an_expired_lease_is_lost_though_nobody_took_it,
            commit_removes_and_gives_the_lease_back,
            mail_that_came_meanwhile_stays,
            release_removes_nothing_and_never_fails,
        }
        $crate::contract_group! { $factory, accounts:
            quota_usage_follows_every_change,
            usage_of_unknown_accounts_is_nothing,
            accounts_cannot_see_each_other,
            a_stale_epoch_is_refused,
            purge_removes_everything_and_refuses_from_then_on,
        }
        $crate::contract_group! { $factory, idempotency:
            append_again_answers_the_same_uid,
            append_again_after_expunge_stores_nothing,
            store_again_changes_nothing,
            copy_and_move_again_answer_the_same,
            expunge_again_answers_the_same,
            maildrop_commit_again_is_fine,
            keys_of_different_accounts_are_different,
        }
        $crate::contract_group! { $factory, concurrency:
            concurrent_deliveries_get_distinct_uids,
            one_transaction_delivered_at_once_is_stored_once,
            one_append_repeated_at_once_is_stored_once,
            crossing_deliveries_to_many_accounts_all_succeed,
            concurrent_flag_changes_are_all_kept,
            each_message_is_expunged_by_one_session,
            a_maildrop_is_leased_to_one_session,
            counters_agree_after_a_storm,
        }
    };
}

/// One group of [`contract_tests!`](crate::contract_tests).
#[doc(hidden)]
#[macro_export]
macro_rules! contract_group {
    ($factory:ident, $group:ident: $($case:ident),+ $(,)?) => {
        mod $group {
            $(
                #[tokio::test]
                async fn $case() {
                    $crate::contract::$group::$case(super::$factory().await).await;
                }
            )+
        }
    };
}

#[cfg(test)]
mod tests {
    /// A rule that is written and not listed would never run.
    #[test]
    fn every_rule_is_listed() {
        let list = include_str!("contract.rs");
        for (group, source) in [
            ("accounts", include_str!("contract/accounts.rs")),
            ("bodies", include_str!("contract/bodies.rs")),
            ("concurrency", include_str!("contract/concurrency.rs")),
            ("copy_move", include_str!("contract/copy_move.rs")),
            ("delivery", include_str!("contract/delivery.rs")),
            ("expunge", include_str!("contract/expunge.rs")),
            ("fetch", include_str!("contract/fetch.rs")),
            ("idempotency", include_str!("contract/idempotency.rs")),
            ("mailboxes", include_str!("contract/mailboxes.rs")),
            ("maildrops", include_str!("contract/maildrops.rs")),
            ("recent", include_str!("contract/recent.rs")),
            ("search", include_str!("contract/search.rs")),
            ("store", include_str!("contract/store.rs")),
            ("sync", include_str!("contract/sync.rs")),
            ("watch", include_str!("contract/watch.rs")),
        ] {
            let rules = source.split("pub async fn ").skip(1).filter_map(|rest| rest.split('(').next());
            for rule in rules {
                assert!(list.contains(&format!(" {rule},\n")), "{group}::{rule} is not listed");
            }
        }
    }
}
