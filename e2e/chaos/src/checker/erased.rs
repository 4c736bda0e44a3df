//! An erased session never comes back, leaves no content, and nothing is erased unasked.

use super::{
    evidence::{Log, Word},
    verdict::{Promise, Verdict},
};
use crate::stored::{Answered, What};

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    check_cause(log, verdict);
    // An open stream says 200 once, when it begins; when it ends is no matter here.
    let first = log
        .words()
        .filter(|(_, word)| *word == Word::Erased)
        .min_by_key(|(witness, _)| witness.ended());
    let Some((erased, _)) = first else { return };
    for (witness, word) in log.words() {
        let is_back = matches!(word, Word::Known | Word::Absent);
        if is_back && erased.ended() < witness.began() {
            let finding = format!("{} came back after it was erased", log.session);
            verdict.find(Promise::ErasedStaysErased, finding, &[&erased, &witness]);
        }
    }
    let Some(stored) = log.stored else { return };
    if stored.answered != Answered::Erased {
        let finding = format!("{} was erased and is there at the end", log.session);
        verdict.find(Promise::ErasedStaysErased, finding, &[&erased]);
    }
    if let Some(raw) = &stored.raw {
        let left = raw
            .records
            .iter()
            .filter(|record| !matches!(record.what, What::Stub | What::Terminal))
            .count();
        if left > 0 || !raw.tombstone {
            let finding = format!(
                "{} was erased; {left} events are left of it, tombstone: {}",
                log.session, raw.tombstone
            );
            verdict.find(Promise::ErasedStaysErased, finding, &[&erased]);
        }
    }
}

fn check_cause(log: &Log, verdict: &mut Verdict) {
    let asked = log.erasures().map(|operation| operation.began).min();
    for (witness, word) in log.words() {
        if word == Word::Erased && asked.is_none_or(|asked| witness.ended() < asked) {
            let finding = format!("{} is erased, and nobody had asked for it", log.session);
            verdict.find(Promise::ErasedStaysErased, finding, &[&witness]);
        }
    }
    let is_erased = log
        .stored
        .is_some_and(super::super::stored::Session::is_erased);
    if is_erased && asked.is_none() {
        let finding = format!("{} is erased at the end, and nobody asked", log.session);
        verdict.find(Promise::ErasedStaysErased, finding, &[]);
    }
}
