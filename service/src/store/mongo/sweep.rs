//! Finding what a crash left half done: sessions that are closed in their log only.
//!
//! Whoever meets such a session repairs it; the sweep is for those that nobody asks for.

use std::collections::HashMap;
use std::time::Duration;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::raw::{RawArrayBuf, cstr};
use mongodb::bson::{DateTime, rawdoc};

use crate::domain::SessionId;
use crate::store::mongo::codec::Garbled;
use crate::store::mongo::error::CallError;
use crate::store::mongo::known::{self, Asked};
use crate::store::mongo::link::Link;
use crate::store::mongo::schema;
use crate::store::mongo::write::FollowUps;

/// Between two steps of the walk.
pub(super) const PAUSE: Duration = Duration::from_secs(2);

/// Open sessions that one step looks at: some 20 ms of the primary's time, so the walk takes
/// about 1 % of one of its cores, and meets 100 sessions a second.
const STEP: i64 = 200;

/// A walk over the open sessions that never ends, one step at a time.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// Which of the open statuses it goes through.
    status: usize,
    /// Where it has got in the index of sessions by status.
    after: Option<(DateTime, ObjectId)>,
}

/// What can be closed in the log only.
const OPEN: [&str; 2] = ["initiated", "active"];

impl Sweep {
    /// Repairs what it finds in the next step. After a failure the step is repeated.
    pub(super) async fn step(&mut self, link: &Link) -> Result<(), CallError> {
        let deadline = link.deadline();
        let mut filter = rawdoc! {"status": OPEN[self.status]};
        if let Some((started_at, id)) = self.after {
            filter.append(cstr!("startedAt"), rawdoc! {"$lte": started_at});
            let mut not_earlier = RawArrayBuf::new();
            not_earlier.push(rawdoc! {"startedAt": started_at, "_id": {"$gte": id}});
            filter.append(cstr!("$nor"), not_earlier);
        }
        let command = rawdoc! {
            "find": "sessions",
            "filter": filter,
            "projection": {"sessionId": 1, "startedAt": 1},
            "sort": {"startedAt": -1, "_id": -1},
            "hint": schema::SESSIONS_BY_STATUS,
            "limit": STEP,
            "batchSize": STEP,
            "singleBatch": true,
        };
        let reply = link.read(&command, deadline).await?;
        let mut ids = Vec::new();
        let mut last = None;
        for document in reply.documents()? {
            let document = document?;
            let garbled = |_| Garbled::new("an open session");
            ids.push(SessionId::from_stored(
                document.get_str("sessionId").map_err(garbled)?,
            ));
            last = Some((
                document.get_datetime("startedAt").map_err(garbled)?,
                document.get_object_id("_id").map_err(garbled)?,
            ));
        }
        let found: HashMap<_, _> = known::find(
            link,
            None,
            &ids.iter().collect::<Vec<_>>(),
            Asked::Primary,
            deadline,
        )
        .await?
        .sessions;
        let repairs = FollowUps::of(&found);
        if !repairs.is_empty() {
            repairs.write(link, deadline).await?;
            tracing::info!("sessions that were behind their logs are repaired");
        }
        let is_full = i64::try_from(ids.len()).is_ok_and(|count| count == STEP);
        self.after = last.filter(|_| is_full);
        if self.after.is_none() {
            self.status = (self.status + 1) % OPEN.len();
        }
        Ok(())
    }
}
