//! The configuration with which a set is initiated.

use mongodb::bson::{Document, doc};

use crate::{Election, member::host};

/// What `replSetInitiate` takes.
pub(crate) fn configuration(name: &str, ports: &[u16], election: Election) -> Document {
    let members: Vec<Document> = (0..)
        .zip(ports)
        .map(|(id, port): (i32, &u16)| doc! {"_id": id, "host": host(*port)})
        .collect();
    let mut configuration = doc! {"_id": name, "members": members};
    if election == Election::Tuned {
        let settings = doc! {
            "electionTimeoutMillis": 3000,
            "heartbeatIntervalMillis": 1000,
            "catchUpTimeoutMillis": 500,
        };
        configuration.insert("settings", settings);
    }
    configuration
}
