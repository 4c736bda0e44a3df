//! Pages of several sessions, read together: one question to one secondary costs it, the primary
//! and this process less than a question for each (measured: half of it with eight pages).

use std::collections::HashMap;
use std::pin::pin;

use mongodb::bson::raw::RawArrayBuf;
use mongodb::bson::{RawBsonRef, RawDocument, RawDocumentBuf, Timestamp, rawdoc};
use tokio::time::Instant;

use crate::domain::SessionId;
use crate::store::mongo::codec::Garbled;
use crate::store::mongo::error::CallError;
use crate::store::mongo::link::{Link, Reply};
use crate::store::mongo::metrics::PageSource;
use crate::store::mongo::replicas::Replicas;

/// Pages in one question: more of them make it hardly cheaper, and all wait for the last.
pub(super) const PAGES: usize = 16;

/// A page to read with others.
#[derive(PartialEq)]
pub(super) struct Wish {
    pub(super) id: SessionId,
    /// The stages that read it.
    pub(super) stages: RawArrayBuf,
}

/// The documents of one page, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Documents(Vec<u8>);

impl Documents {
    fn push(&mut self, document: &RawDocument) {
        self.0.extend_from_slice(document.as_bytes());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Result<&RawDocument, Garbled>> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            // A document begins with its length.
            let length = i32::from_le_bytes(*rest.first_chunk()?);
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let (document, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(RawDocument::from_bytes(document).map_err(Garbled::new))
        })
    }
}

/// Reads pages of different sessions from one secondary that has got as far as `at`, and from the
/// primary too if that takes long. The pages come in the order of the wishes; or why only the
/// primary can give them, each for itself.
pub(super) async fn gather(
    link: &Link,
    replicas: &Replicas,
    wishes: &[Wish],
    at: Option<Timestamp>,
    deadline: Instant,
) -> Result<(Vec<Documents>, PageSource), PageSource> {
    let command = command(wishes);
    let Some(member) = replicas.choose(&link.topology.view()) else {
        let reply = link.read(&command, deadline).await;
        return told(wishes, reply, PageSource::Alone);
    };
    let mut reading = pin!(link.read_from(&member, &command, at, deadline));
    if let Ok(reply) = tokio::time::timeout(link.patience.hedge, reading.as_mut()).await {
        if let Err(error) = &reply
            && *error != CallError::TimedOut
        {
            tracing::debug!(%error, %member, "a secondary gave no pages");
            replicas.avoid(&member);
        }
        return told(wishes, reply, PageSource::Secondary);
    }
    replicas.avoid(&member);
    let mut asking_primary = pin!(link.read(&command, deadline));
    tokio::select! {
        reply = reading => match told(wishes, reply, PageSource::Secondary) {
            Ok(pages) => Ok(pages),
            // The primary is on its way to an answer already.
            Err(_) => told(wishes, asking_primary.as_mut().await, PageSource::Slow),
        },
        reply = asking_primary.as_mut() => told(wishes, reply, PageSource::Slow),
    }
}

fn told(
    wishes: &[Wish],
    reply: Result<Reply, CallError>,
    source: PageSource,
) -> Result<(Vec<Documents>, PageSource), PageSource> {
    let pages = match reply {
        Ok(reply) if !reply.is_cut() => reply
            .documents()
            .and_then(|documents| sorted(wishes, documents)),
        // Too large to be read together; or it has not got so far within the time of a command.
        Ok(_) | Err(CallError::TimedOut) => return Err(PageSource::Behind),
        Err(_) => return Err(PageSource::Failed),
    };
    match pages {
        Ok(pages) => Ok((pages, source)),
        Err(garbled) => {
            tracing::error!(%garbled, "events without a session");
            Err(PageSource::Failed)
        }
    }
}

fn command(wishes: &[Wish]) -> RawDocumentBuf {
    let mut pipeline = RawArrayBuf::new();
    if let Some((first, others)) = wishes.split_first() {
        first
            .stages
            .into_iter()
            .flatten()
            .for_each(|stage| pipeline.push(stage));
        for Wish { stages, .. } in others {
            let union = rawdoc! {"coll": "events", "pipeline": stages.clone()};
            pipeline.push(rawdoc! {"$unionWith": union});
        }
    }
    // All of them come in the first batch, unless they are too large.
    rawdoc! {"aggregate": "events", "pipeline": pipeline, "cursor": {"batchSize": i32::MAX}}
}

/// The documents of each session.
fn sorted<'a>(
    wishes: &[Wish],
    documents: impl Iterator<Item = Result<&'a RawDocument, Garbled>>,
) -> Result<Vec<Documents>, Garbled> {
    let mut pages = vec![Documents::default(); wishes.len()];
    let places: HashMap<&str, usize> = wishes
        .iter()
        .enumerate()
        .map(|(place, wish)| (wish.id.as_str(), place))
        .collect();
    for document in documents {
        let document = document?;
        let Ok(Some(RawBsonRef::Document(key))) = document.get("_id") else {
            return Err(Garbled::new("a record without a key"));
        };
        let session = key.get_str("sessionId").ok();
        let page = session.and_then(|session| places.get(session));
        let page = page.and_then(|place| pages.get_mut(*place));
        page.ok_or_else(|| Garbled::new("a record of a session that was not asked for"))?
            .push(document);
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(name: &str) -> Wish {
        let mut stages = RawArrayBuf::new();
        stages.push(rawdoc! {"$match": {"_id.sessionId": name}});
        stages.push(rawdoc! {"$limit": 3});
        Wish {
            id: SessionId::from_stored(name),
            stages,
        }
    }

    fn record(name: &str, seq: i64) -> RawDocumentBuf {
        rawdoc! {"_id": {"sessionId": name, "seq": seq}}
    }

    fn seqs(page: &Documents) -> Vec<i64> {
        let seq = |document: Result<&RawDocument, Garbled>| {
            let document = document.unwrap();
            document
                .get_document("_id")
                .unwrap()
                .get_i64("seq")
                .unwrap()
        };
        page.iter().map(seq).collect()
    }

    #[test]
    fn each_session_gets_its_own_documents_in_the_order_in_which_they_came() {
        let wishes = [wish("a"), wish("b"), wish("c")];
        let rows = [
            record("a", 2),
            record("a", 1),
            record("c", 7),
            record("a", 3),
        ];
        let pages = sorted(&wishes, rows.iter().map(|row| Ok(row.as_ref()))).unwrap();
        assert_eq!(
            pages.iter().map(seqs).collect::<Vec<_>>(),
            [vec![2, 1, 3], vec![], vec![7]]
        );
    }

    #[test]
    fn a_document_of_another_session_is_nobodys() {
        let rows = [record("z", 1)];
        let pages = sorted(&[wish("a")], rows.iter().map(|row| Ok(row.as_ref())));
        assert!(pages.is_err());
    }

    #[test]
    fn the_first_page_is_read_by_the_command_itself_and_the_others_by_unions() {
        let command = command(&[wish("a"), wish("b")]);
        let pipeline: Vec<_> = command
            .get_array("pipeline")
            .unwrap()
            .into_iter()
            .map(|stage| stage.unwrap().as_document().unwrap().to_owned())
            .collect();
        let union = pipeline.last().unwrap().get_document("$unionWith").unwrap();
        assert_eq!(pipeline.len(), 3);
        assert_eq!(union.get_str("coll").unwrap(), "events");
        let stages = union.get_array("pipeline").unwrap();
        assert_eq!(stages, wish("b").stages.as_ref());
    }
}
