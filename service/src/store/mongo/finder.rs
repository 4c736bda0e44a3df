//! Questions about sessions, coalesced: while one is on its way to the primary, the next one
//! collects. Asked alone a session costs the primary 0.3 ms, among others 0.04 ms (measured), and
//! an idle service waits for nobody. The pages that were asked for with sessions of one question
//! are read together too.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mongodb::bson::Timestamp;
use mongodb::bson::raw::RawArrayBuf;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::domain::{PageQuery, SessionId};
use crate::store::mongo::error::CallError;
use crate::store::mongo::gather::{Documents, PAGES, Wish, gather};
use crate::store::mongo::known::{self, Found};
use crate::store::mongo::link::{Link, Reign};
use crate::store::mongo::metrics::PageSource;
use crate::store::mongo::page;
use crate::store::mongo::replicas::Replicas;
use crate::store::mongo::tails::Tails;

/// What was answered to a question about a session.
pub(super) struct Answer {
    /// What a majority has of it.
    pub(super) found: Option<Found>,
    /// And when.
    pub(super) moment: Moment,
    /// The documents of the page that was asked for too, if it could be read with others; or why
    /// only the primary can give them.
    pub(super) page: Option<Result<(Arc<Documents>, PageSource), PageSource>>,
}

/// When that was so, and who said it.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) at: Option<Timestamp>,
    pub(super) reign: Option<Reign>,
}

/// See the module.
pub(super) struct Finder {
    link: Arc<Link>,
    replicas: Replicas,
    tails: Tails,
    state: Mutex<State>,
}

/// A question on its way, however it ends.
struct InFlight<'a>(&'a Finder);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}

#[derive(Default)]
struct State {
    waiting: Vec<Asked>,
    in_flight: usize,
}

/// A question, and who waits for its answer.
struct Asked {
    id: SessionId,
    page: Option<PageQuery>,
    asker: oneshot::Sender<Result<Answer, CallError>>,
}

/// A page that is still to be read, for answers that are complete but for it.
struct Pending {
    wish: Wish,
    askers: Vec<Asker>,
}

impl Pending {
    /// The moment of which the page is asked for: the same for all answers to one question.
    fn at(&self) -> Option<Timestamp> {
        self.askers.first().and_then(|asker| asker.answer.moment.at)
    }
}

/// Who waits for a page.
struct Asker {
    answer: Answer,
    sender: oneshot::Sender<Result<Answer, CallError>>,
}

/// Questions on their way at the same time: the second one lets readers go on while the first,
/// larger one is answered.
const IN_FLIGHT: usize = 2;

/// Sessions in one question: some 50 ms of the primary's time.
const SESSIONS: usize = 500;

/// Readers that may wait: a second of the primary's time or two. More are refused at once.
const WAITING: usize = 10_000;

impl Finder {
    pub(super) fn new(link: Arc<Link>, replicas: Replicas) -> Arc<Self> {
        Arc::new(Self {
            link,
            replicas,
            tails: Tails::new(),
            state: Mutex::default(),
        })
    }

    /// Which secondary is asked.
    pub(super) fn replicas(&self) -> &Replicas {
        &self.replicas
    }

    /// Where logs were seen to end.
    pub(super) fn tails(&self) -> &Tails {
        &self.tails
    }

