//! The configuration with which a set is initiated.

use mongodb::bson::{Document, doc};

use crate::{Election, member::host};

/// What `replSetInitiate` takes.
pub(crate) fn configuration(name: &str, ports: &[u16], election: Election) -> Document {
    let members: Vec<Document> = (0..)
        .zip(ports)
        .map(|(id, port): (i32, &u16)| doc! {"_id": id, "host": host(*port)})
        .collect();
    let settings = match election {
        Election::Defaults => Document::new(),
        Election::Tuned => doc! {
            "electionTimeoutMillis": 3000,
            "heartbeatIntervalMillis": 1000,
            "catchUpTimeoutMillis": 500,
            // Otherwise a secondary may take what happens from another one instead of from the
            // primary, and one that is behind or frozen would hold the other up too, and with it
            // the majority.
            "chainingAllowed": false,
        },
    };
    doc! {"_id": name, "members": members, "settings": settings}
}
