//! Pages: each is a right part of the log whatever its consistency, and a walk by cursor brings what
//! was there when it began exactly once.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    evidence::Log,
    verdict::{Promise, Verdict},
};
use crate::history::{
    History, Operation,
    request::{Consistency, Order, Request},
    values::Moment,
};

pub(crate) fn check(log: &Log, verdict: &mut Verdict) {
    for (read, _) in log.reads() {
        if let Some(finding) = fault_of(read) {
            let finding = format!("{}: {finding}", log.session);
            verdict.find(Promise::PagesAreWhole, finding, &[read]);
        }
    }
}

/// What is wrong with a page by itself.
fn fault_of(read: &Operation) -> Option<String> {
    let answer = read.answer()?;
    let places: Vec<u64> = answer.events.iter().map(|event| event.seq).collect();
    let (order, limit, first) = match &read.request {
        Request::Get { limit, .. } => (Order::Seq, *limit, Some(1)),
        Request::Page {
            order,
            limit,
            after,
            walk,
            ..
        } => {
            let start = (*order == Order::Seq && walk.is_none()).then_some(1);
            (*order, *limit, after.map(|after| after + 1).or(start))
        }
        _ => return None,
    };
    if places.len() as u64 > limit {
        return Some(format!("{} events on a page of {limit}", places.len()));
    }
    let is_right = match order {
        Order::Seq => {
            places.windows(2).all(|pair| pair[0] + 1 == pair[1])
                && first.is_none_or(|first| places.first().is_none_or(|place| *place == first))
        }
        Order::SeqDescending => places.windows(2).all(|pair| pair[0] == pair[1] + 1),
        Order::Time | Order::TimeDescending => is_without_repetition(&places),
    };
    if !is_right {
        return Some(format!("the places of a page are {places:?}"));
    }
    // A whole log on one page has all places, in whatever order.
    let is_all = !answer.more
        && matches!(
            &read.request,
            Request::Get { .. }
                | Request::Page {
                    after: None,
                    walk: None,
                    ..
                }
        );
    let count = places.len() as u64;
    let is_short = is_all && answer.total.is_some_and(|total| total != count);
    is_short.then(|| format!("the only page has {count} events of {:?}", answer.total))
}

fn is_without_repetition(places: &[u64]) -> bool {
    let distinct: HashSet<&u64> = places.iter().collect();
    distinct.len() == places.len()
}

/// Checks the walks of all readers.
pub(crate) fn check_walks(history: &History, verdict: &mut Verdict) {
    let by_id: HashMap<u64, &Operation> = history
        .operations
        .iter()
        .map(|operation| (operation.id, operation))
        .collect();
    let mut walks: BTreeMap<u64, Vec<&Operation>> = BTreeMap::new();
    for operation in &history.operations {
        if let Request::Page {
            walk: Some(first), ..
        } = &operation.request
            && let Some(first_page) = by_id.get(first)
        {
            let pages = walks.entry(*first).or_insert_with(|| vec![first_page]);
            // An attempt that failed was repeated with the same cursor.
            if operation.is_acknowledged() {
                pages.push(operation);
            }
        }
    }
    let acknowledged = acknowledgements(history);
    for pages in walks.values() {
        check_walk(pages, &acknowledged, verdict);
    }
}

type Acknowledged<'a> = HashMap<&'a str, Vec<(Moment, u64, &'a Operation)>>;

fn acknowledgements(history: &History) -> Acknowledged<'_> {
    let mut acknowledged: Acknowledged = HashMap::new();
    for operation in &history.operations {
        if let (Request::Append { item }, Some(answer)) = (&operation.request, operation.answer())
            && let (true, Some(event)) = (answer.is_good(), answer.events.first())
        {
            let events = acknowledged.entry(item.session.as_str()).or_default();
            events.push((operation.ended, event.seq, operation));
        }
    }
    acknowledged
}

fn check_walk(pages: &[&Operation], acknowledged: &Acknowledged, verdict: &mut Verdict) {
    let (Some(first), Some(last)) = (pages.first(), pages.last()) else {
        return;
    };
    let places: Vec<u64> = pages
        .iter()
        .filter_map(|page| page.answer())
        .flat_map(|answer| answer.events.iter().map(|event| event.seq))
        .collect();
    if !is_without_repetition(&places) {
        let finding = format!("a walk brought {places:?}");
        verdict.find(Promise::PagesAreWhole, finding, &[*first, *last]);
    }
    let is_finished = last.answer().is_some_and(|answer| !answer.more);
    let is_fresh = first.request.consistency() != Consistency::Eventual;
    if !is_finished || !is_fresh {
        return;
    }
    let seen: HashSet<u64> = places.into_iter().collect();
    for session in first.request.sessions() {
        for (ended, seq, append) in acknowledged.get(session).map_or(&[][..], Vec::as_slice) {
            if *ended < first.began && !seen.contains(seq) {
                let finding = format!("a walk through {session} did not bring {seq}");
                verdict.find(Promise::PagesAreWhole, finding, &[*append, *first, *last]);
            }
        }
    }
}
