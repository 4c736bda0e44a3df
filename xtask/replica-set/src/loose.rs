//! Members that nobody has made a set of yet.

use std::sync::Arc;

use crate::{
    Election, Member, Options, SetError, bootstrap, folder,
    guardian::Guardian,
    process::{self, Launch},
    secret,
    set::fetched_mongod,
};

/// Running members with a common key, each new and alone. They are gone, with all their data, when
/// the value is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct LooseMembers {
    members: Vec<Member>,
    name: String,
    key: String,
    /// Dropped last: it makes sure that nothing is left.
    _guardian: Guardian,
}

impl LooseMembers {
    /// Starts so many; returns when they listen.
    ///
    /// # Errors
    ///
    /// [`SetError`] when it does not come to that point.
    pub async fn start(count: usize) -> Result<Self, SetError> {
        let binary = fetched_mongod().await?;
        let (folder, afterwards) = folder::make(None)?;
        let guardian = Guardian::start(&folder, afterwards)?;
        let key = secret::random(secret::KEY_LENGTH);
        let name = format!("test-{}", secret::random(6));
        let launch = Arc::new(Launch {
            binary,
            set_name: name.clone(),
            key_file: folder::write_key(&folder, &key)?,
            parameters: process::test_parameters(Election::Tuned),
            certificates: None,
        });
        let options = Options {
            members: count,
            ..Options::default()
        };
        let members = bootstrap::start_members(&options, &folder, &launch, &key).await?;
        Ok(Self {
            members,
            name,
            key,
            _guardian: guardian,
        })
    }

    /// The members, in the order of their numbers.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The name that their set is to have (`--replSet`).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of their key file.
    pub fn key(&self) -> &str {
        &self.key
    }
}
