use super::*;

const TERMS: Terms = Terms {
    lease: Duration::from_secs(15),
};

fn at(seconds: u64) -> Time {
    // Clocks begin anywhere.
    Duration::from_secs(1_000 + seconds)
}

fn lease(version: u32, holder: &str) -> Observed {
    Observed {
        version: version.to_string(),
        holder: (!holder.is_empty()).then(|| holder.to_owned()),
        duration: Some(TERMS.lease),
        transitions: 3,
    }
}

fn candidate() -> Election {
    Election::new("me", TERMS)
}

/// A candidate whose claim, sent at second 0, was answered at once.
fn leader() -> Election {
    let mut election = candidate();
    election.heard(at(0), Some(lease(7, "")));
    assert!(matches!(election.next(at(0)), Step::Acquire(_)));
    election.claimed(at(0), at(0), lease(8, "me"));
    election
}

fn is_claim(step: &Step) -> bool {
    matches!(step, Step::Acquire(_) | Step::Renew(_))
}

#[test]
fn nothing_is_written_before_the_lease_was_seen() {
    assert_eq!(candidate().next(at(0)), Step::Look);
}

#[test]
fn a_lease_that_never_was_is_created_at_once() {
    let mut election = candidate();
    election.read(at(0), None);
    let create = Claim {
        version: None,
        transitions: 0,
    };
    assert_eq!(election.next(at(0)), Step::Acquire(create));
}

#[test]
fn a_free_lease_is_taken_at_once() {
    let mut election = candidate();
    election.heard(at(0), Some(lease(7, "")));
    let claim = Claim {
        version: Some("7".to_owned()),
        transitions: 4,
    };
    assert_eq!(election.next(at(0)), Step::Acquire(claim));
}

#[test]
fn a_held_lease_is_taken_only_after_its_whole_duration_without_a_change() {
    let mut election = candidate();
    election.heard(at(0), Some(lease(7, "other")));
    assert_eq!(election.next(at(0)), Step::Wait(at(15)));
    election.heard(at(10), Some(lease(8, "other")));
    assert_eq!(election.next(at(15)), Step::Wait(at(25)));
    assert!(is_claim(&election.next(at(25))));
}

#[test]
fn what_counts_is_the_duration_that_the_holder_asked_for() {
    let mut election = candidate();
    let duration = Some(Duration::from_secs(60));
    election.heard(
        at(0),
        Some(Observed {
            duration,
            ..lease(7, "other")
        }),
    );
    assert_eq!(election.next(at(0)), Step::Wait(at(60)));
}

#[test]
fn a_duration_that_is_missing_or_nonsense_keeps_nobody_waiting_for_good() {
    for (duration, until) in [(None, 15), (Some(0), 15), (Some(86_400), 300)] {
        let duration = duration.map(Duration::from_secs);
        let mut election = candidate();
        election.heard(
            at(0),
            Some(Observed {
                duration,
                ..lease(7, "other")
            }),
        );
        assert_eq!(election.next(at(0)), Step::Wait(at(until)), "{duration:?}");
    }
}

#[test]
fn a_deleted_lease_is_waited_for_like_a_held_one() {
    let mut election = candidate();
    election.heard(at(0), Some(lease(7, "other")));
    election.heard(at(5), None);
    assert_eq!(election.next(at(5)), Step::Look);
    election.read(at(5), None);
    assert_eq!(election.next(at(5)), Step::Wait(at(20)));
    assert!(is_claim(&election.next(at(20))));
}

#[test]
fn belief_counts_from_the_sending_of_a_claim_not_from_its_answer() {
    let mut election = candidate();
    election.heard(at(0), Some(lease(7, "")));
    election.claimed(at(0), at(2), lease(8, "me"));
    assert_eq!(election.leads_until(), Some(at(10)));
}

#[test]
fn an_answer_that_comes_too_late_makes_no_leader() {
    let mut election = candidate();
    election.heard(at(0), Some(lease(7, "")));
    election.claimed(at(0), at(10), lease(8, "me"));
    assert_eq!(election.leads_until(), None);
    assert!(matches!(election.next(at(10)), Step::Renew(_)));
}

#[test]
fn a_term_that_ran_out_is_not_continued_by_a_late_answer() {
    let mut election = leader();
    election.claimed(at(9), at(11), lease(9, "me"));
    assert_eq!(election.next(at(11)), Step::StepAside(Why::Expired));
    assert_eq!(election.leads_until(), None);
}

#[test]
fn a_leader_renews_in_time_for_a_second_try() {
    let mut election = leader();
    assert_eq!(election.next(at(0)), Step::Wait(at(5)));
    assert!(matches!(election.next(at(5)), Step::Renew(_)));
    election.failed(at(8), Failure::Unknown);
    assert_eq!(election.next(at(8)), Step::Wait(at(9)));
    assert!(matches!(election.next(at(9)), Step::Renew(_)));
    election.failed(at(10), Failure::Unknown);
    assert_eq!(election.next(at(10)), Step::StepAside(Why::Expired));
}

#[test]
fn a_leader_that_sees_another_holder_steps_aside() {
    let mut election = leader();
    election.heard(at(1), Some(lease(9, "other")));
    assert_eq!(election.next(at(1)), Step::StepAside(Why::Deposed));
    assert_eq!(election.next(at(1)), Step::Wait(at(16)));
}

#[test]
fn old_news_of_the_watch_change_nothing() {
    let mut election = leader();
    election.heard(at(1), Some(lease(7, "")));
    election.heard(at(1), Some(lease(6, "other")));
    assert_eq!(election.next(at(1)), Step::Wait(at(5)));
}

#[test]
fn a_leader_believes_only_its_own_eyes_that_the_lease_is_gone() {
    let mut election = leader();
    election.heard(at(1), None);
    assert_eq!(election.next(at(1)), Step::Look);
    let mut deleted = election.clone();
    deleted.read(at(1), None);
    assert_eq!(deleted.next(at(1)), Step::StepAside(Why::Deposed));
    election.read(at(1), Some(lease(8, "me")));
    assert_eq!(election.next(at(1)), Step::Wait(at(5)));
}

#[test]
fn after_a_conflict_it_looks_before_it_writes() {
    let mut election = candidate();
    election.heard(at(0), Some(lease(7, "")));
    election.failed(at(0), Failure::Conflict);
    assert_eq!(election.next(at(0)), Step::Look);
    election.read(at(0), Some(lease(8, "other")));
    assert_eq!(election.next(at(0)), Step::Wait(at(15)));
}

#[test]
fn a_claim_whose_answer_was_lost_is_renewed_at_once_when_it_is_seen() {
    let mut election = candidate();
    election.heard(at(0), Some(lease(7, "")));
    election.failed(at(3), Failure::Unknown);
    election.heard(at(3), Some(lease(8, "me")));
    assert_eq!(election.leads_until(), None);
    assert!(matches!(election.next(at(4)), Step::Renew(_)));
}

#[test]
fn only_an_own_lease_is_released() {
    assert_eq!(leader().release().unwrap().version.unwrap(), "8");
    let mut standby = candidate();
    standby.heard(at(0), Some(lease(7, "other")));
    assert_eq!(standby.release(), None);
}
