//! What every store must do, one function per behaviour, generic over a [`Harness`].
//!
//! A store's runner file says how to start it and calls [`conformance!`]; [`conformance_days!`] adds what takes hours by the
//! store's clock, for stores whose clock the test moves. Each behaviour gets a store started for it alone, so a runner may share a
//! server but must isolate the data.

pub(crate) mod appends;
pub(crate) mod bounds;
pub(crate) mod cluster;
pub(crate) mod dead;
pub(crate) mod effects;
pub(crate) mod expiry;
pub(crate) mod given;
pub(crate) mod keys;
pub(crate) mod liveness;
pub(crate) mod mailbox;
pub(crate) mod matching;
pub(crate) mod outbound;
pub(crate) mod pages;
pub(crate) mod peers;
pub(crate) mod timers;
pub(crate) mod watch;

use futures_util::future::LocalBoxFuture;
use nexus::log::SharedLog;
use nexus::model::Millis;

/// One store, started for one behaviour.
pub(crate) trait Harness {
    /// The handle of one more core.
    fn core(&self) -> SharedLog;

    /// A handle as another node has it.
    fn other_node(&self) -> SharedLog {
        self.core()
    }

    /// A handle whose watch holds few events: at most 256.
    fn narrow_core(&self) -> SharedLog;

    /// The store's time.
    fn now(&self) -> Millis;

    /// Lets this long pass by the store's clock.
    fn pass(&self, ms: u64) -> LocalBoxFuture<'_, ()>;
}

/// Runs one behaviour on a runtime like a core's.
pub(crate) fn run<H, S, T>(start: S, behaviour: T)
where
    S: AsyncFnOnce() -> H,
    T: AsyncFnOnce(&H),
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let harness = start().await;
        behaviour(&harness).await;
    });
}

