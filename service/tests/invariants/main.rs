//! What every store has to keep, checked by one suite that is generic over the store.
//!
//! `contract` asks the store itself, `races` and `durability` the log over it, `machine` compares
//! any sequence of calls with the `model`. A new backend adds one `suite!` line.

// A test may say what it expects; the lint only sees `#[test]` functions as tests.
#![expect(clippy::expect_used, clippy::unwrap_used)]

mod backend;
mod contract;
mod durability;
mod machine;
mod memory;
mod model;
mod races;
mod sample;

macro_rules! suite {
    ($module:ident, $backend:ty, { $($group:ident: $($test:ident)+;)+ }) => {
        mod $module {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::$group::$test::<$backend>().await;
                }
            )+)+

            #[test]
            fn any_sequence_of_calls_gives_the_answers_of_the_model() {
                crate::machine::any_sequence_of_calls_gives_the_answers_of_the_model::<$backend>();
            }
        }
    };
}

macro_rules! suites {
    ($($module:ident: $backend:ty;)+) => {
        $(suite!($module, $backend, {
            contract:
                the_first_creation_of_an_id_wins_within_a_batch_too
                a_creation_that_is_sent_again_recognises_its_own_session
                records_are_stored_under_their_keys_and_found_by_them
                a_taken_place_and_a_taken_event_id_are_refused
                nothing_is_stored_after_a_refused_record_of_its_session
                the_same_event_id_may_be_stored_in_two_sessions
                a_terminal_record_closes_the_session_document_too
                the_first_event_makes_a_session_active_in_the_same_version
                a_change_needs_the_version_it_builds_on
                an_erased_session_is_gone_for_every_call_and_its_id_is_spent
                a_session_that_never_was_is_absent_for_every_call
            ;
            races:
                of_64_creations_of_one_id_one_creates_it
                of_64_appends_of_one_event_one_stores_it
                of_64_contents_for_one_event_id_one_is_stored
                of_64_appends_to_one_session_each_has_its_own_place
                of_64_appends_that_expect_the_same_place_one_gets_it
                appends_that_race_a_closing_are_before_it_or_refused
                closings_that_race_have_one_outcome_and_one_end
                appends_that_race_an_erasure_leave_nothing_behind
                patches_that_race_lose_no_change
                of_patches_for_one_version_one_is_done
                a_patch_and_a_closing_that_race_both_take_effect
                batches_that_are_repeated_at_once_are_stored_once_in_order
            ;
            durability:
                everything_is_there_after_the_store_was_opened_again
                a_log_goes_on_where_it_was_after_the_store_was_opened_again
                what_is_closed_or_erased_stays_so_after_the_store_was_opened_again
            ;
        });)+
    };
}

suites! {
    on_the_embedded_store: crate::backend::Embedded;
    on_mongodb: crate::backend::MongoDb;
    on_the_model_itself: crate::backend::Memory;
}