    /// What a majority has of a session now or later, but not earlier; with a page of it, if one
    /// is asked for that can be read with others.
    pub(super) async fn find(
        self: &Arc<Self>,
        id: &SessionId,
        page: Option<&PageQuery>,
        deadline: Instant,
    ) -> Result<Answer, CallError> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.lock();
            if state.waiting.len() >= WAITING {
                // Those who hung up are not waited for.
                state.waiting.retain(|asked| !asked.asker.is_closed());
            }
            if state.waiting.len() >= WAITING {
                return Err(CallError::NotDone("too many readers wait".to_owned()));
            }
            state.waiting.push(Asked {
                id: id.clone(),
                page: page.cloned(),
                asker: sender,
            });
        }
        self.pump();
        match timeout_at(deadline, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CallError::Lost("the question was given up".to_owned())),
            Err(_) => Err(CallError::TimedOut),
        }
    }

    /// Sends the next question, if there is one and there is room.
    fn pump(self: &Arc<Self>) {
        let asked = {
            let mut state = self.lock();
            if state.in_flight == IN_FLIGHT {
                return;
            }
            state.waiting.retain(|asked| !asked.asker.is_closed());
            if state.waiting.is_empty() {
                return;
            }
            state.in_flight += 1;
            let count = state.waiting.len().min(SESSIONS);
            state.waiting.drain(..count).collect::<Vec<_>>()
        };
        let finder = Arc::clone(self);
        tokio::spawn(async move {
            let in_flight = InFlight(&finder);
            finder.ask(asked).await;
            drop(in_flight);
            finder.pump();
        });
    }

    async fn ask(self: &Arc<Self>, asked: Vec<Asked>) {
        let ids: HashSet<&SessionId> = asked.iter().map(|asked| &asked.id).collect();
        let ids: Vec<&SessionId> = ids.into_iter().collect();
        let deadline = self.link.deadline();
        let tails = Some(&self.tails);
        let finding = known::find(&self.link, tails, &ids, known::Asked::Primary, deadline).await;
        let mut pages = Groups::default();
        for Asked { id, page, asker } in asked {
            let answer = match &finding {
                Ok(finding) => finding.get(&id).map(|found| Answer {
                    found: found.cloned(),
                    moment: Moment {
                        at: finding.at,
                        reign: finding.reign.clone(),
                    },
                    page: None,
                }),
                Err(error) => Err(error.clone()),
            };
            match answer {
                Ok(answer) => match stages(&id, page.as_ref(), &answer) {
                    Some(stages) => {
                        let sender = asker;
                        pages.add(Wish { id, stages }, Asker { answer, sender });
                    }
                    None => send(asker, Ok(answer)),
                },
                Err(error) => send(asker, Err(error)),
            }
        }
        for group in pages.0 {
            let finder = Arc::clone(self);
            // The next question need not wait for them.
            tokio::spawn(async move { finder.read_pages(group, deadline).await });
        }
    }

    async fn read_pages(&self, group: Vec<Pending>, deadline: Instant) {
        let at = group.first().and_then(Pending::at);
        let (wishes, askers): (Vec<Wish>, Vec<Vec<Asker>>) = group
            .into_iter()
            .map(|pending| (pending.wish, pending.askers))
            .unzip();
        let gathered = gather(&self.link, &self.replicas, &wishes, at, deadline).await;
        let (mut pages, source) = match gathered {
            Ok((pages, source)) => (pages.into_iter(), Ok(source)),
            Err(source) => (Vec::new().into_iter(), Err(source)),
        };
        for askers in askers {
            let documents = Arc::new(pages.next().unwrap_or_default());
            for Asker { answer, sender } in askers {
                let page = source.map(|source| (Arc::clone(&documents), source));
                let page = Some(page);
                send(sender, Ok(Answer { page, ..answer }));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What reads the page that was asked for with a session, if it can be read with others.
fn stages(id: &SessionId, query: Option<&PageQuery>, answer: &Answer) -> Option<RawArrayBuf> {
    let query = query.filter(|query| page::is_shared(query))?;
    let found = answer.found.as_ref().filter(|found| !found.is_erased())?;
    page::stages(id, found.log().events, query)
}

/// Pages by the question that reads them: each session once in each, since a document does not
/// tell for which page it was read. One page is read once, whoever wants it.
#[derive(Default)]
struct Groups(Vec<Vec<Pending>>);

impl Groups {
    fn add(&mut self, wish: Wish, asker: Asker) {
        let mut pending = self.0.iter_mut().flatten();
        if let Some(same) = pending.find(|pending| pending.wish == wish) {
            same.askers.push(asker);
            return;
        }
        let has_room = |group: &&mut Vec<Pending>| {
            group.len() < PAGES && group.iter().all(|it| it.wish.id != wish.id)
        };
        let group = self.0.iter_mut().find(has_room);
        let askers = vec![asker];
        let pending = Pending { wish, askers };
        match group {
            Some(group) => group.push(pending),
            None => self.0.push(vec![pending]),
        }
    }
}

fn send(asker: oneshot::Sender<Result<Answer, CallError>>, answer: Result<Answer, CallError>) {
    // Who hung up does not want it any more.
    let _ = asker.send(answer);
}

#[cfg(test)]
mod tests {
    use mongodb::bson::rawdoc;

    use super::*;

    fn wish(name: &str, after: i64) -> Wish {
        let mut stages = RawArrayBuf::new();
        stages.push(rawdoc! {"$match": {"_id.sessionId": name, "_id.seq": {"$gt": after}}});
        Wish {
            id: SessionId::from_stored(name),
            stages,
        }
    }

    fn asker() -> Asker {
        let moment = Moment {
            at: None,
            reign: None,
        };
        Asker {
            answer: Answer {
                found: None,
                moment,
                page: None,
            },
            sender: oneshot::channel().0,
        }
    }

    /// The groups of these wishes, as the sessions and numbers of askers in each.
    fn grouped(wishes: impl IntoIterator<Item = Wish>) -> Vec<Vec<(String, usize)>> {
        let mut groups = Groups::default();
        wishes
            .into_iter()
            .for_each(|wish| groups.add(wish, asker()));
        let shown = |pending: &Pending| {
            let name = pending.wish.id.as_str().to_owned();
            (name, pending.askers.len())
        };
        let groups = groups.0.iter();
        groups
            .map(|group| group.iter().map(shown).collect())
            .collect()
    }

    fn entry(name: &str, askers: usize) -> (String, usize) {
        (name.to_owned(), askers)
    }

    #[test]
    fn a_page_that_several_want_is_read_once() {
        let wishes = [wish("a", 3), wish("b", 3), wish("a", 3), wish("a", 3)];
        assert_eq!(grouped(wishes), [vec![entry("a", 3), entry("b", 1)]]);
    }

    #[test]
    fn different_pages_of_a_session_are_read_by_different_questions() {
        let wishes = [wish("a", 3), wish("a", 4), wish("b", 3), wish("a", 4)];
        assert_eq!(
            grouped(wishes),
            [vec![entry("a", 1), entry("b", 1)], vec![entry("a", 2)]]
        );
    }

    #[test]
    fn a_question_reads_a_limited_number_of_pages_whoever_wants_them() {
        let names: Vec<String> = (0..=PAGES).map(|number| format!("s{number}")).collect();
        let wishes = names.iter().flat_map(|name| [wish(name, 0), wish(name, 0)]);
        let sizes: Vec<usize> = grouped(wishes).iter().map(Vec::len).collect();
        assert_eq!(sizes, [PAGES, 1]);
    }
}