/// Tests of every behaviour; the argument is an async function without arguments that starts a harness.
macro_rules! conformance {
    ($start:path) => {
        conformance!(@each $start;
            appends::the_first_record_is_decided_on_nothing,
            appends::a_decided_append_continues_the_chain,
            appends::a_decision_on_another_top_is_refused_and_writes_nothing,
            appends::an_equal_number_with_another_hash_is_refused,
            appends::of_two_decisions_on_one_top_one_wins_and_the_loser_decides_again,
            appends::an_admitted_append_is_numbered_by_the_store,
            appends::admitted_appends_at_once_leave_no_gap,
            appends::an_admitted_append_to_a_log_that_is_not_there_is_closed,
            appends::a_closed_log_takes_only_what_was_decided,
            appends::several_records_are_written_in_one_step,
            appends::bodies_come_back_as_given,
            bounds::too_much_is_refused_and_nothing_is_written,
            bounds::the_largest_append_is_taken,
            mailbox::a_mail_that_is_entered_twice_lies_there_once,
            mailbox::first_mails_entered_at_once_all_lie_there,
            mailbox::a_mailbox_forgets_what_is_too_old,
            keys::a_repeat_gets_the_first_answer,
            keys::a_repeat_is_recognised_before_anything_else,
            keys::the_same_key_with_another_body_is_refused,
            keys::a_refused_append_leaves_no_key,
            keys::of_two_appends_with_one_key_at_once_one_is_written,
            keys::a_repeat_of_an_opening_names_the_session_it_opened,
            peers::a_peer_without_a_session_gets_one,
            peers::a_peer_with_an_open_session_is_heard_in_it,
            peers::who_would_open_nothing_is_told_that_nothing_is_open,
            peers::where_nothing_follows_the_effects_of_a_message_are_left_out,
            peers::of_two_that_open_at_once_one_does,
            peers::a_peer_whose_session_is_over_gets_another,
            peers::a_closed_session_is_nobodys_open_one,
            peers::only_the_peers_own_session_lets_go_of_it,
            peers::opening_into_a_log_that_exists_is_refused,
            peers::an_index_entry_names_the_peers_session,
            effects::a_lane_is_leased_in_order,
            effects::the_log_of_an_effect_that_is_tried_again_outlives_its_term,
            effects::lanes_do_not_wait_for_each_other,
            effects::a_lease_that_ends_is_given_again,
            effects::a_retry_delays_its_lane_only,
            effects::the_node_that_wrote_an_effect_may_claim_it_once_and_only_as_the_first_of_its_lane,
            effects::an_effect_waits_for_the_appending_node_first,
            effects::an_effect_done_without_a_lease_is_done,
            effects::done_twice_is_done,
            effects::effects_of_later_appends_stay_behind_earlier_ones,
            effects::a_lease_takes_no_more_than_its_limit,
            effects::two_that_lease_at_once_share_no_effect,
            effects::a_refused_append_causes_no_effect,
            dead::a_buried_effect_leaves_its_lane_and_is_a_dead_letter,
            dead::buried_twice_is_buried_once,
            dead::what_is_done_cannot_be_buried_and_what_is_buried_is_not_done,
            dead::an_effect_behind_others_can_be_buried,
            dead::a_replayed_effect_is_last_in_its_lane_and_begins_anew,
            dead::an_effect_replayed_into_an_empty_lane_is_due_at_once,
            dead::a_discarded_dead_letter_is_gone,
            dead::a_dead_letter_is_its_tenants_in_its_partition,
            dead::dead_letters_come_page_by_page_in_the_order_of_their_ids,
            dead::the_log_of_a_dead_letter_outlives_its_term,
            dead::beyond_a_partitions_share_the_oldest_dead_letters_go,
            dead::an_effect_that_many_move_at_once_is_in_one_place,
            dead::of_many_replays_at_once_one_does,
            dead::a_burial_with_too_many_words_is_refused,
            dead::the_backlog_counts_lanes,
            outbound::a_reference_finds_its_record,
            outbound::a_reference_ends_with_its_term,
            outbound::a_reference_of_any_bytes_within_bounds_is_taken,
            outbound::an_append_opts_a_peer_out_and_in,
            outbound::a_refused_append_opts_nobody_out,
            outbound::a_peer_opts_out_with_the_message_that_opens_its_session,
            outbound::a_peer_is_opted_out_without_a_record,
            outbound::an_opt_out_does_not_end_with_its_log,
            outbound::nothing_is_written_to_a_peer_that_is_opted_out,
            outbound::a_repeat_is_told_its_answer_after_the_peer_opted_out,
            outbound::after_a_stop_is_answered_no_send_is,
            timers::a_timer_is_due_when_its_time_has_come,
            timers::a_timer_moves_and_clears,
            timers::the_most_overdue_comes_first,
            timers::timers_are_found_in_the_partition_of_their_log,
            liveness::a_log_lapses_unless_renewed,
            liveness::a_renewal_gives_a_deadline_to_a_log_without_one,
            liveness::an_append_ends_liveness,
            pages::there_is_nothing_to_read_of_a_log_that_is_not_there,
            pages::a_tail_begins_at_the_last_snapshot,
            pages::a_page_forward_begins_where_asked,
            pages::a_page_backward_ends_where_asked,
            pages::trimming_forgets_what_is_below,
            pages::trimming_spares_the_last_snapshot,
            pages::erasing_takes_bodies_and_keeps_the_chain,
            pages::tops_come_in_the_order_asked,
            pages::a_long_log_reads_trims_and_erases_like_a_short_one,
            expiry::an_expired_log_is_gone,
            expiry::a_later_append_sets_another_expiry,
            expiry::a_peer_whose_session_expired_gets_another,
            watch::a_watcher_hears_of_every_record_in_order,
            watch::a_watcher_hears_what_another_node_appends,
            watch::nothing_comes_after_unwatch,
            watch::watching_twice_is_watching_once,
            watch::the_watch_is_taken_once,
            watch::a_watcher_that_does_not_keep_up_is_told_so,
            watch::signals_reach_watchers_and_are_not_stored,
            matching::a_write_returns_the_best_pair,
            matching::the_best_pair_is_that_of_the_reference,
            matching::an_older_number_never_overwrites_a_newer_one,
            matching::a_departed_session_is_not_brought_back,
            matching::a_rank_counts_those_before,
            matching::the_mean_interval_is_hidden_below_five_samples,
            matching::a_pair_is_named_to_one_until_it_says_something,
            matching::a_desk_that_was_named_in_vain_is_there_for_the_next,
            matching::a_pair_of_which_nothing_is_heard_is_named_again,
            matching::a_session_for_one_agent_is_named_with_no_other,
            matching::a_session_keeps_its_rank_while_a_desk_is_asked,
            matching::a_session_whose_desk_never_answered_is_named_again,
            matching::tenants_do_not_meet,
            cluster::open_sessions_are_counted_per_tenant,
            cluster::announced_nodes_are_seen_until_they_lapse,
            cluster::a_token_is_spent_once,
            cluster::a_spent_token_may_be_forgotten_after_its_time,
            cluster::a_canary_comes_back,
            cluster::handles_agree_on_what_the_store_is,
        );
    };
    (@each $start:path; $($module:ident::$behaviour:ident,)*) => {
        $(
            #[test]
            fn $behaviour() {
                $crate::log::suite::run($start, $crate::log::suite::$module::$behaviour);
            }
        )*
    };
}

/// Tests of the behaviours that take hours by the store's clock.
macro_rules! conformance_days {
    ($start:path) => {
        conformance!(@each $start;
            keys::a_key_is_forgotten_after_its_horizon,
            dead::a_dead_letter_is_forgotten_after_thirty_days,
            outbound::a_reference_is_kept_seven_days_at_most,
            matching::the_mean_interval_is_that_of_the_last_quarter_hour,
        );
    };
}
