//! Mistakes that are planted on purpose: the simulator has to find each of them.

use crate::plan::Bug;
use crate::simulate;

/// Seeds within which a planted mistake has to be found.
const SEEDS: u64 = 2_000;

/// Asserts that some seed finds that this promise is broken. Others may find something else
/// first, a debug assertion of the committer for one.
fn assert_found(bug: Bug, promise: &str) {
    let found = (0..SEEDS).find_map(|seed| {
        let violation = simulate(seed, Some(bug), false).err()?;
        (violation.promise == promise).then_some((seed, violation))
    });
    let (seed, violation) = found.expect("no seed finds it");
    println!("{bug:?}, seed {seed}: {violation}");
}

#[test]
fn building_on_what_the_majority_does_not_have_is_found() {
    assert_found(Bug::LocalTails, "a log has no gap");
}

#[test]
fn acknowledging_a_stored_event_that_the_majority_does_not_have_is_found() {
    assert_found(Bug::LocalEvents, "acknowledged means durable");
}

#[test]
fn acknowledging_what_only_the_primary_stored_is_found() {
    assert_found(Bug::AcknowledgedByOne, "acknowledged means durable");
}

#[test]
fn skipping_the_check_of_the_terminal_record_is_found() {
    assert_found(
        Bug::TerminalUnchecked,
        "nothing is stored after the terminal record",
    );
}

#[test]
fn storing_what_comes_after_a_refused_event_is_found() {
    assert_found(Bug::UnorderedInsert, "a log has no gap");
}

#[test]
fn trusting_a_new_primary_too_early_is_found() {
    assert_found(
        Bug::NewPrimaryTrusted,
        "a read sees every append acknowledged before it began",
    );
}

#[test]
fn reading_events_before_the_end_of_the_log_is_found() {
    assert_found(Bug::EventsBeforeLog, "a refusal is true");
}

#[test]
fn taking_silence_for_success_is_found() {
    assert_found(Bug::SilenceIsSuccess, "acknowledged means durable");
}
