//! The proof: from a history and what is stored at the end, whether every promise was kept.
//!
//! No IO, no clock, no async: a verdict is a function of its two inputs, so it can be had again from
//! the files, and the checker is tested with histories that are wrong in each way. One file a
//! promise; `evidence` sorts a history by session, `verdict` has the words.
//!
//! Nothing here makes an exception for a process that is cut off together with a deposed primary,
//! which the service documents for strong reads: the schedule never combines the two, so no run of
//! it may show that.

mod answers;
mod connections;
mod contiguous;
mod deadlines;
mod ended;
mod erased;
mod evidence;
mod lost;
mod never_back;
mod once;
mod order;
mod pages;
mod reads;
mod replays;
mod streams;
mod terminal;
mod unavailable;
pub mod verdict;

use crate::{history::History, stored::Stored};
use evidence::{Evidence, Log};
use verdict::Verdict;

/// Checks every promise.
pub fn check(history: &History, stored: &Stored) -> Verdict {
    let evidence = Evidence::of(history, stored);
    let mut verdict = Verdict::default();
    for log in evidence.logs.values() {
        for check in OF_A_SESSION {
            check(log, &mut verdict);
        }
    }
    for check in OF_THE_WHOLE {
        check(history, &mut verdict);
    }
    verdict
        .violations
        .sort_by_key(|violation| violation.promise);
    verdict
}

const OF_A_SESSION: [fn(&Log, &mut Verdict); 12] = [
    lost::check,
    once::check,
    contiguous::check,
    order::check,
    terminal::check,
    ended::check,
    reads::check,
    never_back::check,
    pages::check,
    erased::check,
    streams::check,
    replays::check,
];

const OF_THE_WHOLE: [fn(&History, &mut Verdict); 5] = [
    answers::check,
    connections::check,
    deadlines::check,
    pages::check_walks,
    unavailable::check,
];
